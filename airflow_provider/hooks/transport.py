"""HTTP that ends in time: httpcore with one deadline over all waits of an exchange.

The time-outs of HTTP clients are those of each single wait: a server that sends a byte
now and then holds such a client for as long as it likes. Here connecting, TLS, writing
and reading share what is left until the deadline. Only the look-up of the host's name has
no other bound than the resolver's. Imported by `Daemon`, not with a DAG file.
"""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore

PIECE_BYTES = 16 * 1024
_Headers = dict[bytes | str, bytes | str]


class Late(Exception):
    """The deadline has passed."""


class Failed(Exception):
    """No answer: refused, unknown host, cut off, no HTTP."""


class TooLong(Exception):
    """The answer is longer than it may be."""


class _Deadline:
    """What is left; one for a client, set anew for each exchange."""

    until = 0.0

    def left(self) -> float:
        """Seconds, above 0. Raises Late."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise Late
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), PIECE_BYTES):
            self._inner.write(buffer[at : at + PIECE_BYTES], self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left()
        inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to the host's addresses in turn, each with its share of the time."""

    def __init__(self, deadline: _Deadline) -> None:
        self._inner, self._deadline = httpcore.SyncBackend(), deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = [str(row[4][0]) for row in found]
        for at, address in enumerate(addresses):
            share = self._deadline.left() / (len(addresses) - at)
            try:
                inner = self._inner.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == addresses[-1]:
                    raise
            else:
                return _Stream(inner, self._deadline)
        raise httpcore.ConnectError("no address")


class Client:
    """One server, one connection, one thread. Redirects and proxies are not followed."""

    def __init__(
        self, *, auth: tuple[str, str] | None, tls: bool, ca_file: str | None
    ) -> None:
        """Nothing is asked yet. Raises OSError for a CA file that cannot be read."""
        self._deadline = _Deadline()
        self._headers: _Headers = {"Accept": "application/json", "User-Agent": "penstock"}
        if auth:
            word = base64.b64encode(":".join(auth).encode()).decode()
            self._headers["Authorization"] = f"Basic {word}"
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(cafile=ca_file) if tls else None,
            max_connections=1,
            max_keepalive_connections=0,  # a POST can't be repeated on a stale one
            network_backend=_Backend(self._deadline),
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def exchange(
        self, method: str, url: str, body: bytes | None, until: float, limit: int
    ) -> tuple[int, bytes]:
        """(status, body). Raises Late once it is `until` (of time.monotonic), Failed
        without an answer, TooLong for one of more than `limit` bytes.
        """
        self._deadline.until = until
        headers = {**self._headers, "Host": urlsplit(url).netloc}
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = b""
        try:
            with self._pool.stream(method, url, headers=headers, content=body) as answer:
                for piece in answer.iter_stream():
                    text += piece
                    if len(text) > limit:
                        raise TooLong
        except httpcore.TimeoutException as error:
            raise Late from error
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            UnicodeError,  # a host's name beyond ASCII
        ) as error:
            raise Failed(str(error) or type(error).__name__) from error
        return answer.status, text
