"""What must stop the daemons, instead of being lived through.

A rewind of the group, and a topic that is another one under its old name: going on
would double or lose records, so every task fails with a text that says what to do.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.chaos.stack import GROUP, TOPIC, Shape, Stack, reset_offsets
from tests.chaos.zombie import PATIENCE, produce, wait_committed
from tests.support import Audit, Daemon, KafkaClient


def _ends(daemon: Daemon, word: str) -> None:
    """It has to end with status 1 and to say why."""
    assert daemon.wait(PATIENCE) == 1, daemon.log
    assert word in daemon.log, daemon.log


def _data(stack: Stack) -> dict[str, bytes]:
    objects = stack.store().objects("topics/")
    return {stored.key: stored.body for stored in objects}


def rewind(folder: Path, store: str = "s3") -> None:
    """A tool sets the group back into what has landed."""
    shape = Shape(store=store, daemons=2, partitions=1)
    with Stack(folder, shape) as stack:
        client = stack.client
        produce(client, 0, 1000)
        for daemon in stack.daemons:
            daemon.start()
        wait_committed(client, 1000)
        assert [daemon.term() for daemon in stack.daemons] == [0, 0]
        before = _data(stack)
        reset_offsets(client, {0: 200})
        daemon = stack.daemons[0].start()
        _ends(daemon, "reading them again would double records")
        assert _data(stack) == before
        # One of the ways out that it names.
        reset_offsets(client, {0: 1000})
        produce(client, 1000, 100)
        daemon.start()
        wait_committed(client, 1100)
        assert daemon.term() == 0
        Audit(TOPIC, stack.store(), client, group=GROUP).run()


def _another_topic(client: KafkaClient, count: int) -> None:
    """The topic is deleted, and there is another one of its name."""
    client.admin.delete_topics([TOPIC])[TOPIC].result(PATIENCE)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client.create_topic(TOPIC, 1)
            break
        except Exception:
            assert time.monotonic() < end, "the topic was not made anew"
            time.sleep(0.02)
    produce(client, 5000, count)


def recreated(folder: Path, count: int, *, running: bool, store: str = "s3") -> None:
    """The topic is made anew with `count` records; a daemon runs meanwhile, or starts."""
    shape = Shape(store=store, daemons=1, partitions=1)
    with Stack(folder, shape) as stack:
        client, daemon = stack.client, stack.daemons[0]
        produce(client, 0, 1000)
        daemon.start()
        wait_committed(client, 1000)
        before = _data(stack)
        if not running:
            assert daemon.term() == 0
        _another_topic(client, count)
        if not running:
            daemon.start()
        _ends(daemon, "the topic was made anew")
        assert _data(stack) == before


def wrong_clock(folder: Path, hours: int) -> None:
    """A daemon starts on a machine whose clock is off: it goes by the store's."""
    shape = Shape(daemons=1, partitions=1, fake_clock=True)
    with Stack(folder, shape) as stack:
        stack.set_clock(hours * 3600)
        produce(stack.client, 0, 500)
        daemon = stack.daemons[0].start()
        wait_committed(stack.client, 500)
        assert daemon.term() == 0, daemon.log
        assert Audit(TOPIC, stack.store(), stack.client, group=GROUP).run().records == 500
