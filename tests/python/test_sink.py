"""`penstock.S3CsvSink`: put, flush and close, with a folder and with a real S3 server."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import penstock
from penstock import FatalError, S3CsvSink
from penstock._worker import Store as ObjectStore
from tests.chaos.proxy import Proxy
from tests.conftest import BucketFactory
from tests.services import Minio
from tests.support import Folder, parse_csv, sink_config
from tests.support.script import run_script, within
from tests.support.stores import Store

SCHEMA = "id STRING, n BIGINT"
Tuple = tuple[str, int, int, bytes | None, bytes | None, int | None]


@dataclass
class Message:
    """A record with attributes."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None


def record(offset: int, topic: str = "t", partition: int = 0) -> Tuple:
    """A record as a tuple."""
    value = b'{"id": "r%d", "n": %d}' % (offset, offset)
    return (topic, partition, offset, b"k", value, 1_700_000_000_000 + offset)


def config(folder: Path, **more: Any) -> dict[str, Any]:
    """A sink with a folder as its store."""
    return sink_config("t", SCHEMA, folder.as_uri(), **more)


def rows(store: Store, prefix: str = "topics/t/") -> list[str | None]:
    """The first column of all rows, object by object."""
    return [row[0] for o in store.objects(prefix) for row in parse_csv(o.body.decode())]


def ids(first: int, end: int) -> list[str]:
    """What `rows` gives of records first to end - 1."""
    return [f"r{n}" for n in range(first, end)]


def test_put_and_flush(tmp_path: Path) -> None:
    with S3CsvSink(config(tmp_path)) as sink:
        sink.put(record(n) for n in range(1200))
        assert sink.flush() == [("t", 0, 1200)]
        assert sink.flush() == []
        sink.put([Message(*record(1200))])
        assert sink.flush() == [("t", 0, 1201)]
        stats = sink.stats
    assert rows(Folder(tmp_path)) == ids(0, 1201)
    assert stats["records"] == stats["rows"] == 1201
    assert stats["objects"] == 2
    assert stats["skipped"] == stats["buffered_bytes"] == 0


def test_the_end_of_the_block_flushes(tmp_path: Path) -> None:
    with S3CsvSink(config(tmp_path)) as sink:
        sink.put([record(0)])
    assert sink.closed
    assert rows(Folder(tmp_path)) == ids(0, 1)


def test_an_exception_drops(tmp_path: Path) -> None:
    def use(sink: S3CsvSink) -> None:
        with sink:
            sink.put([record(0)])
            raise KeyError("mine")

    sink = S3CsvSink(config(tmp_path))
    with pytest.raises(KeyError):
        use(sink)
    assert sink.closed
    assert rows(Folder(tmp_path)) == []


def test_close_without_flush(tmp_path: Path) -> None:
    sink = S3CsvSink(config(tmp_path))
    sink.put([record(0)])
    sink.close(flush=False)
    sink.close()
    assert rows(Folder(tmp_path)) == []
    for call in (sink.flush, lambda: sink.put([])):
        with pytest.raises(FatalError, match="is closed"):
            call()


def test_a_new_sink_goes_on(tmp_path: Path) -> None:
    for end in (10, 25):
        with S3CsvSink(config(tmp_path)) as sink:
            sink.put([record(n) for n in range(end)])
            assert sink.flush() == [("t", 0, end)]
            assert sink.stats["skipped"] == (0 if end == 10 else 10)
    assert rows(Folder(tmp_path)) == ids(0, 25)


def test_another_log_is_refused(tmp_path: Path) -> None:
    with S3CsvSink(config(tmp_path)) as sink:
        sink.put([record(n) for n in range(10)])
    with (
        pytest.raises(FatalError, match="not the one that was landed") as caught,
        S3CsvSink(config(tmp_path)) as sink,
    ):
        sink.put([record(8), ("t", 0, 9, None, b"{}", 5), record(10)])
    assert caught.value.code == "chain"
    with (
        pytest.raises(FatalError, match="cluster"),
        S3CsvSink(config(tmp_path), cluster="other") as sink,
    ):
        sink.put([record(10)])


