"""The two operators that run C connectors, with `dag.test()` against real services."""

from __future__ import annotations

import importlib
import json
import re
import threading
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)
from confluent_kafka import Producer

from penstock_airflow import settings
from penstock_airflow.job import error_for
from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator
from tests.airflow.conftest import SCHEMA, Instance, RunDag, connection
from tests.conftest import BucketFactory, TopicFactory
from tests.services import Kafka
from tests.support import Bucket, KafkaClient, Msg, audit
from tests.support.script import run_script


def test_users_flow_into_the_bucket(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic, bucket = topics(2), buckets()

    def build() -> None:
        produce = RandomUserToKafkaOperator(
            task_id="produce",
            topic=topic,
            max_users=10,
            users_per_second=20,
            output="flat",
            url=recorded,
        )
        land = KafkaToS3CsvOperator(
            task_id="land",
            topics=[topic],
            schema=SCHEMA,
            bucket=bucket.name,
            prefix="lake",
            csv={"header": True},
            name=f"land-{topic}",
        )
        produce >> land

    run = run_dag(build)
    assert run.states == {"produce": "success", "land": "success"}
    produced, landed = run.results["produce"], run.results["land"]
    assert produced["produced"] == 10
    assert produced["topic"] == topic
    ends = client.end_offsets(topic)
    records = client.read_all(topic)
    assert len(records) == 10
    for partition, (first, last) in produced["offsets"].items():
        offsets = [r.offset for r in records if r.partition == int(partition)]
        assert (offsets[0], offsets[-1]) == (first, last)
        assert last < ends[int(partition)]
    assert landed["records"] == landed["rows"] == 10
    assert landed["objects"] == len(landed["offsets"][topic]) > 0
    assert landed["last_object"].startswith(f"s3://{bucket.name}/lake/{topic}/")
    report = audit(
        topic, bucket, client, group=f"connect-land-{topic}", prefix="lake", header=True
    )
    assert report.records == 10


def make_produce(topic: str, url: str, **more: Any) -> RandomUserToKafkaOperator:
    """A task that produces ten users at ten a second."""
    options: dict[str, Any] = {
        "task_id": "produce", "max_users": 10, "users_per_second": 10, "output": "flat",
        "name": f"produce-{topic}", "seed": "penstock-500",
    }  # fmt: skip
    return RandomUserToKafkaOperator(topic=topic, url=url, **{**options, **more})


def test_a_seed_that_is_produced_is_not_produced_again(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic = topics(1)
    first = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    again = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    more = run_dag(
        lambda: make_produce(topic, recorded, users_per_second=0, max_users=12)
    )
    produced = [run.results["produce"]["produced"] for run in (first, again, more)]
    assert produced == [10, 0, 2]
    assert len({record.key for record in client.read_all(topic)}) == 12


def test_an_empty_drain_is_skipped_when_asked(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
) -> None:
    topic, bucket = topics(1), buckets()

    def build() -> None:
        KafkaToS3CsvOperator(
            task_id="land",
            topics=topic,
            schema=SCHEMA,
            bucket=bucket.name,
            name=f"land-{topic}",
            skip_when_empty=True,
        )

    assert run_dag(build).states == {"land": "skipped"}


def make_land(topic: str, into: Bucket, **more: Any) -> KafkaToS3CsvOperator:
    """A task that lands a topic."""
    options: dict[str, Any] = {
        "task_id": "land", "name": f"land-{topic}", "bucket": into.name,
        "connect_timeout": 20,
    }  # fmt: skip
    return KafkaToS3CsvOperator(topics=topic, schema=SCHEMA, **{**options, **more})


def context(**parts: int) -> Any:
    """What an operator asks of a run, where no Airflow makes it."""
    return {"ti": Instance(**parts), "run_id": "r"}


def users(count: int, first: int = 0) -> list[Msg]:
    """So many records of SCHEMA."""
    return [Msg(f'{{"id": "u{n}"}}', partition=0) for n in range(first, first + count)]


def test_a_retry_is_not_skipped(
    connections: dict[str, Any],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    """The try before may have landed records, and its result is lost."""
    topic, bucket = topics(1), buckets()
    client.produce(topic, users(5))
    land = make_land(topic, bucket, skip_when_empty=True)
    assert land.execute(context())["objects"] == 1
    retried = land.execute(context(try_number=2))
    assert (retried["objects"], retried["records"]) == (0, 0)
    with pytest.raises(AirflowSkipException, match="nothing new"):
        land.execute(context())


def test_all_is_landed_when_a_run_succeeds(
    connections: dict[str, Any],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    """Three runs of one task at once: whichever ends, nothing is left to land."""
    topic, bucket = topics(4), buckets()
    messages = [Msg(f'{{"id": "u{n}"}}', partition=n % 4) for n in range(40000)]
    client.produce(topic, messages)
    ends = client.end_offsets(topic)
    landed, left = list[dict[str, Any]](), list[dict[int, int]]()

    def run(task: KafkaToS3CsvOperator) -> None:
        landed.append(task.work(context()))  # Airflow 2's execute() wants a main thread
        done = client.committed(f"connect-land-{topic}", topic)
        left.append({p: done[p][0] for p in ends if done[p][0] < ends[p]})

    # Small objects: so that it takes a while.
    tasks = [make_land(topic, bucket, config={"flush.size": 1000}) for _ in range(3)]
    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert left == [{}, {}, {}]
    assert sum(result["records"] for result in landed) == 40000
    report = audit(topic, bucket, client, group=f"connect-land-{topic}")
    assert report.records == 40000


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_what_holds_nothing_is_landed(
    start: str,
    connections: dict[str, Any],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    kafka: Kafka,
) -> None:
    """Ends that are no record's: markers, an open transaction, a new chain at the end."""
    topic, bucket = topics(2), buckets()
    client.produce(topic, users(3))
    options = {"bootstrap.servers": kafka.bootstrap, "transactional.id": f"t-{topic}"}
    producer = Producer(options)
    producer.init_transactions()
    for commits in (False, True):
        producer.begin_transaction()
        producer.produce(topic, b'{"id": "x"}', partition=0)
        producer.flush()
        (producer.commit_transaction if commits else producer.abort_transaction)()
    producer.begin_transaction()
    producer.produce(topic, b'{"id": "open"}', partition=0)
    producer.flush()
    land = make_land(topic, bucket, starting_offsets=start, connect_timeout=5)
    done = land.execute(context())
    assert done["records"] == (4 if start == "earliest" else 0)
    producer.abort_transaction()


def test_another_member_that_does_not_get_on(
    connections: dict[str, Any],
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    """A success would say that all is landed: it fails, and says who has the rest."""
    topic, bucket = topics(2), buckets()
    client.produce(topic, [Msg('{"id": "a"}', partition=p) for p in (0, 1)])
    land = make_land(topic, bucket, connect_timeout=1)
    ends = {(topic, 0): 1, (topic, 1): 1}
    worker = settings.kafka_settings("kafka_default")
    sink = land.sink_settings(context())
    text = rf"{topic}\[0\], {topic}\[1\]: .* another member .* connect-land-{topic}"
    with pytest.raises(AirflowException, match=text) as caught:
        land._await_others(worker, sink, ends)
    assert not isinstance(caught.value, AirflowFailException)
    land.execute(context())
    assert not land._await_others(worker, sink, ends)


def test_names() -> None:
    """Stable from run to run; what goes by a name of its own is apart."""

    def source(**parts: int) -> dict[str, Any]:
        task = RandomUserToKafkaOperator(task_id="produce", topic="t")
        return dict(task.source_settings(context(**parts)))

    names = [source()["name"], source(try_number=2)["name"], source(map_index=3)["name"]]
    assert names[0] == names[1] != names[2]
    assert names[2] == f"{names[0]}.3"
    land = KafkaToS3CsvOperator(task_id="land", topics="t", schema="id STRING")
    land.aws_conn_id = None
    assert land.sink_settings(context())["name"] == f"{land.dag_id}.land"
    with pytest.raises(AirflowFailException, match="task land is mapped: give name="):
        land.sink_settings(context(map_index=0))
    land.name = "lake-users"
    assert land.sink_settings(context(map_index=0))["name"] == "lake-users"
    long = [settings.task_name(context(), "d" * 250, f"{'t' * 249}{n}") for n in (1, 2)]
    assert [len(name) for name in long] == [200, 200]
    assert long[0] != long[1]
    other = settings.task_name(context(), "größe", "t")
    assert re.fullmatch(r"gr__e\.t-[0-9a-f]{16}", other)
    assert len(settings.shortened("ü" * 300, 255).encode()) <= 255


def test_runs_at_once_do_not_fence_each_other(
    connections: dict[str, Any], topics: TopicFactory, client: KafkaClient, recorded: str
) -> None:
    """Two runs of one task, each with its own seed, each once retried after the other."""
    topic = topics(1)
    made = dict[str, int]()

    def run(seed: str) -> None:
        task = make_produce(topic, recorded, seed=seed, name=f"p-{topic}")
        made[seed] = task.work(context())["produced"]

    threads = [threading.Thread(target=run, args=(f"run-{n}",)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == {"run-1": 10, "run-2": 10}
    for seed in ("run-1", "run-2"):
        run(seed)
    assert made == {"run-1": 0, "run-2": 0}
    assert len(client.read_all(topic)) == 20


def test_mapped_tasks_produce_each_their_own(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    """With one seed, too: one of them does not find that the other has produced it."""
    wanted = [topics(1, name=f"mapped-{n}-{time.time_ns()}") for n in range(2)]

    def build() -> None:
        RandomUserToKafkaOperator.partial(
            task_id="produce", url=recorded, seed="same", max_users="{{ 2 + 3 }}",
            users_per_second="{{ 0 }}",
        ).expand(topic=wanted)  # fmt: skip

    assert run_dag(build).states == {"produce": "success"}
    assert [len(client.read_all(topic)) for topic in wanted] == [5, 5]


def test_offsets_of_old_runs_are_removed(
    connections: dict[str, Any],
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The topic of stored offsets holds what may still be retried, however many runs."""
    topic, stored_in = topics(1), f"offsets-{time.time_ns()}"

    def run(seed: str, **more: Any) -> None:
        extras = {**connections, "offset.storage.topic": stored_in, **more}
        monkeypatch.setenv(
            "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
        )
        more = {"name": f"p-{topic}", "users_per_second": 0}
        make_produce(topic, recorded, seed=seed, **more).execute(context())

    def stored() -> set[str]:
        """The seeds that have a value, as compaction leaves them."""
        newest = {r.key: r.value for r in client.read_all(stored_in)}
        return {json.loads(k or b"")[1]["seed"] for k, v in newest.items() if v}

    for n in range(5):
        run(f"run-{n}")
    assert stored() == {f"run-{n}" for n in range(5)}  # 7 days by default
    run("run-5", **{"offset.storage.retention.ms": 1})
    assert stored() == {"run-5"}
    run("run-4", **{"offset.storage.retention.ms": 3600000})
    assert stored() == {"run-4", "run-5"}


def test_secrets_are_masked(
    connections: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masked = set[str]()
    monkeypatch.setattr(settings, "mask_secret", masked.add)
    extras = {
        **connections,
        "sasl.password": "secret-1",
        "consumer.ssl.key.password": "secret-2",
        "ssl.key.pem": "secret-3",
        "sasl.oauthbearer.client.secret": "secret-4",
        "sasl.oauthbearer.config": "secret-5",
        "producer.ssl.keystore.password": "secret-6",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "shown-1",
        "sasl.oauthbearer.scope": "shown-2",
        "sasl.oauthbearer.token.endpoint.url": "https://shown-3",
        "ssl.ca.location": "/shown/4",
    }
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    settings.kafka_settings("kafka_default")
    assert masked == {f"secret-{n}" for n in range(1, 7)}
    masked.clear()
    config: settings.Settings = {
        "aws.access.key.id": "AKIASHOWN",
        "aws.secret.access.key": "secret-7",
        "consumer.override.sasl.password": "secret-8",
        "store.url": "https://user:secret-9@proxy:1/",
        "csv.sep": ";",
    }
    settings.mask_secrets("S3CsvSink", config)
    assert masked == {"secret-7", "secret-8", "secret-9"}


def redact(text: str) -> str:
    """What Airflow's own masker leaves of a line of a task's log."""
    try:
        masker = importlib.import_module("airflow.sdk._shared.secrets_masker")
    except ImportError:  # Airflow 2
        masker = importlib.import_module("airflow.utils.log.secrets_masker")
    return str(masker.redact(text))


def test_no_secret_of_config_is_in_the_log(
    connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes it, from the moment that the connectors run."""
    extras = {**connections, "consumer.sasl.password": "of-the-connection"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    config: dict[str, Any] = {
        "consumer.override.ssl.key.password": "of-the-config",
        "csv.sep": "no separator",
    }
    task = KafkaToS3CsvOperator(
        task_id="land", topics="t", schema="id STRING", bucket="b", config=config
    )
    with pytest.raises(AirflowFailException, match="not a bucket's name"):
        task.execute(context())
    line = f"of-the-connection {config} AKIA penstock oidc"
    shown = redact(line)
    assert "of-the" not in shown
    assert "'csv.sep': 'no separator'" in shown
    assert shown.endswith("AKIA penstock oidc")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "no login (access key) and no password (secret key)"),
        ({"login": "AKIA"}, "no password (secret key)"),
        ({"password": "geheim"}, "no login (access key)"),
    ],
)
@pytest.mark.parametrize("amazon", [True, False])
def test_an_aws_connection_without_credentials(
    amazon: bool,
    parts: dict[str, str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_AWS", connection(conn_type="aws", **parts))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    if not amazon:
        monkeypatch.setattr(settings, "_amazon", lambda conn_id: None)
    if not parts and not amazon:  # they come from the worker's own environment
        assert settings.s3_settings("my_aws") == {}
        return
    with pytest.raises(AirflowFailException, match=re.escape(f"my_aws: {text}")):
        settings.s3_settings("my_aws")


@pytest.mark.parametrize("kind", ["topic", "bucket"])
def test_what_may_be_made_later_is_retried(
    kind: str,
    connections: dict[str, Any],
    topics: TopicFactory,
    buckets: BucketFactory,
) -> None:
    bucket = buckets()
    if kind == "topic":
        task = make_land("no-such-topic", bucket, connect_timeout=1)
    else:
        task = make_land(topics(1), bucket, bucket="no-such-bucket", connect_timeout=1)
    with pytest.raises(AirflowException, match=r"no.such.(topic|bucket)") as caught:
        task.execute(context())
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(
    ("code", "retriable", "unreachable", "final"),
    [
        ("not found", False, False, False),
        ("timeout", True, False, False),
        ("auth", False, True, False),
        ("auth", False, False, True),
        ("config", False, False, True),
        ("invalid data", False, False, True),
        ("chain", False, False, True),
    ],
)
def test_which_errors_are_final(
    code: str, retriable: bool, unreachable: bool, final: bool
) -> None:
    from penstock._errors import error_of

    error = error_for(error_of(code, "text", retriable, unreachable))
    assert str(error) == "text"
    assert isinstance(error, AirflowFailException) == final


@pytest.mark.parametrize(
    ("extra", "more", "text"),
    [
        ({"error_cb": "my.module.f"}, {}, "error_cb is a Python callback"),
        ({"debug": ["broker"]}, {}, "debug must be a text, a number or true or false"),
        ({"bootstrap.servers": ""}, {}, "bootstrap.servers is missing in the extras"),
        ({"sasl.mechanismus": "PLAIN"}, {}, "sasl.mechanism"),
        ({}, {"config": {"randomuser.sed": "x"}}, "randomuser.seed"),
    ],
)
def test_wrong_settings_fail_without_a_retry(
    extra: dict[str, Any],
    more: dict[str, Any],
    text: str,
    connections: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extras = {**connections, **extra}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    task = make_produce("t", "http://127.0.0.1:1/", **more)
    with pytest.raises(AirflowFailException, match=re.escape(text)):
        task.execute({})


def test_no_broker_fails_in_a_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"bootstrap.servers": "127.0.0.1:1"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    task = make_produce("t", "http://127.0.0.1:1/", connect_timeout=1)
    began = time.monotonic()
    with pytest.raises(AirflowException, match=r"127\.0\.0\.1:1") as caught:
        task.execute({})
    assert not isinstance(caught.value, AirflowFailException)
    assert time.monotonic() - began < 6


def test_nothing_is_made_before_execute(connections: dict[str, Any]) -> None:
    """Parsing makes operators every few seconds: no thread, no import of C."""
    text = """
        import sys, threading
        from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
        from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator
        before = threading.active_count()
        RandomUserToKafkaOperator(task_id="a", topic="t")
        KafkaToS3CsvOperator(task_id="b", topics="t", schema="id STRING", bucket="b")
        assert threading.active_count() == before
        print([name for name in sys.modules if name.split(".")[0] == "penstock"])
    """
    assert run_script(text).strip().endswith("[]")
