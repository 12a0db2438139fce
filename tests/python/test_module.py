"""The extension modules as such: isolation, symbols, exceptions, neighbours."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import _connectors, _worker
from penstock._errors import error_of
from tests.support.script import run_script

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = [_connectors, _worker]


def test_version() -> None:
    assert penstock.__version__ == (ROOT / "VERSION").read_text().strip()


def test_everything_in_all_is_there() -> None:
    for name in penstock.__all__:
        assert hasattr(penstock, name)


def test_nothing_is_started_at_import() -> None:
    out = run_script(
        """
        import os, signal, sys, threading
        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        files = set(os.listdir("/proc/self/fd"))
        import penstock, penstock.cli, penstock.demo
        print(len(os.listdir("/proc/self/task")), threading.active_count())
        print(before == {n: signal.getsignal(n) for n in before})
        print(files == set(os.listdir("/proc/self/fd")))
        """
    )
    assert out.split() == ["1", "1", "True", "True"]


@pytest.mark.parametrize("module", MODULES)
def test_only_the_init_function_is_exported(module: object) -> None:
    path = str(module.__file__)  # type: ignore[attr-defined]
    done = subprocess.run(
        ["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True
    )
    names = [line.split()[-1] for line in done.stdout.splitlines()]
    assert [n for n in names if not n.startswith(("_init", "_fini"))] == [
        f"PyInit_{path.rpartition('/')[2].partition('.')[0]}"
    ]


def test_two_interpreters_share_nothing() -> None:
    out = run_script(
        """
        import _xxsubinterpreters as interpreters
        import penstock
        code = '''
        import penstock
        try:
            penstock.RandomUserSource({})
        except penstock.ConfigError as error:
            assert len(error.errors) == 1
        with penstock.RandomUserSource({"kafka.topic": "t"}) as source:
            pass
        '''
        import textwrap
        for _ in range(3):
            other = interpreters.create(isolated=False)
            interpreters.run_string(other, textwrap.dedent(code))
            interpreters.destroy(other)
        try:
            penstock.RandomUserSource({})
        except penstock.ConfigError as error:
            print(error)
        """
    )
    assert "kafka.topic" in out


def test_a_module_can_be_made_twice() -> None:
    out = run_script(
        """
        import sys
        import penstock
        first = penstock._connectors
        del sys.modules["penstock._connectors"]
        import penstock._connectors as second
        assert first is not second
        assert first.S3CsvSink is not second.S3CsvSink
        try:
            second.RandomUserSource({})
        except penstock.ConfigError:
            print("same exceptions")
        """
    )
    assert out.strip() == "same exceptions"


def test_beside_confluent_kafka() -> None:
    """Its wheel brings a librdkafka of its own."""
    out = run_script(
        """
        import confluent_kafka
        import penstock
        producer = confluent_kafka.Producer({"bootstrap.servers": "127.0.0.1:1",
                                             "log_level": 0})
        with penstock.EmbeddedKafka() as cluster:
            cluster.create_topic("t", 2)
            real = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap})
            real.produce("t", b'{"a": 1}')
            assert real.flush(10) == 0
            print(penstock._worker.infer_topic(
                {"bootstrap.servers": cluster.bootstrap, "consumer.log_level": 3}, "t"))
        print(confluent_kafka.libversion()[0])
        """
    )
    assert out.splitlines()[0] == "('a BIGINT', 1, 0)"


def test_exceptions() -> None:
    error = error_of("timeout", "no answer", True, True)
    assert type(error) is penstock.RetriableError
    assert (error.code, error.retriable, error.unreachable) == ("timeout", True, True)
    assert type(error_of("chain", "x", False, False)) is penstock.FatalError
    wrong = error_of("config", "a: wrong", False, False)
    assert isinstance(wrong, penstock.ConfigError)
    assert wrong.errors == ["a: wrong"]
    for made in (error, wrong, penstock.ConfigError(["a", "b"])):
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is type(made)
        assert str(again) == str(made)
        assert again.__dict__ == made.__dict__


def test_the_settings_help() -> None:
    for name in ("worker", *(row[0] for row in _worker.connectors())):
        assert name in _worker.settings_help(name)
    with pytest.raises(penstock.FatalError, match="no settings"):
        _worker.settings_help("Nothing")
    with pytest.raises(TypeError):
        _worker.settings_help(5)  # type: ignore[arg-type]


def test_secret_names() -> None:
    assert _worker.is_secret("S3CsvSink", "aws.secret.access.key")
    assert _worker.is_secret("worker", "sasl.password")
    assert not _worker.is_secret("S3CsvSink", "csv.sep")


def test_check() -> None:
    errors, warnings = _worker.check(None, {"connector.class": "RandomUserSource"})
    assert any("name" in line for line in errors)
    assert any("kafka.topic" in line for line in errors)
    assert not any("bootstrap" in line for line in errors)
    assert warnings == []
    errors, _ = _worker.check({})
    assert len(errors) == 1
    assert "bootstrap.servers" in errors[0]
    good = {
        "name": "n",
        "connector.class": "RandomUserSource",
        "kafka.topic": "t",
        "randomuser.nat": "XX",
    }
    errors, warnings = _worker.check({"bootstrap.servers": "x"}, good)
    assert errors == []
    assert "XX" in warnings[0]


def test_infer_values() -> None:
    values = [b'{"a": 1, "b": null}', b"not json", b'{"a": 2.5, "c": [{"d": true}]}']
    ddl, records, skipped = _worker.infer_values(values)
    assert ddl == "a DOUBLE, b STRING, c ARRAY<STRUCT<d: BOOLEAN>>"
    assert (records, skipped) == (3, 1)
    with pytest.raises(penstock.FatalError, match="no record"):
        _worker.infer_values([b"5"])
    with pytest.raises(TypeError):
        _worker.infer_values([5])  # type: ignore[list-item]


def test_embedded_kafka() -> None:
    cluster = penstock.EmbeddedKafka(2)
    assert len(cluster.bootstrap.split(",")) == 2
    cluster.create_topic("a", partitions=3)
    with pytest.raises(penstock.PenstockError):
        cluster.create_topic("b", partitions=0)
    cluster.close()
    cluster.close()
    with pytest.raises(penstock.FatalError, match="is closed"):
        cluster.create_topic("c")
    with pytest.raises(penstock.PenstockError):
        penstock.EmbeddedKafka(0)


@pytest.mark.parametrize("name", ["Worker", "EmbeddedKafka"])
def test_types_are_final(name: str) -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (getattr(penstock, name),), {})


def test_objects_that_were_not_initialised() -> None:
    kinds: list[Any] = [penstock.RandomUserSource, penstock.S3CsvSink, penstock.Worker]
    for kind in kinds:
        made = kind.__new__(kind)
        with pytest.raises(TypeError, match="__init__"):
            made.__enter__()
        made.close()
        assert repr(made)
        del made


def test_initialising_twice() -> None:
    source = penstock.RandomUserSource({"kafka.topic": "t"})
    with pytest.raises(TypeError, match="once only"):
        source.__init__({"kafka.topic": "t"})  # type: ignore[misc]
    source.close()
