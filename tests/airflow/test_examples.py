"""The example DAGs run as they are, and the documentation shows them as they are."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import penstock_airflow
from tests.airflow.conftest import RunDag, _register, connection, run_made
from tests.conftest import BucketFactory, TopicFactory
from tests.integration.landing import sink
from tests.services import Kafka
from tests.support import KafkaClient, audit
from tests.support.script import run_script

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = Path(str(penstock_airflow.__file__)).parent / "example_dags"
NAMES = sorted(path.stem for path in EXAMPLES.glob("example_*.py"))
DOCS = ROOT / "docs" / "airflow.md"


def load(name: str) -> dict[str, Any]:
    """The DAGs of an example, made anew in the environment that is now."""
    module = module_of(name)
    found = [value for value in vars(module).values() if hasattr(value, "dag_id")]
    return {dag.dag_id: dag for dag in found if hasattr(dag, "task_dict")}


def module_of(name: str) -> ModuleType:
    """An example, imported anew."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example_env(
    connections: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    kafka: Kafka,
    topics: TopicFactory,
    recorded: str,
) -> str:
    """The examples' variables; the topic."""
    topic = topics(2)
    monkeypatch.setenv("PENSTOCK_EXAMPLE_URL", recorded)
    monkeypatch.setenv("PENSTOCK_EXAMPLE_TOPIC", topic)
    monkeypatch.setenv("PENSTOCK_EXAMPLE_SERVERS", kafka.bootstrap)
    return topic


def test_every_minutes_run(example_env: str, client: KafkaClient) -> None:
    run = run_made(load("example_every_minute")["penstock_every_minute"], {})
    assert run.states == {"produce": "success"}
    assert 9 <= run.results["produce"]["seconds"] < 20
    assert len(client.read_all(example_env)) == 10


