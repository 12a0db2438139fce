"""A small faulty proxy between the daemons and Kafka or S3, in a process of its own.

Each link listens on a loopback port and forwards to one upstream port: `tcp` links
byte by byte, `http` links request by request. A rule makes a link misbehave: so many
times (`count`), or for so many seconds, and counts what it really did (`hits`).

    tcp and http:  latency, bandwidth, reset, refuse, half-open
    http:          reset-before, answer-lost, answer-never, cut, hold,
                   503, 500, 500-done, 409, 403, 200-error, 200-error-done

`…-done` forwards the request and replaces the answer. `cut` forwards half of a PUT's
body and resets both sides. `hold` reads a PUT and keeps it until it is released, `stall`
keeps it after half of the body has gone upstream. A rule for `data` lets everything but
PUTs of data objects pass, and the first `skip` of those.

The controlling process writes one JSON command a line to stdin, and reads one JSON
answer a line from stdout; the end of stdin ends the proxy. `Proxy` is that side of it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
CHUNK = 32 * 1024
HEAD_MAX = 64 * 1024
HANG_SECONDS = 60.0
SHAPING = ("latency", "bandwidth")
CONNECTION = ("refuse", "half-open")
ANSWERS = {
    "503": (503, "Service Unavailable", "SlowDown"),
    "500": (500, "Internal Server Error", "InternalError"),
    "500-done": (500, "Internal Server Error", "InternalError"),
    "409": (409, "Conflict", "ConditionalRequestConflict"),
    "403": (403, "Forbidden", "AccessDenied"),
    "200-error": (200, "OK", "InternalError"),
    "200-error-done": (200, "OK", "InternalError"),
}
PUT_ONLY = ("409", "200-error", "200-error-done", "cut", "hold", "stall", "500-done")
DONE = ("500-done", "200-error-done", "answer-lost", "answer-never")


@dataclass
class Rule:
    """One way to misbehave, on some links, for a while."""

    number: int
    kind: str
    until: float
    left: int
    arg: float
    data: bool = False
    skip: int = 0
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def active(self) -> bool:
        """True while it has time and hits left."""
        return self.left > 0 and time.monotonic() < self.until

    def hit(self) -> None:
        """Count one injection."""
        self.hits += 1
        self.left -= 1

    def passes(self, request: Request) -> bool:
        """True for a request that the rule is not meant for; counted here."""
        if not self.data:
            return False
        if request.method != "PUT" or "/_penstock/" in request.target:
            return True
        self.skip -= 1
        return self.skip >= 0


class Gone(Exception):
    """One side of a connection went away."""


def abort(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Request:
    """The head of an HTTP request or answer, as far as a proxy cares."""

    head: bytes
    method: str
    status: int
    length: int
    chunked: bool
    close: bool
    expects: bool
    target: str = ""

    @classmethod
    def parse(cls, raw: bytes) -> Request:
        """From the bytes up to and with the empty line."""
        lines = raw.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        answer = words[0].startswith("HTTP/")
        return cls(
            raw,
            "" if answer else words[0],
            int(words[1]) if answer else 0,
            int(headers.get("content-length", "0")),
            headers.get("transfer-encoding", "").lower() == "chunked",
            headers.get("connection", "").lower() == "close",
            "expect" in headers,
            "" if answer else words[1],
        )

    def without_expect(self) -> bytes:
        """The head without its Expect header: the proxy has answered it."""
        lines = self.head.split(b"\r\n")
        return b"\r\n".join(x for x in lines if not x.lower().startswith(b"expect:"))


class Link:
    """A listening port, its upstream, its rules and its connections."""

    def __init__(self, name: str, upstream: int, http: bool) -> None:
        self.name, self.upstream, self.http = name, upstream, http
        self.rules: list[Rule] = []
        self.writers: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None

    async def listen(self) -> int:
        """Begin to serve on a free port. Returns it."""
        self.server = await asyncio.start_server(self._serve, HOST, 0, limit=HEAD_MAX)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def rule(self, kinds: Iterable[str]) -> Rule | None:
        """The first active rule of some kinds."""
        return next((r for r in self.rules if r.kind in kinds and r.active()), None)

    def reset_all(self) -> int:
        """RST on every connection. Returns how many clients felt it."""
        clients = len(self.writers) // 2
        for writer in list(self.writers):
            abort(writer)
        return clients

    async def shape(self, size: int) -> None:
        """Latency and bandwidth for so many bytes."""
        latency, bandwidth = self.rule(["latency"]), self.rule(["bandwidth"])
        if latency is not None:
            latency.hits += 1
            await asyncio.sleep(latency.arg)
        if bandwidth is not None:
            bandwidth.hits += 1
            await asyncio.sleep(min(size / bandwidth.arg, 10.0))

    async def swallow(self) -> None:
        """A half-open connection: nothing moves until the rule is over; then it dies."""
        rule = self.rule(["half-open"])
        if rule is None:
            return
        rule.hits += 1
        while rule.active():
            await asyncio.sleep(0.05)
        raise Gone("half-open")

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        refuse = self.rule(["refuse"])
        if refuse is not None:
            refuse.hits += 1
            abort(writer)
            return
        self.writers.add(writer)
        connection = (
            _Http(self, reader, writer) if self.http else _Tcp(self, reader, writer)
        )
        try:
            await connection.run()
        except (OSError, Gone, EOFError, asyncio.LimitOverrunError, ValueError):
            abort(writer)
        finally:
            connection.close()
            self.writers.discard(writer)
            writer.close()


class _Connection:
    """What both kinds of connection share: the way upstream."""

    def __init__(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.link, self.reader, self.writer = link, reader, writer
        self.up_reader: asyncio.StreamReader | None = None
        self.up_writer: asyncio.StreamWriter | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The upstream's streams, connected when needed."""
        if self.up_reader is None or self.up_writer is None:
            pair = await asyncio.open_connection(HOST, self.link.upstream, limit=HEAD_MAX)
            self.up_reader, self.up_writer = pair
            self.link.writers.add(self.up_writer)
        return self.up_reader, self.up_writer

    def close(self) -> None:
        """Give the upstream up."""
        if self.up_writer is not None:
            self.link.writers.discard(self.up_writer)
            self.up_writer.close()
            self.up_reader = self.up_writer = None

    async def run(self) -> None:
        """Serve the client to its end."""
        raise NotImplementedError


