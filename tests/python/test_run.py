"""`penstock.run` and `Worker`, against the real broker and S3 server."""

from __future__ import annotations

import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import FatalError, Worker
from tests.conftest import BucketFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, group_of, sink
from tests.services import Kafka, Minio, RandomUserApi
from tests.support import KafkaClient, Msg, audit, source_config
from tests.support.script import run_script, within


@pytest.fixture
def worker(kafka: Kafka) -> dict[str, Any]:
    """The worker's settings."""
    return {"bootstrap.servers": kafka.bootstrap, **FAST_GROUP}


@pytest.fixture
def keys(minio: Minio) -> dict[str, str]:
    """The S3 server's credentials as settings."""
    return {
        "aws.access.key.id": minio.access_key,
        "aws.secret.access.key": minio.secret_key,
    }


def test_a_sink_until_the_end(
    worker: dict[str, Any],
    keys: dict[str, str],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(3), buckets()
    fill(client, topic, 3000, 3)
    seen: list[int] = []
    settings = sink(topic, minio.endpoint, bucket.name) | keys
    summary = penstock.run(
        worker,
        settings,
        until="end",
        timeout=60,
        progress=lambda tasks: seen.append(tasks[0]["records"]),
    )
    (task,) = summary["tasks"]
    assert task["guarantee"] == "exactly once"
    assert task["state"] == "done"
    assert task["error"] is None
    assert task["class"] == "S3CsvSink"
    assert summary["records"] == summary["rows"] == task["records"] == 3000
    assert sorted((o["partition"], o["first"], o["next"]) for o in task["offsets"]) == [
        (p, 0, 1000) for p in range(3)
    ]
    assert summary["objects"] >= 3
    assert 0 < task["seconds"] <= summary["seconds"] < 60
    assert seen[-1] == 3000
    report = audit(topic, bucket, client, group=group_of(topic))
    assert report.records == 3000


def test_source_and_sink_together(
    worker: dict[str, Any],
    keys: dict[str, str],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    api: RandomUserApi,
) -> None:
    topic, bucket = topics(1), buckets()
    more = {"max.users": 5, "users.per.second": 20, "output": "flat"}
    source = source_config(topic, api.url) | more
    settings = sink(topic, minio.endpoint, bucket.name) | keys
    with Worker(worker, source, settings) as running:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            running.wait(0.2)
            made, landed = running.status()
            if landed["objects"] and landed["rows"] == 5:
                break
        assert made["state"] == "done"
        assert made["records"] == landed["rows"] == 5
        running.stop()
        assert running.wait(20)
        assert running.status()[1]["state"] == "done"
    assert running.closed
    assert audit(topic, bucket, client, group=group_of(topic)).records == 5


def test_wrong_settings_start_nothing(worker: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "sink.properties"
    path.write_text("name=s\nconnector.class=S3CsvSink\n\ntopcs=t\n")
    with pytest.raises(penstock.ConfigError) as caught:
        penstock.run({"bootstrap.server": "x"}, path, {"connector.class": "Nothing"})
    text = str(caught.value)
    assert "sink.properties:4" in text
    for part in ("bootstrap.servers", "topcs", "value.schema", "Nothing"):
        assert part in text
    with pytest.raises(TypeError):
        penstock.run(worker)
    with pytest.raises(ValueError, match="until"):
        penstock.run(worker, path, until="tomorrow")  # type: ignore[arg-type]


def test_a_failed_task(
    worker: dict[str, Any], topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, [Msg('{"id": "a"}'), Msg("{bad")])
    settings = sink(topic, tmp_path.as_uri(), None) | {"json.mode": "FAILFAST"}
    with pytest.raises(FatalError, match="offset 1") as caught:
        penstock.run(worker, settings, until="end")
    assert caught.value.code == "invalid data"
    assert caught.value.summary is not None
    (task,) = caught.value.summary["tasks"]
    assert task["state"] == "failed"
    assert task["rows"] == 1
    assert task["error"] is not None
    assert task["error"]["text"] == str(caught.value)


def test_no_broker(tmp_path: Path) -> None:
    began = time.monotonic()
    settings = sink("t", tmp_path.as_uri(), None)
    worker: dict[str, Any] = {
        "bootstrap.servers": "127.0.0.1:1",
        "startup.timeout.ms": 700,
    }
    with pytest.raises(penstock.PenstockError, match=r"127\.0\.0\.1:1") as caught:
        penstock.run(worker, settings, until="end")
    assert caught.value.unreachable
    assert time.monotonic() - began < 5


def test_time_is_up(
    worker: dict[str, Any], topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    fill(client, topic, 10)
    settings = sink(topic, tmp_path.as_uri(), None)
    summary = penstock.run(worker, settings, timeout=8)  # without until: how long to run
    assert summary["rows"] == 10
    assert summary["tasks"][0]["state"] == "done"
    with pytest.raises(penstock.RetriableError, match="within 1 s") as caught:
        penstock.run(worker, sink("nowhere", tmp_path.as_uri(), None), until="end",
                     timeout=1)  # fmt: skip
    assert caught.value.code == "timeout"


def test_log_lines_come_in_the_callers_thread(
    worker: dict[str, Any], topics: TopicFactory, tmp_path: Path
) -> None:
    seen: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    logger, handler = logging.getLogger("penstock"), Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        settings = sink(topics(1), tmp_path.as_uri(), None)
        penstock.run(worker | {"log.level": "debug"}, settings, until="end")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert {record.thread for record in seen} == {threading.get_ident()}
    names = {record.name for record in seen}
    assert {"penstock.chain", "penstock.group", "penstock.task"} <= names
    assert any("assigned by group" in record.getMessage() for record in seen)


def test_a_workers_life(worker: dict[str, Any], tmp_path: Path) -> None:
    settings = sink("nowhere", tmp_path.as_uri(), None)
    new = Worker(worker, settings)
    assert "new" in repr(new)
    assert new.status()[0]["state"] == "starting"
    assert new.shutdown_timeout == 30
    new.close()
    new.close()
    for call in (new.start, new.stop, new.abort, new.status, new.wait):
        with pytest.raises(FatalError, match="is closed"):
            call()
    with Worker(worker, settings) as running:
        assert not running.wait(0.3)
        with pytest.raises(FatalError, match="started already"):
            running.start()
        with pytest.raises(ValueError, match="negative"):
            running.wait(-1)
        began = time.monotonic()
        running.stop()
        assert running.wait()
        assert time.monotonic() - began < 5
        assert running.wait(0)


def test_stop_from_another_thread(worker: dict[str, Any], tmp_path: Path) -> None:
    with Worker(worker, sink("nowhere", tmp_path.as_uri(), None)) as running:
        errors: list[str] = []

        def other() -> None:
            try:
                running.wait(1)
            except FatalError as error:
                errors.append(error.code)
            assert len(running.status()) == 1
            running.stop()

        timer = threading.Timer(0.5, other)
        timer.start()
        assert running.wait(20)
        timer.join()
        assert errors == ["busy"]


def test_a_signal_handler_may_stop_it(worker: dict[str, Any], tmp_path: Path) -> None:
    """As an operator's on_kill does: it is called in the middle of a wait."""
    with Worker(worker, sink("nowhere", tmp_path.as_uri(), None)) as running:
        before = signal.signal(signal.SIGUSR1, lambda number, frame: running.stop())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            threading.Timer(0.4, signal.raise_signal, (signal.SIGUSR1,)).start()
            assert running.wait(20)
        finally:
            signal.signal(signal.SIGUSR1, before)


INTERRUPT = """
    import os, signal, sys, threading, time
    import penstock
    worker = {"bootstrap.servers": sys.argv[1], "consumer.session.timeout.ms": 3000,
              "consumer.heartbeat.interval.ms": 500, "startup.timeout.ms": 60000}
    sink = {"name": "i-" + sys.argv[2], "connector.class": "S3CsvSink",
            "topics": sys.argv[2], "value.schema": "id STRING", "store.url": sys.argv[3]}
    sent = []
    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    class Stop(Exception): pass
    def handler(number, frame):
        print("handler", time.monotonic() - sent[0])
        raise KeyboardInterrupt
    signal.signal(signal.SIGINT, handler)
    threading.Timer(float(sys.argv[4]), send).start()
    try:
        penstock.run(worker, sink)
    except KeyboardInterrupt:
        print("ended", time.monotonic() - sent[0])
"""


def interrupt(bootstrap: str, topic: str, folder: Path, after: float) -> list[float]:
    """Seconds from the signal to its handler, and to the end of run()."""
    out = run_script(INTERRUPT, bootstrap, topic, folder.as_uri(), str(after))
    return [float(line.split()[1]) for line in out.splitlines()]


def test_interrupt_within_200_ms(
    kafka: Kafka, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    fill(client, topic, 100)
    handled, ended = interrupt(kafka.bootstrap, topic, tmp_path, 5.07)
    assert handled < 0.2
    assert ended < 4
    # In good order: what was read has landed, and the offset is committed.
    assert audit_count(tmp_path, topic) == 100
    offset, _ = client.committed(f"connect-i-{topic}", topic)[0]
    assert offset == 100


def audit_count(folder: Path, topic: str) -> int:
    """Rows in a folder's CSV files."""
    files = (folder / "topics" / topic).rglob("*.csv")
    return sum(path.read_text().count("\n") for path in files)


def test_interrupt_without_a_broker(tmp_path: Path) -> None:
    assert within((0.2, 2.0), lambda: interrupt("127.0.0.1:1", "t", tmp_path, 1.03))


@pytest.mark.services
def test_interrupt_when_the_broker_hangs(tmp_path: Path) -> None:
    with Kafka() as kafka:
        KafkaClient(kafka.bootstrap).create_topic("t")
        threading.Timer(6, kafka.pause).start()
        handled, ended = interrupt(kafka.bootstrap, "t", tmp_path, 8.03)
        kafka.resume()
    print(f"hanging broker: handler after {handled:.3f} s, end after {ended:.1f} s")
    assert handled < 0.2


def test_a_fork(worker: dict[str, Any], tmp_path: Path) -> None:
    out = run_script(
        """
        import gc, os, sys, time
        import penstock
        worker = {"bootstrap.servers": sys.argv[1]}
        sink = {"name": "f", "connector.class": "S3CsvSink", "topics": "nowhere",
                "value.schema": "id STRING", "store.url": sys.argv[2]}
        running = penstock.Worker(worker, sink)
        running.start()
        running.wait(0.5)
        pid = os.fork()
        if pid == 0:
            for call in (running.wait, running.stop, running.status, running.start):
                try:
                    call()
                except penstock.PenstockError as error:
                    print(error.code, flush=True)
            running.close()
            del running
            gc.collect()
            try:
                penstock.run(worker, sink, until="end", timeout=0.5)
            except penstock.RetriableError as error:
                print(error.code, flush=True)
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
        running.close()
        """,
        worker["bootstrap.servers"],
        tmp_path.as_uri(),
    )
    assert out.split() == ["fork"] * 4 + ["timeout", "0"]


def test_memory_stays_flat(kafka: Kafka, topics: TopicFactory, tmp_path: Path) -> None:
    out = run_script(
        """
        import gc, os, sys
        import penstock
        PAGE = os.sysconf("SC_PAGE_SIZE")
        def rss():
            gc.collect()
            return int(open("/proc/self/statm").read().split()[1]) * PAGE
        def threads():
            return len(os.listdir("/proc/self/task"))
        worker = {"bootstrap.servers": sys.argv[1]}
        users = {"kafka.topic": "t", "randomuser.url": sys.argv[3],
                 "users.per.second": 0}
        config = {"name": "m", "topics": "t", "value.schema": "id STRING",
                  "store.url": sys.argv[2]}
        def once(n):
            with penstock.RandomUserSource(users) as source:
                assert len(list(source)) == 10
            with penstock.S3CsvSink(config | {"topics.dir": f"d{n}"}) as sink:
                sink.put([("t", 0, 0, b"k", b'{"id": "a"}', 0)] )
                sink.flush()
            penstock.Worker(worker, config | {"connector.class": "S3CsvSink"}).close()
            try:
                penstock.S3CsvSink({"name": "x"})
            except penstock.ConfigError:
                pass
            penstock._worker.infer_values([b'{"a": 1}'])
        for n in range(50):
            once(n)
        before = rss(), threads()
        for n in range(200):
            once(50 + n)
        print(rss() - before[0], threads() - before[1])
        """,
        kafka.bootstrap,
        tmp_path.as_uri(),
        (Path(__file__).parent.parent / "data/randomuser/ten.json").as_uri(),
    )
    grown, threads = map(int, out.split())
    assert threads == 0
    assert grown < 1_500_000


def test_a_running_worker_that_is_dropped(kafka: Kafka, tmp_path: Path) -> None:
    out = run_script(
        """
        import gc, os, sys, time, warnings
        import penstock
        worker = {"bootstrap.servers": sys.argv[1]}
        sink = {"name": "d", "connector.class": "S3CsvSink", "topics": "nowhere",
                "value.schema": "id STRING", "store.url": sys.argv[2]}
        running = penstock.Worker(worker, sink)
        running.start()
        running.wait(1)
        began = time.monotonic()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del running
            gc.collect()
        print([w.category.__name__ for w in caught], time.monotonic() - began < 4)
        """,
        kafka.bootstrap,
        tmp_path.as_uri(),
    )
    assert out.strip() == "['ResourceWarning'] True"
