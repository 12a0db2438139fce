"""The command `penstock`: options, outputs and exit statuses, as programs see them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, TopicFactory
from tests.integration.landing import SCHEMA, fill
from tests.services import Kafka, Minio, RandomUserApi
from tests.support import KafkaClient, Msg, parse_csv
from tests.support.daemon import write_properties
from tests.support.script import PROGRAMS, run_penstock

COMMANDS = [
    "demo", "produce", "sink", "chain", "schema", "validate", "connectors", "version",
]  # fmt: skip
FAST = ["--set-worker", "consumer.session.timeout.ms=3000"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    done = run_penstock(command, "--help")
    assert done.returncode == 0
    assert f"\n  penstock {command}" in done.stdout
    assert "exit status: 0 done" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def test_help_lists_the_commands() -> None:
    out = run_penstock("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s", out, re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["nothing"],
        ["produce", "--max-users", "0"],
        ["produce", "--users-per-second", "-1"],
        ["produce", "--output", "csv"],
        ["produce", "--top", "users"],
        ["schema"],
        ["sink", "--dir", "x", "--endpoint", "y"],
        ["validate"],
        ["chain"],
        ["chain", "take-over"],
        ["chain", "show", "--from", "-1"],
    ],
)
def test_wrong_usage(args: list[str]) -> None:
    done = run_penstock(*args)
    assert done.returncode == 2
    assert "usage: penstock" in done.stderr


def test_version() -> None:
    assert re.fullmatch(r"penstock \d+\.\d+\.\d+ .*\n", run_penstock("version").stdout)
    assert "penstock" in json.loads(run_penstock("version", "--json").stdout)


def test_connectors() -> None:
    out = run_penstock("connectors").stdout
    assert "RandomUserSource (source)" in out
    assert "S3CsvSink (sink)" in out
    rows = json.loads(run_penstock("connectors", "--json").stdout)
    assert {row["class"] for row in rows} == {"RandomUserSource", "S3CsvSink"}
    assert "value.schema" in run_penstock("connectors", "S3CsvSink").stdout
    assert "bootstrap.servers" in run_penstock("connectors", "worker").stdout
    done = run_penstock("connectors", "Nothing")
    assert done.returncode == 1
    assert "no settings" in done.stderr


def test_produce(
    kafka: Kafka, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(2)
    done = run_penstock(
        "produce", "--topic", topic, "--bootstrap-servers", kafka.bootstrap,
        "--max-users", "20", "--users-per-second", "0", "--output", "flat",
        "--seed", "abc", "--nat", "FR,DE", "--url", api.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"Produced 20 users to topic {topic}" in done.stdout
    records = client.read_all(topic)
    assert len(records) == 20
    values = [json.loads(r.value or b"") for r in records]
    assert {v["nat"] for v in values} <= {"FR", "DE"}
    assert api.requests[0].query["seed"] == "abc"


def test_produce_goes_on_with_a_seed(
    kafka: Kafka, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    args = [
        "produce", "--topic", topic, "--bootstrap-servers", kafka.bootstrap,
        "--name", topic, "--seed", "s", "--users-per-second", "0", "--url", api.url,
    ]  # fmt: skip
    for users, out in ((10, "Produced 10"), (10, "Nothing to do"), (15, "Produced 5")):
        done = run_penstock(*args, "--max-users", str(users))
        assert done.returncode == 0, done.stderr
        assert out in done.stdout
    keys = [record.key for record in client.read_all(topic)]
    assert len(keys) == len(set(keys)) == 15


def test_produce_from_files(
    kafka: Kafka,
    api: RandomUserApi,
    topics: TopicFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    topic = topics(1)
    worker = write_properties(
        tmp_path / "worker.properties", {"bootstrap.servers": kafka.bootstrap}
    )
    source = write_properties(
        tmp_path / "source.properties",
        {"name": "s", "kafka.topic": "x", "randomuser.url": api.url, "max.users": 99},
    )
    done = run_penstock(
        "produce", "--json", "--worker", worker, "--config", source, "--topic", topic,
        "--set", "max.users=3", "--set", "users.per.second=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    (task,) = json.loads(line)["tasks"]
    assert task["records"] == 3
    assert task["connector"] == "s"
    assert task["offsets"] == [{"topic": topic, "partition": 0, "first": 0, "next": 3}]
    assert len(client.read_all(topic)) == 3


def test_sink_to_s3(
    kafka: Kafka,
    minio: Minio,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    topic, bucket = topics(2), buckets()
    fill(client, topic, 500, 2)
    schema = tmp_path / "schema.ddl"
    schema.write_text(SCHEMA + "\n")
    args = [
        "sink", "--topics", topic, "--bootstrap-servers", kafka.bootstrap,
        "--endpoint", minio.endpoint, "--bucket", bucket.name,
        "--schema-file", str(schema), "--select", "id, n AS number", "--header",
        "--prefix", "lake", "--until-end", *FAST,
    ]  # fmt: skip
    done = run_penstock(*args, env=minio.aws_env())
    assert done.returncode == 0, done.stderr
    assert "Landed 500 rows in 2 objects" in done.stdout
    objects = bucket.objects(f"lake/{topic}/")
    rows = [row for o in objects for row in parse_csv(o.body.decode())]
    assert rows.count(["id", "number"]) == 2
    assert len(rows) == 502
    again = run_penstock(*args, "--json", env=minio.aws_env())
    assert json.loads(again.stdout)["rows"] == 0
    assert json.loads(again.stdout)["tasks"][0]["connector"] == f"sink-{topic}"


def test_sink_to_a_folder(
    kafka: Kafka, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic, folder = topics(1), tmp_path / "a folder"
    folder.mkdir()
    fill(client, topic, 50)
    done = run_penstock(
        "sink", "--topics", topic, "--bootstrap-servers", kafka.bootstrap,
        "--dir", folder, "--schema", SCHEMA, "--flush-size", "20", "--until-end",
        "--json", *FAST,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"] == 3
    assert len(list(folder.rglob("*.csv"))) == 3


def test_sink_runs_until_it_is_stopped(
    kafka: Kafka, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    fill(client, topic, 50)
    argv: list[str | Path] = [
        PROGRAMS / "penstock", "sink", "--topics", topic, "--bootstrap-servers",
        kafka.bootstrap, "--dir", tmp_path, "--schema", SCHEMA, "--interval", "300",
        "--json", "-v", *FAST,
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=-1, stderr=-1, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "going on at" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert json.loads(out)["rows"] == 50
    assert "stopping: landing what was read" in errors


def test_produce_can_be_interrupted(
    kafka: Kafka, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    argv: list[str | Path] = [
        PROGRAMS / "penstock", "produce", "--topic", topic, "--bootstrap-servers",
        kafka.bootstrap, "--users-per-second", "5", "--url", api.url, "--json",
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=-1, stderr=-1, text=True)
    deadline = time.monotonic() + 20
    while not client.end_offsets(topic)[0] and time.monotonic() < deadline:
        time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert json.loads(out)["records"] == client.end_offsets(topic)[0] > 0


def test_wrong_settings() -> None:
    done = run_penstock("sink", "--topics", "t", "--set", "csv.heder=true", "--json")
    assert done.returncode == 2
    for part in ("bootstrap.servers", "value.schema", 'did you mean "csv.header'):
        assert part in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "config"
    done = run_penstock("produce", "--set", "novalue")
    assert done.returncode == 2
    assert "key=value" in done.stderr
    done = run_penstock("sink", "--schema-file", "/no/such/file")
    assert done.returncode == 2
    assert "/no/such/file" in done.stderr


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--set", "aws.secret.access.key"),
        ("--set", "consumer.override.sasl.password"),
        ("--set-worker", "sasl.password"),
    ],
)
def test_no_secrets_in_flags(option: str, key: str) -> None:
    done = run_penstock("sink", option, f"{key}=hunter2")
    assert done.returncode == 2
    assert "secrets are not given on a command line" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    named = run_penstock(
        "sink", option, f"{key}=${{env:SECRET}}", env={"SECRET": "hunter2"}
    )
    assert "secrets are not given" not in named.stderr
    assert "hunter2" not in named.stdout + named.stderr


def test_unreachable(tmp_path: Path) -> None:
    began = time.monotonic()
    for args in (
        ["sink", "--topics", "t", "--dir", str(tmp_path), "--schema", SCHEMA],
        ["schema", "--topic", "t", "--timeout", "1"],
    ):
        done = run_penstock(
            *args, "--bootstrap-servers", "127.0.0.1:1", "--set-worker",
            "startup.timeout.ms=500", "--json",
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert "127.0.0.1:1" in json.loads(done.stdout)["error"]["text"]
    assert time.monotonic() - began < 10


def test_a_failed_task(
    kafka: Kafka, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, [Msg("{bad")])
    done = run_penstock(
        "sink", "--topics", topic, "--bootstrap-servers", kafka.bootstrap, "--dir",
        tmp_path, "--schema", SCHEMA, "--set", "json.mode=FAILFAST", "--until-end",
        "--json", *FAST,
    )  # fmt: skip
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["error"]["code"] == "invalid data"
    assert answer["summary"]["tasks"][0]["state"] == "failed"
    assert f"{topic}-0 offset 0" in done.stderr


def test_schema(kafka: Kafka, topics: TopicFactory, client: KafkaClient) -> None:
    topic = topics(3)
    client.produce(topic, [Msg('{"id": 1, "a": {"b": true}}'), Msg("x")] * 20)
    done = run_penstock(
        "schema", "--topic", topic, "--bootstrap-servers", kafka.bootstrap
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "id BIGINT, a STRUCT<b: BOOLEAN>\n"
    assert "20 of 40 records" in done.stderr
    limited = run_penstock(
        "schema", "--topic", topic, "--bootstrap-servers", kafka.bootstrap,
        "--records", "5", "--json",
    )  # fmt: skip
    assert json.loads(limited.stdout)["records"] == 5


def test_schema_of_nothing(kafka: Kafka, topics: TopicFactory) -> None:
    base = ["schema", "--bootstrap-servers", kafka.bootstrap, "--topic"]
    done = run_penstock(*base, topics(1))
    assert done.returncode == 1
    assert "no record had a field" in done.stderr
    done = run_penstock(*base, "no-such-topic")
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_validate(tmp_path: Path) -> None:
    worker = write_properties(tmp_path / "w.properties", {"bootstrap.servers": "x:1"})
    good = {
        "name": "s",
        "connector.class": "S3CsvSink",
        "topics": "t",
        "value.schema": SCHEMA,
        "store.url": "file:///tmp",
    }
    sink = write_properties(tmp_path / "s.properties", good)
    assert run_penstock("validate", worker, sink).stdout == "settings are correct\n"
    assert run_penstock("validate", sink).returncode == 0
    assert run_penstock("validate", worker).returncode == 0
    wrong = write_properties(tmp_path / "x.properties", good | {"topics": "", "csv.x": 1})
    broken = write_properties(tmp_path / "y.properties", {"bootstrap.server": "x"})
    done = run_penstock("validate", broken, wrong)
    assert done.returncode == 2
    for part in ("x.properties:", "y.properties:1", "csv.x", "topics", "errors in the"):
        assert part in done.stderr
    answer = json.loads(run_penstock("validate", "--json", broken, wrong).stdout)
    assert not answer["valid"]
    assert len(answer["errors"]) >= 4
    assert run_penstock("validate", "/no/such.properties").returncode == 2
    assert run_penstock("validate", worker, worker).returncode == 2


def test_a_closed_pipe() -> None:
    done = subprocess.run(
        f"{PROGRAMS}/penstock connectors S3CsvSink | head -n 1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def on_terminal(argv: list[str], env: dict[str, str]) -> str:
    """Run with a terminal as stdout and stderr; what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, {**os.environ, **env})
    shown = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.waitpid(pid, 0)
    os.close(fd)
    return shown.decode()


def test_colours_and_progress_on_a_terminal_only(
    kafka: Kafka, api: RandomUserApi, topics: TopicFactory
) -> None:
    argv = [
        str(PROGRAMS / "penstock"), "produce", "--topic", topics(1),
        "--bootstrap-servers", kafka.bootstrap, "--max-users", "5",
        "--users-per-second", "5", "--url", api.url,
    ]  # fmt: skip
    shown = on_terminal(argv, {"TERM": "xterm"})
    assert "\x1b[32mProduced\x1b[0m" in shown
    assert "\rproduced " in shown
    plain = on_terminal(argv, {"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in plain
    dumb = on_terminal(argv, {"TERM": "dumb"})
    assert "\x1b" not in dumb
    assert "\rproduced " not in dumb
