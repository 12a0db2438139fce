"""`penstock.RandomUserSource`: an iterator of records, and `produce`."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import FatalError, RandomUserSource, RetriableError
from tests.conftest import TopicFactory
from tests.services import Kafka, RandomUserApi
from tests.services.randomuser_api import DATA
from tests.support import KafkaClient
from tests.support.script import run_script, within


def config(url: str, **more: Any) -> dict[str, Any]:
    """Ten users as fast as possible; `more` by `max__users`-like names."""
    settings: dict[str, Any] = {
        "kafka.topic": "users",
        "randomuser.url": url,
        "max.users": 10,
        "users.per.second": 0,
        "retry.backoff.ms": 10,
    }
    return settings | {name.replace("__", "."): value for name, value in more.items()}


def test_records_are_the_users_served(api: RandomUserApi) -> None:
    with RandomUserSource(config(api.url)) as source:
        records = list(source)
    users = list(api.served())
    assert [json.loads(r.value or b"") for r in records] == users
    assert [r.key for r in records] == [u["login"]["uuid"].encode() for u in users]
    assert {r.topic for r in records} == {"users"}
    assert {r.timestamp for r in records} == {None}


def test_a_record_is_a_frozen_tuple(api: RandomUserApi) -> None:
    with RandomUserSource(config(api.url, max__users=1, output="flat")) as source:
        (record,) = source
    assert isinstance(record, penstock.Record)
    topic, _, value, timestamp = record
    assert (topic, timestamp) == ("users", None)
    assert json.loads(value or b"")["full_name"]
    with pytest.raises(AttributeError):
        record.topic = "other"  # type: ignore[misc]


def test_pages_follow_each_other(api: RandomUserApi) -> None:
    settings = config(
        api.url, max__users=1000, randomuser__results=300, randomuser__seed="x"
    )
    with RandomUserSource(settings) as source:
        keys = [record.key for record in source]
    assert len(set(keys)) == 1000
    assert [r.query["page"] for r in api.requests] == ["1", "2", "3", "4"]


def test_pace(api: RandomUserApi) -> None:
    with RandomUserSource(config(api.url, max__users=4, users__per__second=5)) as source:
        began = time.monotonic()
        assert len(list(source)) == 4
        assert 0.6 <= time.monotonic() - began < 1.5


def test_a_recorded_answer() -> None:
    url = (DATA / "ten.json").as_uri()
    with RandomUserSource({"kafka.topic": "t", "randomuser.url": url} | FAST) as source:
        assert len(list(source)) == 10
        assert list(source) == []


FAST: dict[str, Any] = {"users.per.second": 0}


def test_a_properties_file_and_layers(tmp_path: Path, api: RandomUserApi) -> None:
    path = tmp_path / "source.properties"
    path.write_text(f"kafka.topic=users\nrandomuser.url={api.url}\nmax.users=5\n")
    with RandomUserSource(path) as source:
        assert next(source).topic == "users"
    with RandomUserSource([str(path), {"max.users": "2"}, FAST]) as source:
        assert len(list(source)) == 2


def test_all_wrong_settings_at_once(tmp_path: Path) -> None:
    with pytest.raises(penstock.ConfigError) as caught:
        RandomUserSource({"max.user": "5", "users.per.second": "fast", "output": "x"})
    text = "\n".join(caught.value.errors)
    assert len(caught.value.errors) == 4
    for part in ('did you mean "max.users"', '"fast"', "raw", "kafka.topic"):
        assert part in text
    path = tmp_path / "source.properties"
    path.write_text("kafka.topic=users\n\nmax.users=x\n")
    with pytest.raises(penstock.ConfigError, match=r"source\.properties:3: max\.users"):
        RandomUserSource(path)
    with pytest.raises(penstock.ConfigError, match="is not RandomUserSource"):
        RandomUserSource({"kafka.topic": "t", "connector.class": "S3CsvSink"})


@pytest.mark.parametrize("wrong", [None, 5, {"kafka.topic": None}, {5: "x"}, [["a"]]])
def test_a_config_of_another_type(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RandomUserSource(wrong)


def test_nul_in_a_setting() -> None:
    with pytest.raises(ValueError, match="NUL"):
        RandomUserSource({"kafka.topic": "a\0b"})


def test_nothing_is_started_before_the_first_record(api: RandomUserApi) -> None:
    before = threading.active_count(), len(list(Path("/proc/self/task").iterdir()))
    source = RandomUserSource(config(api.url))
    assert before == (
        threading.active_count(),
        len(list(Path("/proc/self/task").iterdir())),
    )
    assert api.requests == []
    source.close()


def test_secrets_are_masked() -> None:
    settings = {"kafka.topic": "t", "producer.override.sasl.password": "hunter2"}
    source = RandomUserSource(settings)
    assert "hunter2" not in repr(source)
    assert source.config["producer.override.sasl.password"] == "****"
    assert source.config["kafka.topic"] == "t"
    with pytest.raises(penstock.ConfigError) as caught:
        RandomUserSource(settings | {"producer.override.sasl.pasword": "hunter2"})
    assert "hunter2" not in str(caught.value)
    source.close()


def test_closing(api: RandomUserApi) -> None:
    source = RandomUserSource(config(api.url))
    next(source)
    source.close()
    source.close()
    assert source.closed
    with pytest.raises(FatalError, match="is closed") as caught:
        next(source)
    assert caught.value.code == "closed"
    with pytest.raises(FatalError), source:
        pass


def test_failures_of_the_api_are_retried(
    api: RandomUserApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.fault("500", "malformed", "cut", "429:1")
    with (
        caplog.at_level(logging.INFO, "penstock"),
        RandomUserSource(config(api.url)) as source,
    ):
        assert len(list(source)) == 10
    warned = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 4
    assert {r.name for r in warned} == {"penstock.source"}
    assert "the API answers 500" in warned[0].getMessage()
    assert {r.__dict__["task"] for r in warned} == {"randomuser"}


def test_the_last_failure_is_raised(api: RandomUserApi) -> None:
    api.fault("500", times=3)
    with RandomUserSource(config(api.url, max__retries=1)) as source:
        with pytest.raises(FatalError, match="gave up after 2 tries") as caught:
            next(source)
        assert not caught.value.retriable
        with pytest.raises(FatalError):
            next(source)


def test_an_unclosed_source_warns(api: RandomUserApi) -> None:
    source = RandomUserSource(config(api.url))
    next(source)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del source
        gc.collect()
    assert [w.category for w in caught] == [ResourceWarning]
    assert "unclosed <RandomUserSource" in str(caught[0].message)


def test_one_thread_at_a_time(api: RandomUserApi) -> None:
    api.fault("slow:1")
    source = RandomUserSource(config(api.url))
    thread = threading.Thread(target=next, args=(source,))
    thread.start()
    time.sleep(0.3)
    with pytest.raises(FatalError, match="in use by another call") as caught:
        next(source)
    assert caught.value.code == "busy"
    with pytest.raises(FatalError, match="in use"):
        source.close()
    thread.join()
    source.close()


INTERRUPT = """
    import os, signal, sys, threading, time
    import penstock
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    config = {"kafka.topic": "t", "randomuser.url": sys.argv[1], "max.users": 3,
              "users.per.second": sys.argv[2]}
    source = penstock.RandomUserSource(config)
    for _ in range(int(sys.argv[3])):
        next(source)
    sent = []
    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Timer(0.43, send).start()
    try:
        next(source)
    except KeyboardInterrupt:
        print(time.monotonic() - sent[0])
    rest = len(list(source)) if sys.argv[4] == "go on" else 0
    began = time.monotonic()
    source.close()
    print(time.monotonic() - began)
    print(rest)
