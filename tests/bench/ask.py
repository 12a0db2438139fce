"""REST while a drain runs: how soon it answers, what it costs, what junk costs.

The drains with and without a client run in turn. What REST costs is read from the
daemon's own threads (MHD-…, pst-rest-slow), as the client's process takes CPU from the
drain too; the ratio of the spans is printed beside it.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time

from tests.bench.bench import Bench
from tests.bench.corpus import Corpus
from tests.bench.measure import Run, median
from tests.bench.quiet import percentile
from tests.rest.client import free_port

PATHS = ["/connectors?expand=status&expand=info", "/connectors", "/health", "/ready"]
EVERY_S = 0.05
REST_THREADS = ("MHD-", "pst-rest")
JUNK = [
    b"\x00\xff\x16\x03" * 50, b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\n\r\n",
    b"GET /connectors HTTP/1.1\r\nHo", b"PUT /admin/loggers/root HTTP/1.1\r\n"
    b"Host: localhost\r\nContent-Length: 99999999\r\n\r\n",
]  # fmt: skip


class Asker(threading.Thread):
    """Asks in turn, twenty times a second, on one connection; keeps the times.

    The first answer, which may wait for the daemon's start, does not count.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.times, self.answered = port, list[float](), False
        self.over = threading.Event()

    def run(self) -> None:
        """Until it is over."""
        connection: http.client.HTTPConnection | None = None
        while not self.over.wait(EVERY_S):
            path = PATHS[len(self.times) % len(PATHS)]
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port)
            began = time.monotonic()
            try:
                connection.request("GET", path)
                connection.getresponse().read()
            except OSError:  # not there yet, or at its end
                connection = None
                continue
            if self.answered:
                self.times.append(time.monotonic() - began)
            self.answered = True


class Pest(threading.Thread):
    """Sends junk, about a thousand pieces a second, until it is over."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.sent = port, 0
        self.over = threading.Event()

    def run(self) -> None:
        """Until it is over; the last few connections stay half open."""
        held: list[socket.socket] = []
        while not self.over.wait(0.001):
            with contextlib.suppress(OSError):
                s = socket.create_connection(("127.0.0.1", self.port), timeout=1)
                held.append(s)
                s.sendall(JUNK[self.sent % len(JUNK)])
                self.sent += 1
            while len(held) > 32:
                held.pop(0).close()
        for s in held:
            s.close()


def _drain(bench: Bench, corpus: Corpus, client: Asker | Pest | None, port: int) -> Run:
    bench.listeners = f"http://127.0.0.1:{port}"
    if client:
        client.start()
    run = bench.drain(corpus, "64m")
    bench.listeners = ""
    if client:
        client.over.set()
        client.join()
    return run


def _share(runs: list[Run]) -> float:
    """REST's threads' part of the CPU of all, in %."""
    parts = []
    for run in runs:
        rest = sum(
            used for name, used in run.threads.items() if name.startswith(REST_THREADS)
        )
        parts.append(100 * rest / sum(run.threads.values()))
    return sorted(parts)[len(parts) // 2]


def bench_rest(bench: Bench, corpus: Corpus, records: int) -> None:
    """Drains alone, asked, and pestered, in turn; prints times, shares and ratios."""
    bench.fill(corpus, records)
    port = free_port()
    alone: list[Run] = []
    asked: list[Run] = []
    pestered: list[Run] = []
    times: list[float] = []
    sent = 0
    for _ in range(bench.runs):
        alone.append(_drain(bench, corpus, None, port))
        asker = Asker(port)
        asked.append(_drain(bench, corpus, asker, port))
        times += asker.times
        pest = Pest(port)
        pestered.append(_drain(bench, corpus, pest, port))
        sent += pest.sent
    p50, p99 = (1000 * percentile(times, share) for share in (0.5, 0.99))
    print(
        f"\nREST while {records:,} records drain, median of {bench.runs}\n"
        f"  {len(times)} answers: median {p50:.2f} ms, p99 {p99:.2f} ms"
    )
    for title, runs in (("asked 20 times a second", asked), ("junk", pestered)):
        cpu = median(runs, "cpu") / median(alone, "cpu")
        span = median(runs, "span") / median(alone, "span")
        grown = max(run.rss for run in runs) - max(run.rss for run in alone)
        print(
            f"  {title}: CPU {cpu:.3f} and span {span:.3f} of a drain alone, "
            f"REST's threads {_share(runs):.2f} % of the CPU, peak RSS {grown:+.1f} MiB"
        )
        bench.note(f"{title}: peak RSS over alone", max(grown, 0.0), 8.0, "MiB")
    print(f"  pieces of junk: {sent}")
    bench.note("REST answers: median", p50, 2.0, "ms")
    bench.note("REST answers: p99", p99, 50.0, "ms")
    bench.note("REST's share of the CPU", _share(asked), 1.0, "%")