class _Tcp(_Connection):
    async def run(self) -> None:
        up_reader, up_writer = await self.connect()
        ways = [
            asyncio.create_task(self._pump(self.reader, up_writer)),
            asyncio.create_task(self._pump(up_reader, self.writer)),
        ]
        done, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            await self.link.swallow()
            await self.link.shape(len(data))
            writer.write(data)
            await writer.drain()


class _Http(_Connection):
    async def run(self) -> None:
        while True:
            try:
                raw = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            request = Request.parse(raw)
            await self.link.swallow()
            if request.expects:
                self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self.one(request)
            if request.close:
                return

    def pick(self, request: Request) -> Rule | None:
        """The fault of this request; counted here."""
        wanted = [
            rule
            for rule in self.link.rules
            if rule.active()
            and rule.kind not in SHAPING + CONNECTION
            and (request.method == "PUT" or rule.kind not in PUT_ONLY)
            and not rule.passes(request)
        ]
        if not wanted:
            return None
        wanted[0].hit()
        return wanted[0]

    async def one(self, request: Request) -> None:
        """One request and its answer."""
        rule = self.pick(request)
        kind = rule.kind if rule else ""
        if kind == "reset-before":
            raise Gone(kind)
        if rule is not None and kind in ANSWERS and kind not in DONE:
            await self.reader.readexactly(request.length)
            await self.say(kind, request)
            return
        if rule is not None and kind == "hold":
            body = await self.reader.readexactly(request.length)
            await asyncio.wait_for(rule.released.wait(), HANG_SECONDS)
            await self.exchange(request, body)
            return
        if rule is not None and kind in ("cut", "stall"):
            await self.half(request, rule)
        up_reader, answer = await self.forward(request)
        if rule is not None and kind in DONE:
            await self.body(up_reader, answer, request, None)
            if kind == "answer-never":
                while rule.until > time.monotonic():
                    await asyncio.sleep(0.05)
            if kind.startswith("answer"):
                raise Gone(kind)
            await self.say(kind, request)
            return
        self.writer.write(answer.head)
        await self.body(up_reader, answer, request, self.writer)
        if answer.close:
            raise Gone("upstream closes")

    async def exchange(self, request: Request, body: bytes) -> None:
        """Send a request whose body is here already; pass the answer on."""
        up_reader, up_writer = await self.connect()
        up_writer.write(request.without_expect() + body)
        await up_writer.drain()
        answer = await self.answer(up_reader)
        try:
            self.writer.write(answer.head)
            await self.body(up_reader, answer, request, self.writer)
        except OSError:
            pass  # the client did not wait for it

    async def half(self, request: Request, rule: Rule) -> None:
        """Half of the body goes upstream, and then no more."""
        _, up_writer = await self.connect()
        part = await self.reader.readexactly(request.length // 2)
        up_writer.write(request.without_expect() + part)
        await up_writer.drain()
        if rule.kind == "stall":
            end = time.monotonic() + rule.arg
            while time.monotonic() < end and not rule.released.is_set():
                await asyncio.sleep(0.02)
        abort(up_writer)
        raise Gone(rule.kind)

    async def forward(self, request: Request) -> tuple[asyncio.StreamReader, Request]:
        """The whole request upstream; the head of the answer."""
        up_reader, up_writer = await self.connect()
        up_writer.write(request.without_expect())
        left = request.length
        await self.link.shape(0)
        while left:
            data = await self.reader.read(min(left, CHUNK))
            if not data:
                abort(up_writer)
                raise Gone("the client went away in its request")
            left -= len(data)
            await self.link.shape(len(data))
            up_writer.write(data)
            await up_writer.drain()
        return up_reader, await self.answer(up_reader)

    @staticmethod
    async def answer(up_reader: asyncio.StreamReader) -> Request:
        """The upstream's answer, past any 100 Continue."""
        while True:
            answer = Request.parse(await up_reader.readuntil(b"\r\n\r\n"))
            if answer.status != 100:
                return answer

    async def body(
        self,
        up_reader: asyncio.StreamReader,
        answer: Request,
        request: Request,
        to: asyncio.StreamWriter | None,
    ) -> None:
        """Pass an answer's body on, or (to None) read it and drop it."""
        if request.method == "HEAD" or answer.status in (204, 304):
            pass
        elif answer.chunked:
            await self._chunks(up_reader, to)
        else:
            left = answer.length
            while left:
                data = await up_reader.read(min(left, CHUNK))
                if not data:
                    raise Gone("the upstream went away in its answer")
                left -= len(data)
                await self._pass(data, to)
        if to is not None:
            await to.drain()

    async def _chunks(
        self, up_reader: asyncio.StreamReader, to: asyncio.StreamWriter | None
    ) -> None:
        size = -1
        while size:
            line = await up_reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            data = line + await up_reader.readexactly(size + 2)
            await self._pass(data, to)

    async def _pass(self, data: bytes, to: asyncio.StreamWriter | None) -> None:
        await self.link.shape(len(data))
        if to is not None:
            to.write(data)
            await to.drain()

    async def say(self, kind: str, request: Request) -> None:
        """An answer of our own."""
        status, reason, code = ANSWERS[kind]
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>a fault of the chaos bench</Message>"
            "<RequestId>0</RequestId></Error>"
        ).encode()
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\n"
        head += f"Content-Length: {len(text)}\r\n\r\n"
        self.writer.write(head.encode() + (b"" if request.method == "HEAD" else text))
        await self.writer.drain()


