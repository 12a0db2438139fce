"""Every recorded answer of a real Connect worker, asked of penstockd: codes, keys, types.

One connector's life is gone through in the order in which the worker's was, against a
real broker and store; what is compared is the status and the shape of the body, not its
values.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink, until
from tests.rest.client import Answer, Rest, serving
from tests.services.minio import Minio
from tests.support import KafkaClient
from tests.support.daemon import ROOT

RECORDED = ROOT / "tests/data/connect-rest"
LINE = re.compile(r"^([\w-]+): ([A-Z]+) (\S+) -> (\d+) ", re.MULTILINE)
INDEX = {
    name: (method, path, int(status))
    for file in sorted(RECORDED.glob("INDEX*.txt"))
    for name, method, path, status in LINE.findall(file.read_text())
}
# Their worker's timing or settings, which are not ours; each is asked all the same, and
# these are the statuses that stand for it here.
OTHERWISE = {
    "status-immediately": 200,  # a connector is there as soon as it is made
    "logger-set": 404,  # loggers are ours, not Java classes
    "offsets-alter-200": 400,  # it went back, which rule 7 forbids
    "offsets-reset-200": 400,  # likewise
}
# Bodies whose content is another by what the connector is, or by the moment.
FREE = {"config"}

pytestmark = [pytest.mark.timeout(240)]


def shape(value: Any, free: bool = False) -> Any:
    """The types in a JSON value: of objects by key, of lists those of the elements."""
    if isinstance(value, dict):
        if free:
            return {type(v).__name__ for v in value.values()}
        return {k: shape(v, k in FREE) for k, v in value.items()}
    if isinstance(value, list):
        shapes: list[Any] = []
        for one in value:
            if (found := shape(one)) not in shapes:
                shapes.append(found)
        return shapes
    return type(value).__name__


class Walk:
    """Asks what was recorded and compares; keeps which are done."""

    def __init__(self, rest: Rest, plugin: str) -> None:
        self.rest, self.plugin = rest, plugin
        self.done: set[str] = set()

    def ask(self, name: str, body: Any = None, path: str | None = None) -> Answer:
        """The request of that name, penstockd's answer compared with the recorded."""
        method, recorded, status = INDEX[name]
        theirs = r"(io\.aiven\.kafka\.connect\.s3\.)?AivenKafkaConnectS3SinkConnector"
        target = path or re.sub(theirs, self.plugin, recorded)
        answer = self.rest(method, target, body)
        said = f"{name}: {method} {target}: {answer}"
        assert answer.status == OTHERWISE.get(name, status), said
        self.done.add(name)
        file = RECORDED / f"{name}.json"
        text = file.read_text() if file.exists() else ""
        if name not in OTHERWISE and method != "HEAD" and text[:1] in ("{", "["):
            self._compare(name, json.loads(text), answer, said)
        elif name in OTHERWISE and answer.status >= 400:
            assert shape(answer.json) == {"error_code": "int", "message": "str"}
        elif not text:
            assert not answer.text, said
        return answer

    @staticmethod
    def _compare(name: str, recorded: Any, answer: Answer, said: str) -> None:
        mine = answer.json
        if name in ("config", "tasks-config"):
            tasks = [mine] if name == "config" else list(mine.values())
            assert {type(v) for task in tasks for v in task.values()} == {str}, said
            assert name == "config" or list(mine) == list(recorded), said
            return
        if isinstance(recorded, dict) and isinstance(mine, dict):
            assert list(mine) == list(recorded), said
        ours, theirs = shape(mine), shape(recorded)
        if isinstance(recorded, list) and isinstance(ours, list):
            # A list here may have fewer kinds of elements (no default value is null …).
            flat = {json.dumps(sorted(x)) if isinstance(x, dict) else x for x in ours}
            known = {json.dumps(sorted(x)) if isinstance(x, dict) else x for x in theirs}
            assert flat <= known, said
        elif "configs" not in theirs if isinstance(theirs, dict) else True:
            _like(ours, theirs, said)
        else:
            _like({k: v for k, v in ours.items() if k != "configs"},
                  {k: v for k, v in theirs.items() if k != "configs"}, said)  # fmt: skip
            keys = recorded["configs"][0]
            for entry in mine["configs"]:
                assert list(entry) == list(keys), said
                assert list(entry["value"]) == list(keys["value"]), said
                if entry["definition"]:
                    assert list(entry["definition"]) == list(keys["definition"]), said


