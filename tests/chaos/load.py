"""The producer of the bench: uniquely numbered records at a bounded rate, all the time.

Most go out plainly (idempotent, acks=all); every second or so some go out in a
transaction, of which a third is aborted; one in a hundred is a tombstone. The topic is
the truth of what was written: a transaction whose outcome is unknown is either in it or
not.
"""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tests.chaos.layouts import PLAIN, Layout

TICK = 0.05
STUCK_SECONDS = 12.0
TEXTS = ("plain", "a, comma", 'a "quote"', "two\nlines", "käse ☃", "back\\slash", "")


class Load:
    """Produces from two threads between `start` and `stop`."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        rate: int,
        seed: int,
        layout: Layout = PLAIN,
    ) -> None:
        """`rate` records a second over all partitions, with what a layout goes by."""
        self._layout = layout
        self.partitions = partitions
        self.delivered = self.failed = self.aborted = self.replaced = 0
        self._bootstrap, self._topic, self._rate = bootstrap, topic, rate
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._burst = 0
        self._threads = [
            threading.Thread(target=self._guard, args=(body,), daemon=True)
            for body in (self._plain, self._transactions)
        ]
        self.error: BaseException | None = None

    def start(self) -> Load:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End, when everything is acknowledged (bounded). Raises what went wrong."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(90)
        if self.error is not None:
            raise self.error

    def burst(self, records: int) -> None:
        """So many large records at once, on top of the rate."""
        self._burst += records

    def _guard(self, body: Any) -> None:
        try:
            body()
        except BaseException as error:
            self.error = error

    def _next(self, size: int = 0) -> tuple[int, str | None, str, int]:
        """Partition, value (None = tombstone), key, time; each number once."""
        with self._lock:
            self._number += 1
            number = self._number
            partition = self._chance.randrange(self.partitions)
        key, at = f"k{number}", self._layout.timestamp(number)
        if number % 100 == 0:
            return partition, None, key, at
        text = f"{TEXTS[number % len(TEXTS)]} {'x' * (size + number % 50)}"
        value = {"id": f"r{number}", "n": number, "text": text}
        value |= self._layout.fields(number)
        return partition, json.dumps(value, ensure_ascii=number % 2 == 0), key, at

    def _producer(self, **more: Any) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "linger.ms": 10,
                "message.timeout.ms": 600000 if not more else 20000,
                "topic.metadata.refresh.interval.ms": 1000,
                "reconnect.backoff.max.ms": 500,
                "socket.timeout.ms": 10000,
                "log_level": 0,
                **more,
            }
        )

    def _done(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1

    def _send(self, producer: Producer, size: int = 0) -> None:
        partition, value, key, at = self._next(size)
        try:
            producer.produce(
                self._topic,
                value,
                key,
                partition=partition,
                timestamp=at,
                on_delivery=self._done,
            )
        except BufferError:
            producer.poll(0.1)  # the broker is down: this number stays unused
        except KafkaException as error:
            # A new partition that this producer has not heard of yet.
            if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                raise

    def _plain(self) -> None:
        producer = self._producer()
        began, sent = time.monotonic(), 0
        moved, before = began, 0
        while not self._stopping.is_set():
            now = time.monotonic()
            due = int((now - began) * self._rate)
            for _ in range(min(due - sent, self._rate)):
                self._send(producer)
            sent = due
            burst, self._burst = self._burst, 0
            for _ in range(burst):
                self._send(producer, 700)
            producer.poll(TICK)
            if self.delivered != before:
                moved, before = now, self.delivered
            elif now - moved > STUCK_SECONDS:
                moved, producer = now, self._replace(producer)
            self._stopping.wait(TICK)
        producer.flush(30)
        producer.purge()

    def _replace(self, producer: Producer) -> Producer:
        """Another producer for one that gets nowhere; what it had may be in the log."""
        producer.purge()
        producer.poll(0)
        self.replaced += 1
        return self._producer()

    def _transactions(self) -> None:
        chance = random.Random(self._number)
        producer: Producer | None = None
        while not self._stopping.wait(chance.uniform(0.5, 1.5)):
            try:
                if producer is None:
                    producer = self._producer(
                        **{"transactional.id": "chaos", "transaction.timeout.ms": 10000}
                    )
                    producer.init_transactions(20)
                self._transaction(producer, abort=chance.random() < 1 / 3)
            except KafkaException:
                producer = None  # a new one fences it and aborts what it has begun
        del producer

    def _transaction(self, producer: Producer, *, abort: bool) -> None:
        producer.begin_transaction()
        for _ in range(20):
            self._send(producer)
        producer.flush(10)
        if abort:
            producer.abort_transaction(10)
            self.aborted += 1
        else:
            producer.commit_transaction(10)
