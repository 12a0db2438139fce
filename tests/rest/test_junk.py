"""Junk: slow, huge, malformed, half-open. Memory stays flat, records go on landing."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, load, sink, wait_committed
from tests.rest.client import Rest, serving
from tests.rest.test_access import lone
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, audit


def rss(daemon: Daemon) -> int:
    """Resident memory now, in bytes."""
    pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1])
    return pages * 4096


def junk(port: int, data: bytes, read: bool = True) -> socket.socket:
    """A connection that has sent these bytes."""
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    with contextlib.suppress(OSError):
        s.sendall(data)
        if read:
            s.settimeout(0.05)  # some get an answer, some are waited for, some closed
            s.recv(1000)
    if read:
        s.close()
    return s


HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
PUT = b"PUT /admin/loggers/root" + HOST
MALFORMED = [
    b"\x00\xff\x16\x03\x01" * 20,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET " + b"/a" * 20000 + HOST + b"\r\n",
    b"GET /connectors" + HOST + b"X: " + b"y" * 60000 + b"\r\n\r\n",
    b"GET /connectors/%zz" + HOST + b"Connection: close\r\n\r\n",
    b"GET /?" + b"&".join(b"a=b" for _ in range(900)) + HOST + b"\r\n",
    PUT + b"Content-Length: 99999999\r\n\r\n",
    PUT + b"Content-Length: -5\r\n\r\n",
    PUT + b"Connection: close\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200000,
    PUT + b"Transfer-Encoding: chunked\r\n\r\n80000\r\n" + b"x" * 0x80000,
]


@pytest.mark.timeout(240)
def test_thousands_of_bad_requests_leave_memory_flat(tmp_path: Path) -> None:
    with lone(tmp_path, listeners="http://127.0.0.1:0") as daemon:
        rest: Rest = serving(daemon)
        port = int(rest.base.rsplit(":", 1)[1])

        def round_of(times: int) -> None:
            for number in range(times):
                junk(port, MALFORMED[number % len(MALFORMED)])
            open_ = [
                junk(port, b"GET /connectors HTTP/1.1\r\nHo", read=False)
                for _ in range(times)
            ]
            # Half-open ones keep nobody out.
            assert rest("GET", "/connectors").json == ["sink-t"]
            for s in open_:
                s.close()

        round_of(250)
        before = rss(daemon)
        for _ in range(4):
            round_of(250)
        grown = rss(daemon) - before
        assert grown < 1024 * 1024, f"{grown} bytes more after 2,000 bad requests"
        assert rest("GET", "/health").status == 200
        assert daemon.term() == 0


class Pest(threading.Thread):
    """Sends junk until it has sent `times` of it; a quarter of it stays half open."""

    def __init__(self, port: int, times: int) -> None:
        super().__init__(daemon=True)
        self.port, self.times, self.sent = port, times, 0

    def run(self) -> None:
        """All of it."""
        open_: list[socket.socket] = []
        for number in range(self.times):
            with contextlib.suppress(OSError):
                if number % 4:
                    junk(self.port, MALFORMED[number % len(MALFORMED)])
                else:
                    half = b"GET /connectors HTTP/1.1\r\nHo"
                    open_.append(junk(self.port, half, read=False))
            self.sent += 1
            while len(open_) > 32:
                open_.pop(0).close()
        for one in open_:
            one.close()


@pytest.mark.timeout(240)
def test_records_land_whatever_the_port_is_sent(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """All records, each once; as much memory as buffer.memory and the program allow."""
    topic, bucket = topics(4), buckets()
    worker = {**FAST_GROUP, "listeners": "http://127.0.0.1:0", "buffer.memory": "8m"}
    daemon = daemons(sink(topic, minio.endpoint, bucket.name), worker=worker)
    rest = serving(daemon)
    port = int(rest.base.rsplit(":", 1)[1])
    with load(client, topic, 4) as producing:
        producing.wait(2000)
        wait_committed(client, topic, 1000, daemon=daemon)
        pests = [Pest(port, 400) for _ in range(4)]
        for pest in pests:
            pest.start()
        states: set[str] = set()
        while any(pest.is_alive() for pest in pests):
            states.update(rest.states(f"sink-{topic}"))
        for pest in pests:
            pest.join()
        assert states == {"RUNNING"}
        assert sum(pest.sent for pest in pests) == 1600
        records = producing.stop()
    wait_committed(client, topic, len(records), daemon=daemon)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 48 * 1024, f"{peak} KiB"
    assert daemon.term() == 0
    audit(topic, bucket, client, records=records, group=f"connect-sink-{topic}")
