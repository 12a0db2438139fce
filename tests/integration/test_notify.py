"""systemd's side of the daemon: what it says on $NOTIFY_SOCKET, and when it is silent."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink, wait_committed
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient

pytestmark = [pytest.mark.timeout(120)]
PTRACE_ATTACH, PTRACE_DETACH, WALL = 16, 17, 0x40000000


class Notified:
    """A socket as systemd's, and what came to it."""

    def __init__(self, address: str) -> None:
        """A path, or an abstract name behind an @."""
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self.seen: list[dict[str, str]] = []
        self._at = 0

    def take(self, seconds: float) -> list[dict[str, str]]:
        """What comes within so many seconds."""
        first, deadline = len(self.seen), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                break
            lines = [line for line in text.split("\n") if line]
            self.seen.append(dict(line.split("=", 1) for line in lines))
        return self.seen[first:]

    def wait(self, name: str, seconds: float = 20) -> dict[str, str]:
        """The next message with that variable, after the one of the last `wait`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for at, message in enumerate(self.seen[self._at :], self._at):
                if name in message:
                    self._at = at + 1
                    return message
            self.take(0.1)
        raise AssertionError(f"no {name} within {seconds} s: {self.seen[self._at :]}")

    def close(self) -> None:
        """Nothing is heard any more."""
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest) -> Iterator[Notified]:
    """Both kinds of address that systemd uses."""
    with tempfile.TemporaryDirectory(prefix="pst-") as folder:
        name = f"@penstock-test-{os.getpid()}-{time.monotonic_ns()}"
        path = f"{folder}/notify"
        made = Notified(path if request.param == "path" else name)
        yield made
        made.close()


def test_it_says_how_it_goes(
    notified: Notified,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    daemon = daemons(
        sink(topic, minio.endpoint, bucket.name),
        worker=FAST_GROUP,
        env={"NOTIFY_SOCKET": notified.address},
    )
    assert notified.wait("READY") == {"READY": "1", "STATUS": "1 connector"}
    fill(client, topic, 50)
    wait_committed(client, topic, 50, daemon=daemon)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 - 1000
    daemon.signal(signal.SIGHUP)
    reloading = notified.wait("RELOADING")
    assert int(reloading["MONOTONIC_USEC"]) >= before
    assert notified.wait("READY") == {"READY": "1", "STATUS": "1 connector"}
    assert not [one for one in notified.seen if "WATCHDOG" in one]  # nobody asked
    assert daemon.term() == 0
    assert "STOPPING" in notified.wait("STOPPING")
    assert [name for one in notified.seen for name in one if name != "STATUS"] == [
        "READY", "RELOADING", "MONOTONIC_USEC", "READY", "STOPPING",
    ]  # fmt: skip


@contextmanager
def hung(pid: int, thread: str) -> Iterator[None]:
    """One thread of a process stands still, the others go on."""
    found = sorted(
        int(task.name)
        for task in Path(f"/proc/{pid}/task").iterdir()
        if (task / "comm").read_text().strip() == thread
    )  # threads that it has made have its name, too, and come after it
    assert found, thread
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(PTRACE_ATTACH, found[0], None, None) == 0, ctypes.get_errno()
    os.waitpid(found[0], WALL)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, found[0], None, None)


def test_a_task_that_hangs_gives_no_sign_of_life(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    notified = Notified(f"@penstock-dog-{os.getpid()}-{time.monotonic_ns()}")
    daemon: Daemon = daemons(
        sink(topic, minio.endpoint, bucket.name),
        worker=FAST_GROUP,
        env={"NOTIFY_SOCKET": notified.address, "WATCHDOG_USEC": "3000000"},
    )
    notified.wait("WATCHDOG")
    daemon.wait_log("going on at offset")
    assert len([one for one in notified.take(4) if "WATCHDOG" in one]) >= 3
    with hung(daemon.pid, "pst-task"):
        notified.take(6)
        assert not [one for one in notified.take(5) if "WATCHDOG" in one]
        assert f"task sink-{topic}-0 has been in one call for" in daemon.log
    later = [one for one in notified.take(4) if "WATCHDOG" in one]
    assert len(later) >= 2  # it is back
    assert daemon.term() == 0
    notified.close()


def test_another_process_s_watchdog(daemons: DaemonFactory, tmp_path: Path) -> None:
    notified = Notified(f"@penstock-other-{os.getpid()}-{time.monotonic_ns()}")
    daemon = daemons(
        worker={"config.storage.dir": tmp_path / "stored"},
        env={
            "NOTIFY_SOCKET": notified.address,
            "WATCHDOG_USEC": "300000",
            "WATCHDOG_PID": "1",
        },
    )
    notified.wait("READY")
    assert not [one for one in notified.take(1.5) if "WATCHDOG" in one]
    assert daemon.term() == 0
    notified.close()
