"""A thousand partitions in one daemon: memory, files, an idle core, a quick start."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.chaos.proxy import Proxy
from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import fill, sink, until, wait_committed
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient

MIB = 1024 * 1024
PARTITIONS, EACH = 1000, 60
MEMORY = 32 * MIB
# docs/scaling.md: what the process takes beyond buffer.memory, and for a partition.
BEYOND, A_PARTITION = 32 * MIB, 8 * 1024
GOING = re.compile(r"going on at offset")
LANDED = re.compile(
    r"landed \S+/partition=(\d+)/\S+: (\d+) rows, .* (\d+) bytes$", re.MULTILINE
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def opened(daemon: Daemon) -> int:
    """How many partitions it has opened."""
    return len(GOING.findall(daemon.log))


def processor(daemon: Daemon) -> float:
    """Seconds of processor time that it has used."""
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def produce(bootstrap: str, topic: str) -> None:
    """EACH records of some 400 bytes for each partition, a partition at a time."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    text = "x" * 370
    for partition in range(PARTITIONS):
        for number in range(EACH):
            value = f'{{"id":"r{partition}-{number}","n":{number},"text":"{text}"}}'
            producer.produce(topic, value, partition=partition)
        producer.poll(0)
    assert producer.flush(60) == 0


def test_a_thousand_partitions(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(PARTITIONS), buckets()
    produce(client.bootstrap, topic)
    interval = {"rotate__schedule__interval__ms": 5000}
    config = sink(topic, minio.endpoint, bucket.name, **interval)
    daemon = daemons(config, worker={"buffer.memory": MEMORY})
    until(lambda: opened(daemon) >= PARTITIONS, "all partitions open", 90)
    wait_committed(client, topic, PARTITIONS * EACH, timeout=60, daemon=daemon)

    began, used = time.monotonic(), processor(daemon)
    time.sleep(4)
    share = (processor(daemon) - used) / (time.monotonic() - began)
    peak = daemon.peak_rss()
    assert daemon.term() == 0

    rows, sizes = [0] * PARTITIONS, []
    for partition, count, size in LANDED.findall(daemon.log):
        rows[int(partition)] += int(count)
        sizes.append(int(size))
    print(
        f"peak {peak / MIB:.1f} MiB; idle {100 * share:.1f} % of a core; "
        f"{len(sizes)} objects, the median has {sorted(sizes)[len(sizes) // 2]} bytes"
    )
    assert peak <= MEMORY + BEYOND + PARTITIONS * A_PARTITION
    assert share < 0.05
    assert rows == [EACH] * PARTITIONS
    # A partition's records fit one window; two where it began within an interval's end.
    assert len(sizes) < 2 * PARTITIONS


def test_partitions_are_opened_at_once(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """With a store that takes its time: far from one partition after the other."""
    partitions, latency = 200, 0.05
    topic, bucket = topics(partitions), buckets()
    fill(client, topic, partitions, partitions)
    with Proxy(tmp_path / "proxy.log") as proxy:
        link = f"http://127.0.0.1:{proxy.open('s3', minio.port, http=True)}"
        daemon = daemons(sink(topic, link, bucket.name))
        wait_committed(client, topic, partitions, timeout=60, daemon=daemon)
        assert daemon.term() == 0
        proxy.rule(["s3"], "latency", arg=latency)
        before = opened(daemon)
        daemon.start()
        daemon.wait_log(r"assigned by group(.*\n)*.*assigned by group", 60)
        began = time.monotonic()
        until(lambda: opened(daemon) >= before + partitions, "all partitions open", 90)
        took = time.monotonic() - began
        assert daemon.term() == 0
    # Root, listing and the last object's HEAD, each at least `latency`.
    one_by_one = 3 * latency * partitions
    print(f"opened in {took:.1f} s; one after the other: {one_by_one:.0f} s at least")
    assert took < one_by_one / 4