def test_produce_land_check(
    example_env: str,
    client: KafkaClient,
    buckets: BucketFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = buckets()
    monkeypatch.setenv("PENSTOCK_EXAMPLE_BUCKET", bucket.name)
    dag = load("example_produce_land_check")["penstock_produce_land_check"]
    run = run_made(dag, {})
    assert set(run.states.values()) == {"success"}
    assert run.results["check"] == 10
    group = f"connect-{dag.dag_id}.land"
    report = audit(
        example_env, bucket, client, group=group, prefix="example", header=True
    )
    assert report.records == 10


def test_compressed(
    example_env: str,
    client: KafkaClient,
    buckets: BucketFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = buckets()
    monkeypatch.setenv("PENSTOCK_EXAMPLE_BUCKET", bucket.name)
    client.produce(example_env, [f'{{"id": "r{i}"}}' for i in range(20)])
    run = run_made(load("example_compressed")["penstock_compressed"], {})
    assert run.states == {"land": "success"}
    stored = bucket.objects(f"lines/{example_env}/")
    assert stored
    assert all(re.search(r"/hour=\d\d/.*\.jsonl\.zst$", s.key) for s in stored)
    lines = b"".join(s.content for s in stored).decode().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(
        f"r{i}" for i in range(20)
    )


def test_lag_sensor(example_env: str, client: KafkaClient, tmp_path: Path) -> None:
    import penstock

    client.produce(example_env, ['{"id": "a"}'])
    settings = sink(example_env, tmp_path.as_uri(), None) | {"name": "users-sink"}
    worker = {"bootstrap.servers": os.environ["PENSTOCK_EXAMPLE_SERVERS"]}
    penstock.run(worker, settings, until="end", timeout=60)
    run = run_made(load("example_lag_sensor")["penstock_lag_sensor"], {})
    assert run.states == {"landed": "success", "report": "success"}
    assert run.results["report"] == 0


def test_assets(
    example_env: str, buckets: BucketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = buckets()
    monkeypatch.setenv("PENSTOCK_EXAMPLE_BUCKET", bucket.name)
    spec = load("example_assets")
    made = {dag_id: run_made(dag, {}).states for dag_id, dag in spec.items()}
    assert made == {
        "penstock_assets_produce": {"produce": "success"},
        "penstock_assets_land": {"land": "success"},
        "penstock_assets_read": {"read": "success"},
    }
    again = run_made(spec["penstock_assets_land"], {})
    assert again.states == {"land": "skipped"}
    land = spec["penstock_assets_land"].task_dict["land"]
    assert [asset.uri for asset in land.outlets] == [
        f"s3://{bucket.name}/assets/{example_env}"
    ]
    assert [asset.uri for asset in land.inlets] == [f"kafka://kafka:9092/{example_env}"]


def test_bash(example_env: str, client: KafkaClient) -> None:
    """The file's own `test_run`, as pytest and `python FILE` call it; the same run again,
    as a retry is, makes no other users."""
    module = module_of("example_bash")
    _register(module.dag)
    module.test_run()
    records = client.read_all(example_env)
    assert len({record.key for record in records}) == len(records) == 10
    produce = module.dag.task_dict["produce"].python_callable
    commands = {produce(run_id=run_id) for run_id in ("a", "a", "b")}
    assert len(commands) == 2


def test_bash_quotes_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://host/?a=1&b='x y'$(touch z)"
    monkeypatch.setenv("PENSTOCK_EXAMPLE_URL", url)
    produce = load("example_bash")["penstock_bash"].task_dict["produce"]
    argv = shlex.split(
        produce.python_callable(run_id="manual__2024-01-01T00:00:00+00:00")
    )
    assert argv[:3] == ["exec", "penstock", "produce"]
    assert argv[-2:] == ["--url", url]
    shell = ["bash", "-c", produce.python_callable(run_id="r").replace("exec", "echo", 1)]
    said = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert said.rstrip("\n").endswith(url)


@pytest.mark.parametrize("name", NAMES)
def test_the_form_of_airflows_system_tests(name: str) -> None:
    module = module_of(name)
    assert callable(module.test_run)
    for dag in load(name).values():
        assert {"example", "penstock"} <= set(dag.tags)
        assert not dag.catchup
        writes = any(hasattr(task, "run_job") for task in dag.tasks)
        assert dag.max_active_runs == 1 or not (writes or name == "example_bash")


def test_airflow_dags_test(
    example_env: str,
    client: KafkaClient,
    buckets: BucketFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow's own command, on the file as it lies in the DAG folder."""
    monkeypatch.setenv("PENSTOCK_EXAMPLE_BUCKET", buckets().name)
    link = Path(os.environ["AIRFLOW_HOME"]) / "dags" / "example_produce_land_check.py"
    link.symlink_to(EXAMPLES / link.name)
    name = "penstock_produce_land_check"
    try:
        argv = [sys.executable, "-m", "airflow", "dags", "test", name]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=110
        )
    finally:
        link.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(client.read_all(example_env)) == 10


def test_both_kafka_providers_in_one_process(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """confluent-kafka brings a librdkafka of its own: both are at work, in turn and with
    a client of the other one alive."""
    import confluent_kafka
    from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator

    from tests.airflow.test_operators import make_produce

    topic = topics(1)
    extras = {"bootstrap.servers": connections["bootstrap.servers"]}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_OFFICIAL", connection(conn_type="kafka", extra=extras)
    )

    def theirs(name: str) -> ProduceToTopicOperator:
        return ProduceToTopicOperator(
            task_id=name,
            topic=topic,
            producer_function="tests.airflow.test_examples.one_record",
            kafka_config_id="kafka_official",
        )

    def build() -> None:
        ours = make_produce(topic, recorded, users_per_second=0)
        theirs("before") >> ours >> theirs("after")

    servers = connections["bootstrap.servers"]
    beside = confluent_kafka.Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
        }
    )
    beside.subscribe([topic])
    PRODUCED_BY.clear()
    run = run_dag(build)
    assert run.states == dict.fromkeys(("before", "produce", "after"), "success")
    assert [os.getpid()] * 2 == PRODUCED_BY, "not in one process"
    assert len(client.read_all(topic)) == 12
    assert beside.poll(30) is not None
    beside.close()
    maps = Path("/proc/self/maps").read_text()
    loaded = set(re.findall(r"/\S*librdkafka\S*", maps))
    assert len(loaded) == 2, loaded
    assert "penstock._worker" in sys.modules


PRODUCED_BY: list[int] = []


def one_record() -> list[tuple[bytes, bytes]]:
    """What the official operator produces."""
    PRODUCED_BY.append(os.getpid())
    return [(b"key", b"value")]


PARSE = """
    import os, sys, time
    import airflow.dag_processing.manager  # what a DAG processor has when it forks
    from airflow.providers.common.compat.sdk import DAG
    def parse(text):
        read, write = os.pipe()
        if os.fork() == 0:
            began = time.process_time()
            exec(compile(text, "f", "exec"), {"__name__": "dag_file"})
            os.write(write, str(time.process_time() - began).encode())
            os._exit(0)
        os.close(write)
        os.wait()
        with open(read) as pipe:
            return float(pipe.read())
    texts = [open(path).read() for path in sys.argv[1:]]
    best = [parse(text) for text in texts]
    for _ in range(19):
        best = [min(b, parse(text)) for b, text in zip(best, texts)]
    print(*best)
"""
EMPTY = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG, task
with DAG("empty", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
    pass
"""
CORE = f"""{EMPTY}
    @task
    def nothing():
        pass
    nothing()
"""
PARSE_RATIO = 2.0


def test_parsing_is_cheap(tmp_path: Path) -> None:
    """CPU time above an empty DAG's, in turn, the least of some.

    The floor is Airflow's own `@task` in the same run, which one of them has.
    """
    own = {"empty": EMPTY.replace(", task", ""), "core": CORE}
    names = ("example_every_minute", "example_produce_land_check")
    files = [*(tmp_path / f"{n}.py" for n in own), *(EXAMPLES / f"{n}.py" for n in names)]
    for path, text in zip(files, own.values(), strict=False):
        path.write_text(text)
    # An installed package has its bytecode.
    env = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "pyc")}
    out = run_script(PARSE, *map(str, files), env=env, timeout=110)
    empty, core, *ours = (float(word) for word in out.split())
    above = [time - empty for time in (core, *ours)]
    print("parsing, ms above an empty DAG:", *(f"{t * 1000:.1f}" for t in above))
    assert all(time < PARSE_RATIO * above[0] for time in above[1:]), above


def section(name: str) -> str:
    """What stands between an example's START and END marks."""
    text = (EXAMPLES / f"{name}.py").read_text()
    found = re.search(r"# \[START \w+\]\n(.*?)# \[END \w+\]", text, re.DOTALL)
    assert found, f"{name} has no section"
    return found[1].strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_shows_it(name: str) -> None:
    docs = DOCS.read_text()
    assert f"{name}.py" in docs
    assert f"```python\n{section(name)}\n```" in docs, f"{DOCS.name} lacks {name}"
    assert ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
