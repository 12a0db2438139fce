"""What the tests of the landing daemon share: records, waits, a producer at work.

Records are JSON with a distinct `id`, so that the audit knows each again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException

from tests.support import Daemon, KafkaClient, Msg, Record, sink_config
from tests.support.stores import Store

SCHEMA = "id STRING, n BIGINT, text STRING"
FAST_GROUP = {"consumer.session.timeout.ms": 3000, "consumer.heartbeat.interval.ms": 500}
FAST_START = {**FAST_GROUP, "startup.timeout.ms": 1500}
# The coordinator of a group that was never used takes a moment; so does a loaded machine.
PATIENCE = 45.0


def record(number: int, size: int = 60) -> Msg:
    """A record of about `size` bytes of text whose id is `r<number>`."""
    value = {"id": f"r{number}", "n": number, "text": f"{'x' * size}, {number}"}
    return Msg(json.dumps(value), key=f"r{number}")


def fill(
    client: KafkaClient,
    topic: str,
    count: int,
    partitions: int = 1,
    first: int = 0,
    size: int = 60,
) -> list[Record]:
    """`count` records, in turn over the partitions, ids from `r<first>` on."""
    return client.produce(
        topic,
        (
            Msg(m.value, m.key, partition=i % partitions)
            for i in range(first, first + count)
            for m in (record(i, size),)
        ),
    )


def sink(topic: str, url: str, bucket: str | None, **more: Any) -> dict[str, Any]:
    """A sink of `SCHEMA` records with short retries; `more` as in `sink_config`."""
    quick = {"s3__retry__backoff__ms": 100, "rotate__schedule__interval__ms": 500}
    return sink_config(topic, SCHEMA, url, bucket, **{**quick, **more})


def group_of(topic: str) -> str:
    """The consumer group of `sink(topic, …)`."""
    return f"connect-sink-{topic}"


def committed(client: KafkaClient, topic: str, group: str | None = None) -> int:
    """The sum of the offsets that the group has committed; 0 while Kafka cannot say."""
    try:
        offsets = client.committed(group or group_of(topic), topic)
    except KafkaException:
        return 0  # a group's coordinator moves in when the group is first asked for
    return sum(max(offset, 0) for offset, _ in offsets.values())


def until(true: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
    """Poll until `true()`. Raises AssertionError that names `what`."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"{timeout:g} s passed without {what}"
        time.sleep(0.1)


def wait_committed(
    client: KafkaClient,
    topic: str,
    count: int,
    group: str | None = None,
    timeout: float = PATIENCE,
    daemon: Daemon | None = None,
) -> None:
    """Until the group has committed `count` offsets in all."""

    def enough() -> bool:
        assert daemon is None or daemon.alive(), daemon.log if daemon else ""
        return committed(client, topic, group) >= count

    until(enough, f"{count} commits", timeout)


def data_keys(store: Store) -> list[str]:
    """The keys of all data objects."""
    return [key for key in store.keys("") if "_penstock/" not in key]


def snapshot(store: Store) -> dict[str, bytes]:
    """Everything in the store but the probe: to see that nothing has changed."""
    return {
        stored.key: stored.body
        for stored in store.objects()
        if not stored.key.endswith("_penstock/probe")
    }


class Load:
    """A producer that goes on until it is stopped; `records` are those written."""

    def __init__(
        self, client: KafkaClient, topic: str, partitions: int, first: int
    ) -> None:
        """Nothing is produced before `load` runs it."""
        self.records: list[Record] = []
        self._first = first
        self._client, self._topic, self._partitions = client, topic, partitions
        self._stop = threading.Event()
        self._failed: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                first = self._first + len(self.records)
                self.records += fill(
                    self._client, self._topic, 500, self._partitions, first
                )
        except Exception as error:
            self._failed = error

    def wait(self, count: int) -> None:
        """Until so many records are written."""
        until(lambda: len(self.records) >= count, f"{count} records")

    def stop(self) -> list[Record]:
        """End the producing; all records written. Raises what went wrong there."""
        self._stop.set()
        self.thread.join(PATIENCE)
        if self._failed is not None:
            raise self._failed
        return self.records


@contextmanager
def load(
    client: KafkaClient, topic: str, partitions: int = 1, first: int = 0
) -> Iterator[Load]:
    """Produce in the background for as long as the block runs, ids from `r<first>` on."""
    producing = Load(client, topic, partitions, first)
    producing.thread.start()
    try:
        yield producing
    finally:
        producing.stop()
