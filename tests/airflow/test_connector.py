"""PenstockHook and ConnectorOperator against a real Kafka Connect worker.

Servers of our own show what that one does not do on demand: be slow to act, hang, drip.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from penstock_airflow.hooks.penstock import (
    Daemon,
    NoAnswer,
    PenstockHook,
    RestError,
    base_url,
)
from penstock_airflow.operators.connector import ConnectorOperator
from tests.airflow.commands import airflow
from tests.airflow.conftest import RunDag, connection
from tests.conftest import TopicFactory
from tests.services import Kafka
from tests.services.connect import SINK, Connect, jars
from tests.support import KafkaClient

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def connect(kafka: Kafka) -> Iterator[Connect]:
    """A worker of the session's broker."""
    with Connect(kafka.bootstrap) as worker:
        yield worker


@pytest.fixture
def penstock_default(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection to it."""
    text = connection(
        conn_type="penstock", host=HOST, port=connect.port, extra={"timeout": 5}
    )
    monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)


def sink(name: str, topic: str, folder: Path) -> dict[str, Any]:
    """Settings of a file sink."""
    return {
        "name": name,
        "connector.class": SINK,
        "topics": topic,
        "file": str(folder / "out"),
        "consumer.override.auto.offset.reset": "earliest",
    }


jars()  # Maven may take its time: not on a test's clock


@pytest.mark.usefixtures("penstock_default")
def test_a_connectors_life_in_a_dag(
    run_dag: RunDag, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, ["a", "b"])

    def build() -> None:
        def step(action: Any, **more: Any) -> ConnectorOperator:
            return ConnectorOperator(
                task_id=action, connector=topic, action=action, settle_seconds=1, **more
            )

        config = sink(topic, topic, tmp_path)
        (
            step("configure", config=config)
            >> step("pause")
            >> step("resume")
            >> step("restart")
            >> step("stop")
            >> step("status")
            >> step("delete")
        )

    run = run_dag(build)
    assert set(run.states.values()) == {"success"}
    states = {
        task: run.results[task]["connector"]["state"]
        for task in ("configure", "pause", "resume", "restart", "stop", "status")
    }
    assert states == {
        "configure": "RUNNING", "pause": "PAUSED", "resume": "RUNNING",
        "restart": "RUNNING", "stop": "STOPPED", "status": "STOPPED",
    }  # fmt: skip
    assert run.results["pause"]["tasks"][0]["state"] == "PAUSED"
    with PenstockHook().session() as daemon:
        assert topic not in daemon.connectors()


@pytest.mark.usefixtures("penstock_default")
def test_what_the_hook_reads(
    topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, ["a", "b", "c"])
    ok, text = PenstockHook().test_connection()
    assert ok
    assert text.startswith("version 3.9.1, Kafka cluster ")
    with PenstockHook().session() as daemon:
        daemon.put_config(topic, sink(topic, topic, tmp_path))
        assert daemon.config(topic)["topics"] == topic
        deadline = time.monotonic() + 30
        while not daemon.offsets(topic) and time.monotonic() < deadline:
            time.sleep(0.1)
        (offset,) = daemon.offsets(topic)
        assert offset["offset"] == {"kafka_offset": 3}
        daemon.delete(topic)
        with pytest.raises(RestError, match=r"404: .*not found") as caught:
            daemon.delete(topic)
        assert caught.value.status == 404


@pytest.mark.usefixtures("penstock_default")
def test_failed_mended_and_failed_again(
    topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    """Each action begins at a status that would be wrong to judge by."""
    topic = topics(1)
    client.produce(topic, ["a"])
    folder = tmp_path / "no" / "such" / "folder"

    def act(action: str, **more: Any) -> Any:
        return operator(topic, action, **more).execute(context())

    with pytest.raises(AirflowException, match=r"task 0 FAILED: .*Exception"):
        act("configure", config=sink(topic, topic, folder))
    with pytest.raises(AirflowException, match="task 0 FAILED"):
        act("status")
    folder.mkdir(parents=True)
    assert act("restart")["tasks"][0]["state"] == "RUNNING"
    with pytest.raises(AirflowException, match="task 0 FAILED"):
        act("configure", config=sink(topic, topic, tmp_path / "none"))
    mended = act("configure", config=json.dumps(sink(topic, topic, tmp_path)))
    assert mended["tasks"][0]["state"] == "RUNNING"
    assert act("pause")["connector"]["state"] == "PAUSED"
    assert act("restart")["connector"]["state"] == "PAUSED"
    act("delete")
    act("delete")


@pytest.mark.usefixtures("penstock_default")
def test_what_the_worker_refuses_is_not_retried() -> None:
    wrong = {"connector.class": SINK, "tasks.max": 0, "topics": "t"}
    with pytest.raises(AirflowFailException, match=r"tasks\.max"):
        operator("w", "configure", config=wrong).execute(context())
    with pytest.raises(AirflowFailException, match="404"):
        operator("nobody", "restart").execute(context())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"action": "restrat"}, "action 'restrat' is unknown: one of status, pause"),
        ({"action": "configure"}, "config goes with action=configure"),
        ({"action": "pause", "config": {}}, "config goes with action=configure"),
        ({"wait_seconds": 3, "settle_seconds": 3}, "settle_seconds=3"),
    ],
)
def test_wrong_use_is_seen_when_the_dag_is_parsed(
    arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        ConnectorOperator(task_id="t", connector="c", **arguments)


def test_what_templates_give_is_checked_by_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = {"connector", "action", "config", "penstock_conn_id"}
    assert fields <= set(ConnectorOperator.template_fields)
    monkeypatch.setenv(
        "AIRFLOW_CONN_PENSTOCK_DEFAULT", connection(conn_type="penstock", host=HOST)
    )
    task = operator("c", "{{ params.action }}")
    task.action = "restrat"
    with pytest.raises(AirflowFailException, match="'restrat' is unknown"):
        task.execute(context())
    for config in ("{", "[1]"):
        with pytest.raises(AirflowFailException, match="config"):
            operator("c", "configure", config=config).execute(context())


def operator(connector: str, action: str, **more: Any) -> ConnectorOperator:
    """A task with a short wait for a status to settle."""
    options = {"settle_seconds": 1.0, "wait_seconds": 30.0, **more}
    return ConnectorOperator(task_id="t", connector=connector, action=action, **options)


def context() -> Any:
    """What a task gets."""
    return {"ti": _Ti()}


class _Ti:
    """Takes the link's XCom."""

    def xcom_push(self, key: str, value: object) -> None:
        self.pushed = (key, value)


def test_a_kill_ends_the_wait(run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that accepts and never answers."""
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        text = connection(conn_type="penstock", host=HOST, port=port)
        monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
        sent, ended = list[float](), list[float]()
        held = list[socket.socket]()

        def kill() -> None:
            held.append(silent.accept()[0])
            time.sleep(0.5)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=kill, daemon=True).start()
        run = run_dag(
            lambda: ConnectorOperator(
                task_id="status",
                connector="c",
                on_failure_callback=lambda context: ended.append(time.monotonic()),
            )
        )
    signal.signal(signal.SIGTERM, before)
    assert run.states == {"status": "failed"}
    took = ended[0] - sent[0]
    print(f"SIGTERM in a request: failed after {took:.2f} s")
    assert took < 4


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that answers each request by `answer`; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(size)
            self.close_connection = True
            answer(self)

        do_GET = do_PUT = do_POST = do_DELETE = _any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the client went away

    running = Server((HOST, 0), Handler)
    if context:
        running.socket = context.wrap_socket(running.socket, server_side=True)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield running.server_port
    finally:
        running.shutdown()
        running.server_close()


def tell(handler: Any, status: int, body: object) -> None:
    """A whole answer."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def states(connector: str, *tasks: str) -> dict[str, Any]:
    """A status."""
    rows = [{"id": i, "state": s, "worker_id": "w:1"} for i, s in enumerate(tasks)]
    for row in rows:
        if row["state"] == "FAILED":
            row["trace"] = "org.example.Broken: no\n\tat line"
    return {"name": "c", "connector": {"state": connector}, "tasks": rows}


RUNNING, PAUSED = states("RUNNING", "RUNNING"), states("PAUSED", "PAUSED")
FAILED, AGAIN = states("RUNNING", "FAILED"), states("RUNNING", "RESTARTING")
STOPPED = states("STOPPED")


@pytest.mark.parametrize(
    ("action", "seen", "outcome"),
    [
        ("restart", [FAILED, FAILED, AGAIN, RUNNING], "RUNNING"),
        ("restart", [RUNNING, RUNNING, AGAIN, FAILED], "task 0 FAILED: org.example"),
        ("restart", [FAILED, 503, 409, RUNNING], "RUNNING"),
        ("restart", [PAUSED], "PAUSED"),
        ("configure", [RUNNING, RUNNING, FAILED], "task 0 FAILED: org.example"),
        ("configure", [404, FAILED, states("RUNNING"), RUNNING], "RUNNING"),
        ("resume", [PAUSED, FAILED, RUNNING], "RUNNING"),
        ("resume", [FAILED], "task 0 FAILED: org.example"),
        ("pause", [RUNNING, states("PAUSED", "RUNNING"), PAUSED], "PAUSED"),
        ("stop", [FAILED, states("STOPPED", "FAILED"), STOPPED], "STOPPED"),
    ],
)
def test_the_first_status_may_be_an_old_one(
    action: str, seen: list[Any], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that acts later than it answers. What it says last, it goes on saying."""
    left, last = [*seen], seen[-1]

    def answer(handler: Any) -> None:
        if handler.command != "GET":
            tell(handler, 202, b"" if action != "configure" else {"name": "c"})
            return
        said = left.pop(0) if left else last
        code = said if isinstance(said, int) else 200
        tell(handler, code, {"message": "later"} if code != 200 else said)

    with server(answer) as port:
        text = connection(conn_type="penstock", host=HOST, port=port)
        monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
        more: dict[str, Any] = {"config": {}} if action == "configure" else {}
        task = operator("c", action, **more)
        if " " in outcome:
            with pytest.raises(AirflowException, match=outcome):
                task.execute(context())
        else:
            done = task.execute(context())
            assert done is not None
            assert done["connector"]["state"] == outcome
    assert not left, "not all that the worker had to say was waited for"


def test_what_does_not_come_about_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda handler: tell(handler, 200, PAUSED)) as port:
        text = connection(conn_type="penstock", host=HOST, port=port)
        monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
        task = operator("c", "resume", wait_seconds=1, settle_seconds=0.5)
        wanted = r"not RUNNING for 0\.5 s after 1 s: c: PAUSED, tasks PAUSED"
        with pytest.raises(AirflowException, match=wanted):
            task.execute(context())
        unjudged = operator("c", "resume", wait_seconds=0)
        assert unjudged.execute(context()) == PAUSED


DRIP_SECONDS = 40.0


def drip(handler: Any, head: bytes) -> None:
    """`head`, then a byte ten times a second, each of which ends a client's wait."""
    handler.wfile.write(head)
    for _ in range(int(DRIP_SECONDS * 10)):
        handler.wfile.write(b"a")
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda h: drip(h, b"HTTP/1.1 200 OK\r\nX-Drip: "), "no whole answer within 1 s"),
        (
            lambda h: drip(h, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
            "no whole answer within 1 s",
        ),
        (lambda h: time.sleep(DRIP_SECONDS), "no whole answer within 1 s"),
        (lambda h: tell(h, 409, {"message": "rebalance"}), "409: rebalance"),
    ],
    ids=["head", "body", "silence", "rebalance"],
)
def test_a_call_ends_in_time(answer: Answer, text: str) -> None:
    """However the server holds it."""
    with server(answer) as port:
        daemon = Daemon(f"http://{HOST}:{port}", timeout=1)
        began = time.monotonic()
        with pytest.raises(AirflowException, match=text):
            daemon.info()
        took = time.monotonic() - began
        daemon.close()
    print(f"given up after {took:.2f} s")
    assert took < DRIP_SECONDS / 4


def test_a_rebalance_is_waited_for() -> None:
    busy = ["rebalance", "rebalance"]

    def answer(handler: Any) -> None:
        if busy:
            tell(handler, 409, {"message": busy.pop()})
        elif handler.command == "POST":
            tell(handler, 409, {"message": "Connector c already exists"})
        else:
            tell(handler, 200, ["c"])

    with server(answer) as port:
        daemon = Daemon(f"http://{HOST}:{port}", timeout=30)
        assert daemon.connectors() == ["c"]
        with pytest.raises(RestError, match="already exists"):
            daemon.request("POST", "/connectors", {})
        daemon.close()


def test_a_server_that_is_no_daemon() -> None:
    def answer(handler: Any) -> None:
        if handler.path == "/connectors":
            tell(handler, 200, b" " * 64_000_000)
        else:
            tell(handler, 200, b"<html>it works</html>")

    with server(answer) as port:
        daemon = Daemon(f"http://{HOST}:{port}", timeout=30)
        with pytest.raises(AirflowException, match="over 8 MiB"):
            daemon.connectors()
        with pytest.raises(AirflowException, match="does not speak"):
            daemon.info()
        daemon.close()
    with pytest.raises(NoAnswer, match="GET http://127"):
        Daemon(f"http://{HOST}:1", timeout=1).info()


def test_tls_and_passwords(tmp_path: Path) -> None:
    """The certificate is checked, the password goes along, no address shows it."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost"
    )
    argv = [*command.split(), "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    seen = list[str]()

    def answer(handler: Any) -> None:
        seen.append(handler.headers["Authorization"])
        tell(handler, 200, {"version": "3.9.1"})

    with server(answer, tls) as port:
        url = f"https://localhost:{port}"
        known = Daemon(
            url, auth=("me", "pä55"), ca_file=str(cert), status_url="http://u:p@s/x"
        )
        assert known.info()["version"] == "3.9.1"
        assert known.status_url == "http://s/x"
        with pytest.raises(NoAnswer, match="certificate verify failed"):
            Daemon(url).info()
    assert seen == ["Basic bWU6cMOkNTU="]
    with pytest.raises(AirflowFailException, match=r"ca_file .*none\.pem"):
        Daemon(url, ca_file=str(tmp_path / "none.pem"))


@pytest.mark.parametrize("timeout", [-1, "soon", 1e9])
def test_a_time_out_that_is_none(timeout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"timeout": timeout}
    text = connection(conn_type="penstock", host=HOST, extra=extra)
    monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
    with pytest.raises(AirflowFailException, match="penstock_default: timeout"):
        PenstockHook().get_conn()


def test_the_command_line(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """`airflow connections add` and `test`, out of Airflow's database."""
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")

    def add(name: str, port: int) -> list[str]:
        kind = ["--conn-type", "penstock", "--conn-host", HOST, "--conn-port", str(port)]
        return ["connections", "add", name, *kind, "--conn-extra", '{"timeout": 5}']

    added, added_too, up, down = airflow(
        add("penstock_up", connect.port),
        add("penstock_down", 1),
        ["connections", "test", "penstock_up"],
        ["connections", "test", "penstock_down"],
    )
    assert (added[0], added_too[0]) == (0, 0)
    assert up[0] == 0, up[1]
    assert "Connection success" in up[1]
    assert "Connection failed" in down[1]
    assert "refused" in down[1]


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ((None, "h", None), "http://h:8083"),
        (("https", "h", 443), "https://h:443"),
        (("", "https://h:1", None), "https://h:1"),
        ((None, "::1", 80), "http://[::1]:80"),
    ],
)
def test_addresses(parts: tuple[Any, Any, Any], url: str) -> None:
    assert base_url(*parts) == url
    with pytest.raises(AirflowFailException, match="http or https"):
        base_url("ftp", "h", 1)
    with pytest.raises(AirflowFailException, match="no address"):
        base_url(None, "http://h:x", None)