def test_partitions_and_topics(tmp_path: Path) -> None:
    with S3CsvSink(config(tmp_path, topics="t,u")) as sink:
        sink.put(record(n, topic, p) for n in range(50) for topic in "tu" for p in (0, 3))
        positions = sink.flush()
    assert sorted(positions) == [(t, p, 50) for t in "tu" for p in (0, 3)]
    assert sorted(rows(Folder(tmp_path), "topics/u/")) == sorted(ids(0, 50) * 2)  # type: ignore[type-var]


def test_gaps_and_nulls(tmp_path: Path) -> None:
    with S3CsvSink(config(tmp_path)) as sink:
        sink.put([record(5), ("t", 0, 9, None, None, None), record(12)])
        assert sink.flush() == [("t", 0, 13)]
    (stored,) = Folder(tmp_path).objects("topics/t/")
    assert parse_csv(stored.body.decode()) == [["r5", "5"], [None, None], ["r12", "12"]]


def test_buffers(tmp_path: Path) -> None:
    value = bytearray(b'{"id": "r0"}')
    with S3CsvSink(config(tmp_path)) as sink:
        sink.put([("t", 0, 0, memoryview(b"k"), value, None)])  # type: ignore[list-item]
        value[:] = b"overwritten!"
    assert rows(Folder(tmp_path)) == ["r0"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (5, TypeError),
        ([5], AttributeError),
        ([("t", 0)], TypeError),
        ([("t", 0, 0, "text", b"", 0)], TypeError),
        ([("t", None, 0, b"", b"", 0)], TypeError),
        ([("t", -1, 0, b"", b"", 0)], ValueError),
        ([("t", 2**40, 0, b"", b"", 0)], ValueError),
        ([("", 0, 0, b"", b"", 0)], ValueError),
        ([("x" * 250, 0, 0, b"", b"", 0)], ValueError),
        ([(5, 0, 0, b"", b"", 0)], TypeError),
        ([("t", 0, 2**70, b"", b"", 0)], OverflowError),
    ],
)
def test_records_of_another_type(
    tmp_path: Path, wrong: Any, error: type[Exception]
) -> None:
    with S3CsvSink(config(tmp_path)) as sink:
        with pytest.raises(error):
            sink.put(wrong)
        sink.put([record(0)])
    assert rows(Folder(tmp_path)) == ids(0, 1)


def test_the_callers_iterator_fails(tmp_path: Path) -> None:
    def source() -> Any:
        for n in range(700):
            yield record(n)
        raise KeyError("mine")

    with S3CsvSink(config(tmp_path)) as sink:
        with pytest.raises(KeyError):
            sink.put(source())
        assert sink.flush() == [("t", 0, 500)]
        sink.put(record(n) for n in range(700))
    assert rows(Folder(tmp_path)) == ids(0, 700)


def test_a_bad_record_stops_it(tmp_path: Path) -> None:
    sink = S3CsvSink(config(tmp_path, **{"json__mode": "FAILFAST"}))
    with pytest.raises(FatalError, match="t-0 offset 2") as caught:
        sink.put([record(0), record(1), ("t", 0, 2, None, b"{", 0), record(3)])
    assert caught.value.code == "invalid data"
    with pytest.raises(FatalError, match="t-0 offset 2"):
        sink.put([record(3)])
    assert sink.flush() == [("t", 0, 2)]
    sink.close()
    assert rows(Folder(tmp_path)) == ids(0, 2)