def _like(ours: Any, theirs: Any, said: str) -> None:
    """Equal shapes; a list may be empty where theirs is not, and the other way round."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert set(ours) - {"trace"} == set(theirs) - {"trace"}, said
        for key, value in ours.items():
            if key in theirs:
                _like(value, theirs[key], said)
    elif isinstance(ours, list) and isinstance(theirs, list):
        for one in ours if theirs else []:
            _like(one, theirs[0], said)
    elif not isinstance(ours, set):
        assert ours == theirs, said


def test_every_recorded_answer(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic, other, bucket = topics(4), topics(1), buckets()
    fill(client, topic, 400, 4)
    worker = {
        **FAST_GROUP,
        "listeners": "http://127.0.0.1:0",
        "config.storage.dir": tmp_path / "connectors",
    }
    daemon = daemons(worker=worker)
    rest = serving(daemon)
    walk = Walk(rest, "S3CsvSink")
    keys = {
        "aws__access__key__id": minio.access_key,
        "aws__secret__access__key": minio.secret_key,
    }

    def config(name: str | None = None, **more: Any) -> dict[str, Any]:
        made = sink(topic, minio.endpoint, bucket.name, **keys, **more)
        del made["name"]
        return {**made, **({"name": name} if name else {})}

    def settled(name: str, *states: str) -> None:
        until(lambda: rest.states(name) == list(states), f"{name} {states}")

    _walk_reading(walk, config)
    _walk_life(walk, config, settled, other, client, topic)
    _walk_end(walk, config, settled, minio)
    rest("GET", "/connectors")
    assert walk.done == set(INDEX), sorted(set(INDEX) - walk.done)
    assert minio.secret_key not in daemon.log
    assert daemon.term() == 0


def _walk_reading(walk: Walk, config: Any) -> None:
    ask, valid = walk.ask, config("x")
    for name in (
        "root", "sa-root", "connectors-empty", "plugins", "sa-plugins", "plugins-all",
        "plugin-config", "plugin-config-404", "health", "health-started", "sa-health",
        "loggers", "logger-root", "head-connectors", "options", "404-path", "405-method",
        "404-connector", "404-connector-status", "404-connector-config",
        "404-connector-tasks", "404-connector-topics", "404-connector-offsets",
        "404-delete", "404-pause", "404-restart", "sa-404", "sa-status-404",
    ):  # fmt: skip
        ask(name)
    ask("validate-ok", valid)
    ask("validate-ok-fullclass", valid)
    errors = ask("validate-errors", {**valid, "tasks.max": "0", "flush.size": "many"})
    assert errors.json["error_count"] >= 2
    ask("validate-noclass", {"topics": "x"})
    ask("validate-class-mismatch", valid)
    ask("create-400-invalid", {"name": "a", "config": config(tasks__max=0)})
    ask("create-400-badclass", {"name": "a", "config": {"connector.class": "NoSuch"}})
    ask("create-badjson", '{"name":')
    ask("content-type-text", "name=a")
    ask("create-unknown-field", {"name": "a", "config": config(), "foo": 1})
    ask("create-noname", {"name": "", "config": config()})
    ask("create-name-mismatch", {"name": "s3-sink", "config": config("other")})
    ask("logger-set", {"level": "DEBUG"})
    ask("logger-400", {"level": "XX"})
    assert walk.rest("PUT", "/admin/loggers/root", {"level": "INFO"}).json == ["root"]


def _walk_life(
    walk: Walk, config: Any, settled: Any, other: str, client: KafkaClient, topic: str
) -> None:
    ask, body = walk.ask, {"name": "s3-sink", "config": config(tasks__max=2)}
    made = ask("create-201", body)
    assert made.headers["Location"].endswith("/connectors/s3-sink")
    ask("create-409", body)
    ask("status-immediately")
    settled("s3-sink", "RUNNING", "RUNNING", "RUNNING")
    offsets = "/connectors/s3-sink/offsets"
    until(lambda: len(walk.rest("GET", offsets).json["offsets"]) == 4, "four offsets")
    for name in (
        "connectors", "connectors-expand-status", "connectors-expand-info",
        "connectors-expand-both", "connector", "config", "status", "tasks",
        "tasks-config", "task0-status", "task9-status-404", "topics", "offsets",
        "offsets-running", "offsets-delete-400-running",
    ):  # fmt: skip
        ask(name)
    assert walk.rest("GET", "/connectors/s3-sink/topics").json == {
        "s3-sink": {"topics": [topic]}
    }
    ask("put-config-200", config(tasks__max=2))
    second = {**config(tasks__max=2), "topics": other, "topics.dir": "second"}
    ask("put-config-201", second)
    ask("patch-config", {"tasks.max": 3})
    ask("tasks-after-patch")
    entry = {"partition": {"kafka_partition": 0, "kafka_topic": topic}}
    back = {"offsets": [{**entry, "offset": {"kafka_offset": 10}}]}
    ask("offsets-alter-400-running", back)
    running = ["RUNNING"] * 4
    settled("s3-sink", *running)
    ask("pause")
    settled("s3-sink", *["PAUSED"] * 4)
    ask("status-paused")
    ask("resume")
    settled("s3-sink", *running)
    ask("status-resumed")
    ask("stop")
    ask("status-stopped")
    settled("s3-sink", "STOPPED")
    for name in ("tasks-stopped", "offsets-stopped"):
        ask(name)
    assert "topics.dir" in ask("offsets-alter-200", back).json["message"]
    ask("offsets-after-alter")
    ask("offsets-alter-400-bad", {"offsets": [{"partition": {}, "offset": {}}]})
    assert "topics.dir" in ask("offsets-reset-200").json["message"]
    ask("offsets-after-reset")
    until(lambda: walk.rest("PATCH", "/connectors/s3-sink/offsets",
          {"offsets": [{**entry, "offset": {"kafka_offset": 100}}]}).status == 200,
          "an offset that goes on")  # fmt: skip
    ask("restart-stopped")
    ask("resume2")
    settled("s3-sink", *running)
    ask("restart-204")
    ask("restart-202-includeTasks")
    settled("s3-sink", *running)
    ask("restart-task-204")
    ask("restart-task-404")
    ask("topics-reset")
    ask("topics-after-reset")


def _walk_end(walk: Walk, config: Any, settled: Any, minio: Minio) -> None:
    ask, rest = walk.ask, walk.rest
    stopped = {"name": "s3-sink-c", "config": config(), "initial_state": "STOPPED"}
    ask("create-201-stopped", stopped)
    ask("status-created-stopped")
    ask("create-failing", {"name": "s3-fail", "config": config()})
    ask("status-failed-task")
    ask("delete-204")
    for name in ("s3-sink-b", "s3-sink-c", "s3-fail"):
        assert rest("DELETE", f"/connectors/{name}").status == 204
    ask("connectors-after-delete")
    ask("create2", {"name": "s3-sink", "config": config(tasks__max=2)})
    for i in range(6):
        ask(f"race-put-config-{i}", config(tasks__max=i % 4 + 1))
    ask("race-delete")
    ask("race-create", {"name": "s3-sink", "config": config(tasks__max=2)})
    for name in ("race-get", "race-pause", "race-restart", "race-resume"):
        ask(name)
    bad = {"topics.dir": "elsewhere", "json.mode": "FAILFAST", "errors.tolerance": "none"}
    conv = {**config(), **bad, "value.schema": "id INT"}
    ask("create-fail-conv", {"name": "s3-conv", "config": conv})
    until(lambda: "FAILED" in rest.states("s3-conv"), "a failed task")
    failed = ask("status-failed-s3-conv").json["tasks"][0]
    assert set(failed) == {"id", "state", "worker_id", "trace"}
    ask("create-fail-bucket", {"name": "s3-nob", "config": config()})
    ask("create-fail-endpoint", {"name": "s3-noep", "config": config()})
    ask("status-failed-s3-nob")
    ask("status-failed-s3-noep")
    for name in ("del-s3-sink", "del-s3-conv", "del-s3-nob", "del-s3-noep"):
        ask(name)
    ask("sa-create", {"name": "sa2", "config": config(tasks__max=2, topics__dir="a")})
    ask("sa-409", {"name": "sa2", "config": config()})
    settled("sa2", "RUNNING", "RUNNING", "RUNNING")
    mine = config(tasks__max=2, topics__dir="b")
    assert rest("PUT", "/connectors/sa-sink/config", mine).status == 201
    settled("sa-sink", "RUNNING", "RUNNING", "RUNNING")
    for name in ("sa-connectors", "sa-connector", "sa-status", "sa-tasks", "sa-offsets"):
        ask(name)
    ask("sa-topics")
    ask("sa-pause")
    ask("sa-status-now")
    ask("sa-stop")
    settled("sa2", "STOPPED")
    ask("sa-status-stopped")
    ask("sa-delete")
