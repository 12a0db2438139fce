"""The proxy does what its rules say, and counts it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chaos.proxy import Proxy

BODY = b"x" * 5000


class _Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.puts: list[int] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Upstream

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.puts.append(len(data))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def upstream() -> Iterator[_Upstream]:
    """A server that takes PUTs and keeps their sizes."""
    with _Upstream() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy process without links."""
    with Proxy(tmp_path / "log") as process:
        yield process


def send(connection: http.client.HTTPConnection, key: str = "/key") -> tuple[int, bytes]:
    """One PUT: status and body."""
    connection.request("PUT", key, BODY)
    answer = connection.getresponse()
    return answer.status, answer.read()


def put(port: int, timeout: float = 5.0, key: str = "/key") -> tuple[int, bytes]:
    """One PUT on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        return send(connection, key)
    finally:
        connection.close()


def test_without_rules_it_forwards(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    assert put(port) == (200, b"")
    assert upstream.puts == [len(BODY)]


@pytest.mark.parametrize(
    ("kind", "status", "arrives"),
    [
        ("503", 503, False),
        ("500", 500, False),
        ("500-done", 500, True),
        ("409", 409, False),
        ("403", 403, False),
        ("200-error", 200, False),
        ("200-error-done", 200, True),
    ],
)
def test_answers_are_replaced(
    kind: str, status: int, arrives: bool, proxy: Proxy, upstream: _Upstream
) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    rule = proxy.rule(["a"], kind, count=1)
    said, body = put(port)
    assert said == status
    assert b"<Error><Code>" in body
    assert bool(upstream.puts) == arrives
    assert proxy.hits(rule) == 1
    assert put(port) == (200, b"")
    assert proxy.hits(rule) == 1


@pytest.mark.parametrize(
    ("kind", "arrives"),
    [("reset-before", False), ("cut", False), ("answer-lost", True), ("refuse", False)],
)
def test_connections_break(
    kind: str, arrives: bool, proxy: Proxy, upstream: _Upstream
) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    rule = proxy.rule(["a"], kind, seconds=1.0, count=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        put(port)
    assert bool(upstream.puts) == arrives
    assert proxy.hits(rule) == 1
    time.sleep(1.1)
    assert put(port) == (200, b"")


def test_half_open_never_answers(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    rule = proxy.rule(["a"], "half-open", seconds=3.0)
    with pytest.raises(TimeoutError):
        put(port, timeout=0.5)
    assert not upstream.puts
    assert proxy.hits(rule) == 1


def test_latency_and_bandwidth_slow_it_down(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    for kind, arg in (("latency", 0.3), ("bandwidth", 10000.0)):
        rule = proxy.rule(["a"], kind, seconds=5.0, arg=arg)
        began = time.monotonic()
        assert put(port) == (200, b"")
        assert time.monotonic() - began > 0.25
        assert proxy.hits(rule) > 0
        proxy.clear()


def test_what_is_held_goes_on_when_released(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    rule = proxy.rule(["a"], "hold", count=1)
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(put(port)))
    client.start()
    assert proxy.wait_hit(rule, 5)
    assert not upstream.puts
    proxy.release(rule)
    client.join(5)
    assert answers == [(200, b"")]
    assert upstream.puts == [len(BODY)]


def test_a_rule_for_data_lets_the_rest_pass(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=True)
    rule = proxy.rule(["a"], "500", count=1, data=True, skip=1)
    keys = (
        "/b/t/_penstock/u/0/1.json",
        "/b/t/u/a.csv",
        "/b/t/_penstock/x",
        "/b/t/u/b.csv",
    )
    assert [put(port, key=key)[0] for key in keys] == [200, 200, 200, 500]
    assert proxy.hits(rule) == 1
    assert put(port)[0] == 200


def test_a_tcp_link_forwards_and_resets(proxy: Proxy, upstream: _Upstream) -> None:
    port = proxy.open("a", upstream.server_address[1], http=False)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    assert send(connection) == (200, b"")
    rule = proxy.rule(["a"], "reset", seconds=0.0)
    assert proxy.hits(rule) == 1
    with pytest.raises((OSError, http.client.HTTPException)):
        send(connection)
    connection.close()