class _Control:
    """The commands on stdin."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.rules: dict[int, Rule] = {}

    async def run(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            order = json.loads(line)
            answer = getattr(self, f"do_{order.pop('do')}")(**order)
            if asyncio.iscoroutine(answer):
                answer = await answer
            print(json.dumps(answer), flush=True)

    async def do_open(self, name: str, upstream: int, http: bool) -> int:
        link = self.links[name] = Link(name, upstream, http)
        return await link.listen()

    def do_rule(self, links: list[str], kind: str, seconds: float, **more: Any) -> int:
        number = len(self.rules) + 1
        rule = Rule(number, kind, time.monotonic() + seconds, **more)
        self.rules[number] = rule
        for name in links:
            link = self.links[name]
            if kind in ("reset", "refuse"):
                rule.hits += link.reset_all()
            link.rules = [r for r in link.rules if r.active()] + [rule]
        return number

    def do_hits(self, number: int) -> int:
        return self.rules[number].hits

    def do_release(self, number: int) -> int:
        self.rules[number].released.set()
        return 0

    def do_clear(self) -> int:
        """End all rules and let go of everything that is held."""
        for rule in self.rules.values():
            rule.until = 0.0
            rule.released.set()
        return 0


class Proxy:
    """The proxy process, started and controlled. Calls come from any thread."""

    def __init__(self, log: Path) -> None:
        """Start the process; its errors go to `log`."""
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.proxy"],
                cwd=Path(__file__).resolve().parent.parent.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                start_new_session=True,
            )
        self._lock = threading.Lock()

    def _ask(self, **order: Any) -> int:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the proxy has ended")
        answer: int = json.loads(line)
        return answer

    def open(self, name: str, upstream: int, *, http: bool) -> int:
        """A new link. Returns the port that it listens on."""
        return self._ask(do="open", name=name, upstream=upstream, http=http)

    def rule(
        self,
        links: Iterable[str],
        kind: str,
        *,
        seconds: float = HANG_SECONDS,
        count: int = 1_000_000,
        arg: float = 0.0,
        data: bool = False,
        skip: int = 0,
    ) -> int:
        """A new rule. Returns its number."""
        return self._ask(
            do="rule", links=list(links), kind=kind, seconds=seconds, left=count,
            arg=arg, data=data, skip=skip,
        )  # fmt: skip

    def hits(self, number: int) -> int:
        """How often a rule was really applied."""
        return self._ask(do="hits", number=number)

    def wait_hit(
        self, number: int, seconds: float, alive: Callable[[], bool] = lambda: True
    ) -> bool:
        """Wait for a rule's first hit, while `alive()`. False if there was none."""
        end = time.monotonic() + seconds
        while self.hits(number) == 0:
            if time.monotonic() > end or not alive():
                return False
            time.sleep(0.01)
        return True

    def release(self, number: int) -> None:
        """Let go of what a `hold` or `stall` rule keeps."""
        self._ask(do="release", number=number)

    def clear(self) -> None:
        """End all rules."""
        self._ask(do="clear")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


if __name__ == "__main__":
    asyncio.run(_Control().run())
