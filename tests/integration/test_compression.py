"""Compressed objects, end to end: the same rows, good files, one chain through it all."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, PATIENCE, fill, group_of, sink
from tests.services.minio import Minio
from tests.support import Bucket, Folder, KafkaClient, Msg, Record, StoredObject, audit
from tests.support.stores import Store

PARTITIONS = 2
TYPES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def data(store: Store) -> list[StoredObject]:
    """All data objects."""
    return [stored for stored in store.objects() if "_penstock/" not in stored.key]


def check_file(stored: StoredObject, folder: Path) -> None:
    """The method's own tool finds nothing wrong with the object."""
    tool = {".gz": "gzip", ".zst": "zstd"}.get(Path(stored.key).suffix)
    if tool is None:
        return
    path = folder / f"object{Path(stored.key).suffix}"
    path.write_bytes(stored.body)
    done = subprocess.run(
        [tool, "-q", "-t", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), stored.key


@pytest.mark.timeout(240)
def test_the_same_drain_in_every_way(
    buckets: BucketFactory,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic = topics(PARTITIONS)
    records = fill(client, topic, 3000, PARTITIONS)
    landed = {}
    for kind, extension in TYPES.items():
        bucket = buckets()
        config = sink(
            topic, minio.endpoint, bucket.name, s3__compression__type=kind,
            csv__header=True, flush__size=500, name=f"{topic}-{kind}",
            s3__compression__header=kind == "zstd",
        )  # fmt: skip
        drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
        assert drain.wait(PATIENCE) == 0, drain.log
        found = data(bucket)
        assert all(stored.key.endswith(f".csv{extension}") for stored in found)
        for stored in found:
            check_file(stored, tmp_path)
            head = bucket.client.head_object(Bucket=bucket.name, Key=stored.key)
            assert head["ContentType"] == "text/csv; charset=utf-8"
            encoding = "zstd" if kind == "zstd" else None
            assert head.get("ContentEncoding") == encoding
        landed[kind] = {s.key.removesuffix(extension): s.content for s in found}
        audit(
            topic, bucket, client, records=records, header=True,
            group=f"connect-{topic}-{kind}",
        )  # fmt: skip
    assert len(landed["none"]) == 2 * 3
    assert landed["none"] == landed["gzip"] == landed["zstd"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_routed_windows(
    kind: str,
    buckets: BucketFactory,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """A manifest and a file a folder for each window: the same files, compressed."""
    topic = topics(PARTITIONS)
    values = [(i, {"id": f"r{i}", "n": i, "text": f"t{i % 7}" * 20}) for i in range(1400)]
    records = client.produce(
        topic, [Msg(json.dumps(v), partition=i % PARTITIONS) for i, v in values]
    )
    landed = {}
    for method, extension in TYPES.items():
        bucket = buckets()
        config = sink(
            topic, minio.endpoint, bucket.name, s3__compression__type=method,
            format__class=kind, flush__size=300, name=f"{topic}-{method}",
            partitioner__class="FieldPartitioner", partition__field__name="text",
            rotate__schedule__interval__ms="1h",
        )  # fmt: skip
        drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
        assert drain.wait(PATIENCE) == 0, drain.log
        found = data(bucket)
        assert all(stored.key.endswith(f".{kind}{extension}") for stored in found)
        for stored in found:
            check_file(stored, tmp_path)
        manifests = [k for k in bucket.keys("") if re.search(r"/\d{20}\.json$", k)]
        assert len(manifests) == 3 * PARTITIONS
        landed[method] = {s.key.removesuffix(extension): s.content for s in found}
    assert landed["none"] == landed["gzip"] == landed["zstd"]
    assert len(landed["none"]) == 7 * 3 * PARTITIONS
    lines = b"".join(landed["none"].values()).splitlines()
    assert len(lines) == len(set(lines)) == len(records)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "level"), [("gzip", 1), ("zstd", 3)], ids=["gzip", "zstd"]
)
def test_a_spooled_window(
    kind: str,
    level: int,
    buckets: BucketFactory,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """One window that is larger than memory even compressed; it goes up in parts."""
    topic, bucket, count = topics(1), buckets(), 4000
    noise = random.Random(kind)
    texts = [noise.randbytes(4500).hex() for _ in range(count)]
    records = client.produce(
        topic,
        (
            Msg(json.dumps({"id": f"r{i}", "n": i, "text": texts[i]}))
            for i in range(count)
        ),
    )
    assert len(records) == count
    config = sink(
        topic, minio.endpoint, bucket.name, flush__size=count,
        rotate__schedule__interval__ms="1h", s3__part__size="5m",
        s3__compression__type=kind, s3__compression__level=level,
    )  # fmt: skip
    spool = {"buffer.memory": "16m", "spool.dir": tmp_path}
    drain = daemons(config, args=["--until-end"], worker={**FAST_GROUP, **spool})
    assert drain.wait(PATIENCE * 3) == 0, drain.log
    (stored,) = data(bucket)
    assert len(stored.body) > 16 * 1024 * 1024
    head = bucket.client.head_object(Bucket=bucket.name, Key=stored.key)
    assert re.search(r"-\d+\"$", head["ETag"])  # in parts
    check_file(stored, tmp_path)
    rows = "".join(f"r{i},{i},{text}\n" for i, text in enumerate(texts))
    assert stored.content == rows.encode()


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_json_lines(
    kind: str,
    buckets: BucketFactory,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic, bucket = topics(PARTITIONS), buckets()
    records = fill(client, topic, 600, PARTITIONS)
    config = sink(
        topic, minio.endpoint, bucket.name, format__class="jsonl",
        s3__compression__type=kind, csv__header=True,
    )  # fmt: skip
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(PATIENCE) == 0, drain.log
    landed: list[object] = []
    for stored in data(bucket):
        assert stored.key.endswith(f".jsonl{TYPES[kind]}")
        check_file(stored, tmp_path)
        head = bucket.client.head_object(Bucket=bucket.name, Key=stored.key)
        assert head["ContentType"] == "application/x-ndjson"
        lines = stored.content.decode().splitlines()
        landed += [json.loads(line) for line in lines]
    made = sorted(records, key=lambda record: (record.partition, record.offset))
    assert landed == [json.loads(record.value or b"") for record in made]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("where", ["s3", "directory"])
def test_a_change_seals_the_chain(
    where: str,
    buckets: BucketFactory,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    store: Bucket | Folder
    if where == "s3":
        store = buckets()
        url, name = minio.endpoint, store.name
    else:
        store = Folder(tmp_path / "store")
        url, name = (tmp_path / "store").as_uri(), None
    topic = topics(PARTITIONS)
    rows: list[Record] = []
    for kind in ("none", "gzip", "zstd"):
        rows += fill(client, topic, 200, PARTITIONS, first=len(rows))
        config = sink(topic, url, name, s3__compression__type=kind)
        drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
        assert drain.wait(PATIENCE) == 0, drain.log
    found = data(store)
    for stored in found:
        check_file(stored, tmp_path)
    seals = {s.key.partition(".")[2]: s for s in found if "seal" in s.meta}
    assert {end: len(s.body) for end, s in seals.items()} == {"csv": 0, "csv.gz": 20}
    assert all(s.content == b"" for s in seals.values())
    ends = {stored.key.partition(".")[2] for stored in found}
    assert ends == {"csv", "csv.gz", "csv.zst"}
    report = audit(topic, store, client, records=rows, group=group_of(topic))
    assert report.records == len(rows) == 600
