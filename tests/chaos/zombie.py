"""The zombie: a daemon that sleeps with a PUT in flight while another one takes over.

The proxy holds the sleeper's PUT until the other daemon has landed the same position,
and more, and the group has gone on; then the PUT reaches the store, and the sleeper
wakes. Only a conditional create keeps it from destroying what is there.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.chaos.stack import GROUP, SESSION_MS, TOPIC, Shape, Stack, patiently, program
from tests.support import Audit, KafkaClient, Report

PATIENCE = 60.0


def produce(client: KafkaClient, first: int, count: int) -> None:
    """Records `r<first>` and on, into partition 0."""
    client.produce(TOPIC, [{"id": f"r{first + i}", "n": first + i} for i in range(count)])


def wait_committed(client: KafkaClient, count: int) -> None:
    """Until the group has committed so many offsets in all."""
    end = time.monotonic() + PATIENCE
    while True:
        committed = patiently(lambda: client.committed(GROUP, TOPIC))
        if sum(offset for offset, _ in committed.values()) >= count:
            return
        assert time.monotonic() < end, f"{committed} committed, not {count}"
        time.sleep(0.1)


def run(folder: Path, daemon: Path | None = None) -> Report:
    """Play it. Raises AuditError when records are lost or doubled."""
    with program(daemon), Stack(folder, Shape(daemons=2, partitions=1)) as stack:
        client, (sleeper, other) = stack.client, stack.daemons
        produce(client, 0, 500)
        sleeper.start()
        wait_committed(client, 500)
        held = stack.proxy.rule(stack.links(0, "s3"), "hold", count=1)
        produce(client, 500, 100)
        assert stack.proxy.wait_hit(held, PATIENCE), "the sleeper put nothing"
        sleeper.pause()
        produce(client, 600, 200)
        other.start()
        wait_committed(client, 800)
        produce(client, 800, 100)
        wait_committed(client, 900)
        stack.proxy.release(held)
        time.sleep(1.0)
        sleeper.resume()
        produce(client, 900, 100)
        wait_committed(client, 1000)
        time.sleep(SESSION_MS / 1000)
        assert (sleeper.term(), other.term()) == (0, 0)
        return Audit(
            TOPIC, stack.store(), client, group=GROUP, cluster=stack.kafka.cluster_id
        ).run()
