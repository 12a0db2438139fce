"""A local stand-in of the randomuser.me API that can misbehave on demand.

It serves the 1,000 recorded users of `tests/data/randomuser/` in the API's own
envelope: `GET /api/?results=N&seed=S&page=P&nat=…&gender=…&inc=…&exc=…&noinfo`.
User `i` of page `P` is number `(P - 1) * N + i` of the seed's rotation over the
users (after the nat and gender filters), so pages of one seed never overlap within
1,000 users, and seed `penstock-500` gives the recorded pages byte for byte. Requests
without a seed go on where the last one ended, under a made-up seed. It is not a
generator: beyond 1,000 users a seed repeats itself.

Faults are queued and taken by the next API requests, one each, or asked for by the
request itself (`?fault=SPEC`). A SPEC is `KIND[:ARG]`:

    429[:S] 500[:S] 503[:S]   that status with {"error": …}; S = Retry-After
    slow:S                    the right answer, S seconds late
    drip:S                    the right answer, its body spread over S seconds
    cut                       Content-Length of the whole body, half of it sent
    malformed                 status 200, a body that is not JSON
    error                     status 200, {"error": …}
    empty                     status 200, no body
    huge[:BYTES]              status 200, a JSON text of BYTES (default 64 MiB)
    reset                     the connection is reset before an answer

`POST /_control` with {"faults": [SPEC, …], "clear": true} does it from another
process; `GET /_control` answers {"requests": […], "faults": […]}.
"""

from __future__ import annotations

import functools
import hashlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

DATA = Path(__file__).resolve().parent.parent / "data" / "randomuser"
RECORDED_SEED = "penstock-500"
VERSION = "1.4"
MAX_RESULTS = 5000
MAX_LOG = 100_000
HUGE_BYTES = 64 << 20
STATUSES = ("429", "500", "503")
KINDS = (*STATUSES, "slow", "drip", "cut", "malformed", "error", "empty", "huge", "reset")
TOO_MANY = "Whoa, ease up there cowboy. You've requested too many users recently."
UH_OH = "Uh oh, something has gone wrong. Please try again later."

User = dict[str, Any]


@functools.cache
def recorded_users() -> tuple[User, ...]:
    """The 1,000 recorded users, in the order of the recorded pages."""
    pages = [json.loads((DATA / f"page{n}-500.json").read_bytes()) for n in (1, 2)]
    return tuple(user for page in pages for user in page["results"])


def encode(document: object) -> bytes:
    """JSON as the API writes it: no spaces, UTF-8 unescaped."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Fault:
    """One way to misbehave: a kind of `KINDS` and its argument as text."""

    kind: str
    arg: str = ""

    @classmethod
    def parse(cls, spec: str) -> Fault:
        """From `KIND[:ARG]`. Raises ValueError for an unknown kind."""
        kind, _, arg = spec.partition(":")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}: one of {', '.join(KINDS)}")
        return cls(kind, arg)

    def number(self, default: float) -> float:
        """The argument as a number."""
        return float(self.arg) if self.arg else default


@dataclass(frozen=True)
class Request:
    """One API request as it was answered. `at` is time.monotonic() at its arrival."""

    at: float
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    fault: str | None
    users: tuple[str, ...] = field(default=())


def _number(text: str | None, default: int, highest: int) -> int:
    """As the API: anything that is no number from 1 to `highest` is the default."""
    if text is None or not text.isdigit() or not 1 <= int(text) <= highest:
        return default
    return int(text)


def _words(text: str | None) -> set[str]:
    return {word.strip().lower() for word in (text or "").split(",") if word.strip()}


def _pool(query: dict[str, str]) -> list[User]:
    nats, gender = _words(query.get("nat")), query.get("gender", "").lower()
    genders = {gender} & {"male", "female"} or {"male", "female"}
    return [
        user
        for user in recorded_users()
        if (not nats or user["nat"].lower() in nats) and user["gender"] in genders
    ]


def _rotation(seed: str) -> int:
    if seed == RECORDED_SEED:
        return 0
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")


def _project(user: User, query: dict[str, str]) -> User:
    keep, drop = _words(query.get("inc")), _words(query.get("exc"))
    return {k: v for k, v in user.items() if (not keep or k in keep) and k not in drop}


class _State:
    """What the handler threads share; everything under one lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.faults: deque[Fault] = deque()
        self.requests: deque[Request] = deque(maxlen=MAX_LOG)
        self.cursor = 0

    def clear(self) -> None:
        with self.lock:
            self.faults.clear()
            self.requests.clear()
            self.cursor = 0

    def next_fault(self, query: dict[str, str]) -> Fault | None:
        if "fault" in query:
            return Fault.parse(query["fault"])
        with self.lock:
            return self.faults.popleft() if self.faults else None

    def take(self, count: int) -> int:
        """Move the cursor of seedless requests on by `count`; where it was."""
        with self.lock:
            at, self.cursor = self.cursor, self.cursor + count
            return at