def test_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(penstock.ConfigError) as caught:
        S3CsvSink({"name": "s", "csv.seperator": ";", "value.schema": "id STRIN"})
    text = str(caught.value)
    for part in ("csv.seperator", "topics", "STRIN", "s3.bucket.name"):
        assert part in text
    with pytest.raises(ValueError, match="buffer_memory"):
        S3CsvSink(config(tmp_path), buffer_memory=5)
    with pytest.raises(ValueError, match="spool_max_bytes"):
        S3CsvSink(config(tmp_path), spool_dir=tmp_path, spool_max_bytes=5)
    with pytest.raises(penstock.ConfigError, match=r"spool_dir: no file can be made in "):
        S3CsvSink(config(tmp_path), spool_dir=tmp_path / "none")
    with pytest.raises(TypeError):
        S3CsvSink(config(tmp_path), spool_dir=7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cluster"):
        S3CsvSink(config(tmp_path), cluster="")


@pytest.mark.parametrize("spooled", [True, False])
def test_an_object_larger_than_memory(tmp_path: Path, *, spooled: bool) -> None:
    """With a spool one object, whose first bytes are in a file; else several."""
    text, count = "x" * 8000, 3000
    store, spool = tmp_path / "store", tmp_path / "spool"
    store.mkdir()
    spool.mkdir()
    settings = sink_config("t", "id STRING, text STRING", store.as_uri())
    settings["rotate.schedule.interval.ms"] = "1h"
    with S3CsvSink(
        settings, buffer_memory=8 << 20, spool_dir=spool if spooled else None
    ) as sink:
        for n in range(count):
            value = b'{"id": "r%d", "text": "%s"}' % (n, text.encode())
            sink.put([("t", 0, n, None, value, 1_700_000_000_000)])
        assert (sink.stats["objects"] == 0) == spooled
        assert sink.flush() == [("t", 0, count)]
    found = Folder(store).objects("topics/t/")
    assert (len(found) == 1) == spooled
    body = b"".join(one.body for one in found)
    assert body == b"".join(b"r%d,%s\n" % (n, text.encode()) for n in range(count))
    assert list(spool.iterdir()) == []


def test_secrets_are_masked(tmp_path: Path) -> None:
    settings = {"aws.access.key.id": "AKIA", "aws.secret.access.key": "hunter2"}
    sink = S3CsvSink(config(tmp_path) | settings)
    assert "hunter2" not in repr(sink)
    assert sink.config["aws.secret.access.key"] == "****"
    sink.close()


def test_an_unclosed_sink_warns(tmp_path: Path) -> None:
    sink = S3CsvSink(config(tmp_path))
    sink.put([record(0)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del sink
        gc.collect()
    assert [w.category for w in caught] == [ResourceWarning]


def minio_config(minio: Minio, bucket: str, **more: Any) -> dict[str, Any]:
    """A sink with the S3 server as its store and its credentials as settings."""
    keys = {
        "aws__access__key__id": minio.access_key,
        "aws__secret__access__key": minio.secret_key,
    }
    return sink_config("t", SCHEMA, minio.endpoint, bucket, **keys, **more)


def test_a_real_store(minio: Minio, buckets: BucketFactory) -> None:
    bucket = buckets()
    with S3CsvSink(minio_config(minio, bucket.name)) as sink:
        sink.put(record(n) for n in range(2000))
        assert sink.flush() == [("t", 0, 2000)]
        assert sink.stats["last_object"].endswith("+00000000000000000000.csv")
    assert rows(bucket) == ids(0, 2000)


def test_a_store_that_refuses(minio: Minio, buckets: BucketFactory) -> None:
    wrong_key = minio_config(minio, buckets().name) | {"aws.secret.access.key": "x" * 20}
    for settings, code in (
        (minio_config(minio, "no-such-bucket"), "not found"),
        (wrong_key, "auth"),
    ):
        sink = S3CsvSink(settings)
        with pytest.raises(penstock.PenstockError) as caught:
            sink.put([record(0)])
        assert caught.value.code == code
        sink.close()


def test_a_create_whose_answer_is_lost(
    minio: Minio, buckets: BucketFactory, tmp_path: Path
) -> None:
    """`create` of chain's tools: the repeat finds what the first try made."""
    bucket = buckets()
    with Proxy(tmp_path / "proxy.log") as proxy:
        port = proxy.open("s3", urlsplit(minio.endpoint).port or 0, http=True)
        settings = minio_config(minio, bucket.name)
        settings["store.url"] = f"http://127.0.0.1:{port}"
        store = ObjectStore(settings)
        assert store.create("first", b"mine")
        assert not store.create("first", b"yours")
        for n, kind in enumerate(("answer-lost", "500-done")):
            rule = proxy.rule(["s3"], kind, count=1)
            assert store.create(f"lost/{n}", b"mine")
            assert proxy.hits(rule) == 1
        bucket.put("theirs", b"theirs")
        bucket.put("long", b"x" * (1024 * 1024 + 1))
        for key in ("theirs", "long"):
            proxy.rule(["s3"], "answer-lost", count=1)
            assert not store.create(key, b"mine")
        store.close()
    assert {o.key: o.body for o in bucket.objects("lost/")} == {
        "lost/0": b"mine", "lost/1": b"mine",
    }  # fmt: skip


INTERRUPT = """
    import os, signal, sys, threading, time
    import penstock
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    config = {"name": "s", "topics": "t", "value.schema": "id STRING",
              "store.url": sys.argv[1], "s3.bucket.name": sys.argv[2]}
    sink = penstock.S3CsvSink(config)
    if sys.argv[3] == "flush":
        sink.put([("t", 0, 0, None, b'{"id": "a"}', 0)])
        os.kill(int(sys.argv[4]), signal.SIGSTOP)
    sent = []
    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Timer(0.53, send).start()
    try:
        if sys.argv[3] == "flush":
            sink.flush()
        else:
            sink.put([("t", 0, 0, None, b'{"id": "a"}', 0)])
    except KeyboardInterrupt:
        print(time.monotonic() - sent[0])
    began = time.monotonic()
    sink.close(flush=False)
    print(time.monotonic() - began)
"""


@pytest.mark.parametrize("when", ["put", "flush"])
@pytest.mark.services
def test_interrupt_within_200_ms(when: str) -> None:
    with Minio() as minio:
        name = "interrupt"
        from tests.conftest import s3_client

        s3_client(minio).create_bucket(Bucket=name)

        def measure() -> list[float]:
            """Seconds to the interrupt's handling, and for close()."""
            if when == "put":
                minio.pause()
            pid = str(minio.process.pid)
            env = minio.aws_env()
            out = run_script(INTERRUPT, minio.endpoint, name, when, pid, env=env)
            minio.resume()
            return [float(line) for line in out.split()]

        assert within((0.2, 1.0), measure)


def test_a_fork(tmp_path: Path) -> None:
    out = run_script(
        """
        import gc, os, sys
        import penstock
        config = {"name": "s", "topics": "t", "value.schema": "id STRING",
                  "store.url": sys.argv[1]}
        sink = penstock.S3CsvSink(config)
        sink.put([("t", 0, 0, None, b'{"id": "a"}', 0)])
        pid = os.fork()
        if pid == 0:
            for call in (sink.flush, lambda: sink.put([])):
                try:
                    call()
                except penstock.PenstockError as error:
                    print(error.code, flush=True)
            sink.close()
            del sink
            gc.collect()
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
        print(sink.flush())
        sink.close()
        """,
        tmp_path.as_uri(),
    )
    assert out.splitlines() == ["fork", "fork", "0", "[('t', 0, 1)]"]


def test_one_thread_at_a_time(tmp_path: Path) -> None:
    sink = S3CsvSink(config(tmp_path))
    go = threading.Event()

    def slow() -> Any:
        go.set()
        time.sleep(0.5)
        yield record(0)

    thread = threading.Thread(target=sink.put, args=(slow(),))
    thread.start()
    go.wait(5)
    with pytest.raises(FatalError, match="in use"):
        sink.flush()
    thread.join()
    sink.close()