"""


@pytest.mark.parametrize("when", ["request", "pacing"])
def test_interrupt_within_200_ms(api: RandomUserApi, when: str) -> None:
    def measure() -> list[float]:
        """Seconds to the interrupt's handling, and for close()."""
        if when == "request":
            api.fault("slow:20")
            out = run_script(INTERRUPT, api.url, "0", "0", "stop")
        else:
            out = run_script(INTERRUPT, api.url, "0.1", "1", "stop")
        return [float(line) for line in out.split()[:2]]

    assert within((0.2, 0.3), measure)


def test_going_on_after_an_interrupt(api: RandomUserApi) -> None:
    api.fault("slow:2")
    out = run_script(INTERRUPT, api.url, "0", "0", "go on")
    assert out.split()[-1] == "3"


def test_a_fork(api: RandomUserApi) -> None:
    out = run_script(
        """
        import gc, os, sys
        import penstock
        config = {"kafka.topic": "t", "randomuser.url": sys.argv[1], "max.users": 5,
                  "users.per.second": 0}
        source = penstock.RandomUserSource(config)
        next(source)
        pid = os.fork()
        if pid == 0:
            try:
                next(source)
            except penstock.PenstockError as error:
                print(error.code, error, flush=True)
            source.close()
            source.close()
            del source
            gc.collect()
            other = penstock.RandomUserSource(config)
            print(len(list(other)), flush=True)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(status, len(list(source)))
        source.close()
        """,
        api.url,
    )
    lines = out.splitlines()
    assert lines[0].startswith("fork RandomUserSource was made before a fork")
    assert lines[1:] == ["5", "0 4"]


def test_produce(
    api: RandomUserApi, kafka: Kafka, client: KafkaClient, topics: TopicFactory
) -> None:
    topic = topics(3)
    worker = {"bootstrap.servers": kafka.bootstrap}
    source = RandomUserSource(config(api.url, kafka__topic=topic, max__users=50))
    done = source.produce(worker)
    records = client.read_all(topic)
    assert done["produced"] == len(records) == 50
    assert done["topic"] == topic
    for partition, (first, last) in done["offsets"].items():
        offsets = [r.offset for r in records if r.partition == partition]
        assert (first, last) == (min(offsets), max(offsets))
    assert sum(last - first + 1 for first, last in done["offsets"].values()) == 50
    again = source.produce(worker)
    assert min(first for first, _ in again["offsets"].values()) > 0
    source.close()


def test_produce_without_a_broker(api: RandomUserApi) -> None:
    source = RandomUserSource(config(api.url))
    worker: dict[str, Any] = {
        "bootstrap.servers": "127.0.0.1:1",
        "startup.timeout.ms": 500,
    }
    began = time.monotonic()
    with pytest.raises(penstock.PenstockError) as caught:
        source.produce(worker)
    assert time.monotonic() - began < 5
    assert caught.value.unreachable
    assert caught.value.summary is not None
    assert isinstance(caught.value, RetriableError | FatalError)
    source.close()
