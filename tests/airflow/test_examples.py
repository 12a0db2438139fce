"""The example DAGs run as they are, and the documentation shows them as they are."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import penstock_airflow
from tests.airflow.conftest import RunDag, connection, run_made
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
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if hasattr(value, "dag_id")]
    return {dag.dag_id: dag for dag in found if hasattr(dag, "task_dict")}


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
    spec = load_all_dags("example_assets")
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


def load_all_dags(name: str) -> dict[str, Any]:
    """Also those that no variable holds."""
    from airflow.providers.common.compat.sdk import DAG

    made: dict[str, Any] = {}
    enter = DAG.__enter__

    def note(dag: Any) -> Any:
        made[dag.dag_id] = dag
        return enter(dag)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DAG, "__enter__", note)
        load(name)
    return made


def test_bash(example_env: str, client: KafkaClient) -> None:
    run = run_made(load("example_bash")["penstock_bash"], {})
    assert run.states == {"produce": "success"}
    assert len(client.read_all(example_env)) == 10


def test_airflow_dags_test(example_env: str, client: KafkaClient) -> None:
    """Airflow's own command, on the file as it lies in the DAG folder."""
    dags = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    link = dags / "example_every_minute.py"
    link.symlink_to(EXAMPLES / link.name)
    try:
        argv = [sys.executable, "-m", "airflow", "dags", "test", "penstock_every_minute"]
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
    """confluent-kafka brings a librdkafka of its own."""
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

    run = run_dag(build)
    assert run.states == dict.fromkeys(("before", "produce", "after"), "success")
    assert len(client.read_all(topic)) == 12


def one_record() -> list[tuple[bytes, bytes]]:
    """What the official operator produces."""
    return [(b"key", b"value")]


PARSE = """
    import os, sys, time
    from airflow.providers.common.compat.sdk import DAG, task
    def parse(text):
        read, write = os.pipe()
        if os.fork() == 0:
            began = time.process_time()
            exec(compile(text, "f", "exec"), {"__name__": "dag_file"})
            os.write(write, str(time.process_time() - began).encode())
            os._exit(0)
        os.wait()
        return float(os.read(read, 100))
    for text in open(sys.argv[1]).read(), open(sys.argv[2]).read():
        print(min(parse(text) for _ in range(3)))
"""


def test_parsing_is_cheap(tmp_path: Path) -> None:
    """Against a file that does what any DAG file does: one operator of the core's."""
    floor = tmp_path / "floor.py"
    floor.write_text((EXAMPLES / "example_bash.py").read_text())
    out = run_script(PARSE, str(EXAMPLES / "example_every_minute.py"), str(floor))
    ours, theirs = (float(line) for line in out.split())
    print(f"parsing: {ours * 1000:.1f} ms, with the bash task {theirs * 1000:.1f} ms")
    assert ours < max(2 * theirs, 0.05)


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
