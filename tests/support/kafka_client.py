"""Topics, records and offsets through confluent-kafka and its own librdkafka."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

Value = bytes | str | Mapping[str, Any] | None
Headers = Sequence[tuple[str, bytes | None]]
TIMEOUT = 30.0


def to_bytes(value: Value) -> bytes | None:
    """Bytes as they are, text as UTF-8, a mapping as JSON, None as a tombstone."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Msg:
    """A record to write. `partition` None = by key; `timestamp` (ms) None = now."""

    value: Value
    key: Value = None
    partition: int | None = None
    timestamp: int | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the log has it; `timestamp` in ms since the epoch."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _record(message: Message, sent: Headers | None = None) -> Record:
    """A message as a record; a delivery report has no headers, so `sent` gives them."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    pairs: Any = message.headers() or () if sent is None else sent
    headers = tuple((name, _as_bytes(value)) for name, value in pairs)
    return Record(
        partition,
        offset,
        message.timestamp()[1],
        _as_bytes(message.key()),
        _as_bytes(message.value()),
        headers,
    )


def _metadata(top: TopicPartition) -> str:
    """The metadata string; confluent-kafka reads beyond its end at times."""
    try:
        return top.metadata or ""
    except UnicodeDecodeError as error:
        return error.object[: error.start].decode()


class KafkaClient:
    """A broker's topics from outside. Every call is bounded by 30 s."""

    def __init__(self, bootstrap: str) -> None:
        """`bootstrap` is `host:port`; connections are made when needed."""
        self.bootstrap = bootstrap
        self._base: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(dict(self._base))

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Create a topic, wait until its metadata is there, return its name."""
        new = NewTopic(name, partitions, 1, config=dict(config or {}))
        self.admin.create_topics([new])[name].result(TIMEOUT)
        self.wait_topic(name, partitions)
        return name

    def wait_topic(self, name: str, partitions: int) -> None:
        """Wait until `name` has `partitions` partitions with a leader."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            topic = self.admin.list_topics(name, timeout=TIMEOUT).topics[name]
            ready = [p for p in topic.partitions.values() if p.leader >= 0]
            if topic.error is None and len(ready) == partitions:
                return
            time.sleep(0.05)
        raise TimeoutError(f"topic {name} has no {partitions} partitions")

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the broker has forgotten it."""
        self.admin.delete_topics([name])[name].result(TIMEOUT)
        deadline = time.monotonic() + TIMEOUT
        while name in self.admin.list_topics(timeout=TIMEOUT).topics:
            if time.monotonic() > deadline:
                raise TimeoutError(f"topic {name} is still there")
            time.sleep(0.05)

    def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to `total` partitions."""
        self.admin.create_partitions([NewPartitions(name, total)])[name].result(TIMEOUT)
        self.wait_topic(name, total)

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        """Delete the records below an offset per partition, as retention does."""
        tops = [TopicPartition(name, p, offset) for p, offset in before.items()]
        for future in self.admin.delete_records(tops).values():
            future.result(TIMEOUT)

    def partitions(self, name: str) -> list[int]:
        """The partition numbers of a topic. Raises KafkaException when there is none."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            topic = self.admin.list_topics(name, timeout=TIMEOUT).topics[name]
            if topic.error is not None:
                raise KafkaException(topic.error)
            # A topic made a moment ago may be told of before its partitions are.
            if topic.partitions:
                return sorted(topic.partitions)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} has no partitions")
            time.sleep(0.05)

    def produce(
        self,
        topic: str,
        records: Iterable[Msg | Value],
        *,
        transaction: bool = False,
        abort: bool = False,
    ) -> list[Record]:
        """Write records (acks=all, idempotent), in order; as the log has them.

        With `transaction` they are one transaction, aborted when `abort`. Raises
        KafkaException when a record was not written.
        """
        producer = self._producer(transaction or abort)
        if transaction or abort:
            producer.begin_transaction()
        written: list[Record] = []
        failed: list[KafkaError] = []

        def done(msg: Msg, error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)
            else:
                written.append(_record(message, msg.headers))

        for number, record in enumerate(records):
            if number % 1000 == 0:
                producer.poll(0)
            msg = record if isinstance(record, Msg) else Msg(record)
            self._send(producer, topic, msg, partial(done, msg))
        producer.flush(TIMEOUT)
        if abort:
            producer.abort_transaction(TIMEOUT)
        elif transaction:
            producer.commit_transaction(TIMEOUT)
        if failed:
            raise KafkaException(failed[0])
        return written

    def _producer(self, transaction: bool) -> Producer:
        config: dict[str, Any] = {
            **self._base,
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
        }
        if transaction:
            config["transactional.id"] = f"test-{uuid.uuid4()}"
        producer = Producer(config)
        if transaction:
            producer.init_transactions(TIMEOUT)
        return producer

    @staticmethod
    def _send(producer: Producer, topic: str, msg: Msg, done: Any) -> None:
        where: dict[str, Any] = {}
        if msg.partition is not None:
            where["partition"] = msg.partition
        if msg.timestamp is not None:
            where["timestamp"] = msg.timestamp
        value, key = to_bytes(msg.value), to_bytes(msg.key)
        headers: Any = list(msg.headers)
        while True:
            try:
                producer.produce(
                    topic, value, key, on_delivery=done, headers=headers, **where
                )
                return
            except BufferError:
                producer.poll(0.1)

    def _consumer(self, group: str, isolation: str = "read_committed") -> Consumer:
        return Consumer(
            {
                **self._base,
                "fetch.wait.max.ms": 20,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": isolation,
            }
        )

    def read_all(self, topic: str, isolation: str = "read_committed") -> list[Record]:
        """Every record of a topic up to its end, sorted by partition and offset.

        Raises TimeoutError when nothing has come for TIMEOUT seconds.
        """
        left = set(self.partitions(topic))
        consumer = self._consumer(f"reader-{uuid.uuid4()}", isolation)
        records: list[Record] = []
        deadline = time.monotonic() + TIMEOUT
        try:
            consumer.assign([TopicPartition(topic, p, -2) for p in left])
            while left:
                messages = consumer.consume(10_000, 0.2)
                for message in messages:
                    self._take(message, records, left)
                if messages:
                    deadline = time.monotonic() + TIMEOUT
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"no end of {topic} partitions {sorted(left)}")
        finally:
            consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    @staticmethod
    def _take(message: Message, records: list[Record], left: set[int]) -> None:
        error = message.error()
        if error is None:
            records.append(_record(message))
        elif error.code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition() or 0)
        else:
            raise KafkaException(error)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The high watermark per partition."""
        return {p: high for p, (_, high) in self.watermarks(topic).items()}

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """(low, high) watermark per partition, asked of the broker."""
        consumer = self._consumer(f"reader-{uuid.uuid4()}")
        try:
            marks = {}
            for p in self.partitions(topic):
                top = TopicPartition(topic, p)
                marks[p] = consumer.get_watermark_offsets(top, timeout=TIMEOUT)
            return marks
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, tuple[int, str]]:
        """(offset, metadata string) per partition that the group has committed."""
        tops = [TopicPartition(topic, p) for p in self.partitions(topic)]
        consumer = self._consumer(group)
        try:
            answers = consumer.committed(tops, timeout=TIMEOUT)
        finally:
            consumer.close()
        return {t.partition: (t.offset, _metadata(t)) for t in answers if t.offset >= 0}

    def set_committed(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Set an empty group's offsets, as a reset tool does (no metadata string)."""
        tops = [TopicPartition(topic, p, offset) for p, offset in offsets.items()]
        request = ConsumerGroupTopicPartitions(group, tops)
        self.admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT)