def _select(query: dict[str, str], state: _State) -> tuple[list[User], dict[str, Any]]:
    """The users that a query asks for, whole, and the envelope's `info`."""
    count = _number(query.get("results"), 1, MAX_RESULTS)
    page = _number(query.get("page"), 1, 10_000)
    seed = query.get("seed", "")
    pool = _pool(query)
    if seed:
        first = _rotation(seed) + (page - 1) * count
    else:
        first = state.take(count)
        seed = hashlib.sha256(str(first).encode()).hexdigest()[:16]
    users = [pool[(first + i) % len(pool)] for i in range(count)] if pool else []
    return users, {"seed": seed, "results": len(users), "page": page, "version": VERSION}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the log is `RandomUserApi.requests`."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        pairs = parse_qs(url.query, keep_blank_values=True)
        query = {name: values[-1] for name, values in pairs.items()}
        if url.path == "/_control":
            self._answer(200, self._control_state())
        elif url.path.rstrip("/") in ("/api", f"/api/{VERSION}"):
            self._api(url.path, query)
        else:
            self._answer(404, b'{"error":"not found"}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path != "/_control":
            self._answer(404, b'{"error":"not found"}')
            return
        try:
            order = json.loads(body)
            faults = [Fault.parse(spec) for spec in order.get("faults", [])]
        except (ValueError, AttributeError) as error:
            self._answer(400, encode({"error": str(error)}))
            return
        if order.get("clear"):
            self.server.state.clear()
        with self.server.state.lock:
            self.server.state.faults.extend(faults)
        self._answer(200, self._control_state())

    def _control_state(self) -> bytes:
        state = self.server.state
        with state.lock:
            requests = [asdict(request) for request in state.requests]
            faults = [f"{f.kind}:{f.arg}" if f.arg else f.kind for f in state.faults]
        return encode({"requests": requests, "faults": faults})

    def _api(self, path: str, query: dict[str, str]) -> None:
        at, state = time.monotonic(), self.server.state
        try:
            fault = state.next_fault(query)
        except ValueError as error:
            self._answer(400, encode({"error": str(error)}))
            return
        right = fault is None or fault.kind in ("slow", "drip")
        users, info = _select(query, state) if right or "seed" in query else ([], {})
        served = tuple(user["login"]["uuid"] for user in users) if right else ()
        kind = fault.kind if fault else None
        with state.lock:
            state.requests.append(
                Request(at, path, query, dict(self.headers), kind, served)
            )
        document: dict[str, Any] = {"results": [_project(user, query) for user in users]}
        if "noinfo" not in query:
            document["info"] = info
        self._respond(fault, encode(document))

    def _respond(self, fault: Fault | None, body: bytes) -> None:
        if fault is None:
            self._answer(200, body)
        elif fault.kind in STATUSES:
            text = TOO_MANY if fault.kind == "429" else UH_OH
            extra = {"Retry-After": fault.arg} if fault.arg else {}
            self._answer(int(fault.kind), encode({"error": text}), extra)
        else:
            getattr(self, f"_fault_{fault.kind}")(fault, body)

    def _answer(
        self, status: int, body: bytes, extra: dict[str, str] | None = None
    ) -> None:
        self._head(status, len(body), extra)
        self.wfile.write(body)

    def _head(
        self, status: int, length: int, extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(length))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _fault_slow(self, fault: Fault, body: bytes) -> None:
        self.server.stopping.wait(fault.number(1.0))
        self._answer(200, body)

    def _fault_drip(self, fault: Fault, body: bytes) -> None:
        self._head(200, len(body))
        pieces = 20
        size = len(body) // pieces + 1
        for at in range(0, len(body), size):
            self.wfile.write(body[at : at + size])
            self.wfile.flush()
            self.server.stopping.wait(fault.number(1.0) / pieces)

    def _fault_cut(self, fault: Fault, body: bytes) -> None:
        whole = body if len(body) > 1 else b'{"results":[]}'
        self._head(200, len(whole))
        self.wfile.write(whole[: len(whole) // 2])
        self.close_connection = True

    def _fault_malformed(self, fault: Fault, body: bytes) -> None:
        self._answer(200, b'{"results":[{"gender":"female","name":<html>')

    def _fault_error(self, fault: Fault, body: bytes) -> None:
        self._answer(200, encode({"error": UH_OH}))

    def _fault_empty(self, fault: Fault, body: bytes) -> None:
        self._answer(200, b"")

    def _fault_huge(self, fault: Fault, body: bytes) -> None:
        size = int(fault.number(HUGE_BYTES))
        self._head(200, size)
        self.wfile.write(b'{"results":["')
        left, block = size - 16, b"x" * 65536
        while left > 0:
            self.wfile.write(block[:left])
            left -= len(block)
        self.wfile.write(b'"]}')

    def _fault_reset(self, fault: Fault, body: bytes) -> None:
        linger_off = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        self.close_connection = True
        self.rfile.close()  # holds the socket open
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.state = _State()
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class RandomUserApi:
    """The stand-in, served from threads of this process."""

    def __init__(self, port: int = 0) -> None:
        """Listens at once on 127.0.0.1:`port` (0 = a free one); `start` serves."""
        self._server = _Server(port)
        self._thread: threading.Thread | None = None

    @property
    def base(self) -> str:
        """`http://host:port`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """For `randomuser.url`: `http://host:port/api/`."""
        return f"{self.base}/api/"

    def start(self) -> RandomUserApi:
        """Serve in a thread; answers when this returns."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and close the port."""
        self._server.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def fault(self, *specs: str, times: int = 1) -> None:
        """Queue faults for the next requests, `times` over. Raises ValueError."""
        faults = [Fault.parse(spec) for spec in specs] * times
        with self._server.state.lock:
            self._server.state.faults.extend(faults)

    def clear(self) -> None:
        """Forget queued faults, the request log and the seedless position."""
        self._server.state.clear()

    @property
    def pending_faults(self) -> int:
        """How many queued faults no request has taken yet."""
        with self._server.state.lock:
            return len(self._server.state.faults)

    @property
    def requests(self) -> list[Request]:
        """The API requests since the start or `clear`, oldest first."""
        with self._server.state.lock:
            return list(self._server.state.requests)

    def served(self) -> Iterator[User]:
        """The users that right answers have carried, whole, in order."""
        by_id = {user["login"]["uuid"]: user for user in recorded_users()}
        for request in self.requests:
            for uuid in request.users:
                yield by_id[uuid]

    def __enter__(self) -> RandomUserApi:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
