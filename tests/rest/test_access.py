"""Who may ask: passwords, TLS, other sites' pages, addresses; and junk."""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.landing import SCHEMA, until
from tests.rest.client import free_port, serving
from tests.support import Daemon, penstockd, sink_config
from tests.support.daemon import ROOT, binary, write_properties

SECRET = "hunter2-hunter2"  # noqa: S105
PASSWORD = "correct horse"  # noqa: S105
# Nothing listens there: the tasks wait for Kafka as long as the test takes.
AWAY = {"bootstrap.servers": "127.0.0.1:1", "startup.timeout.ms": 600000}


def lone(folder: Path, **worker: Any) -> Daemon:
    """A daemon with one sink that reaches nothing; its secret is SECRET."""
    settings = {**AWAY, **{k.replace("__", "."): v for k, v in worker.items()}}
    keys = {"aws__access__key__id": "AKID", "aws__secret__access__key": SECRET}
    sink = sink_config("t", SCHEMA, "http://127.0.0.1:1", "bucket", **keys)
    return Daemon(folder, settings, sink)


def hashed(folder: Path) -> Path:
    """A file for rest.auth.file with the user `op`."""
    done = subprocess.run(
        [binary(), "--hash-password", "op"],
        input=f"{PASSWORD}\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("op:pbkdf2-sha256:")
    assert PASSWORD not in done.stdout
    path = folder / "users"
    path.write_text(f"# operators\n{done.stdout}")
    return path


def basic(user: str, password: str) -> dict[str, str]:
    """The header of basic authentication."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


PATHS = [
    ("GET", "/"), ("GET", "/connectors"), ("GET", "/connectors/sink-t"),
    ("GET", "/connectors/sink-t/config"), ("GET", "/connector-plugins"),
    ("GET", "/admin/loggers"), ("GET", "/nosuch"), ("PUT", "/connectors/sink-t/pause"),
    ("DELETE", "/connectors/sink-t"), ("OPTIONS", "/connectors"), ("POST", "/health"),
    ("GET", "/health/x"), ("GET", "//health"), ("GET", "/metrics"),
]  # fmt: skip


def test_only_health_and_ready_answer_without_a_password(tmp_path: Path) -> None:
    users = hashed(tmp_path)
    daemon = lone(
        tmp_path / "d", listeners="http://127.0.0.1:0", rest__auth="basic",
        rest__auth__file=users,
    )  # fmt: skip
    with daemon:
        rest = serving(daemon)
        assert rest("GET", "/health").status == 200
        assert rest("GET", "/ready").status == 503
        for method, path in PATHS:
            got = rest(method, path)
            assert got.status in (400, 401), f"{method} {path}: {got}"
            assert got.status == 400 or got.headers["WWW-Authenticate"].startswith(
                "Basic"
            )
        assert rest("GET", "/connectors", headers=basic("op", "wrong")).status == 401
        assert rest("GET", "/connectors", headers=basic("op", "again")).status == 429
        right = basic("op", PASSWORD)
        until(
            lambda: rest("GET", "/connectors", headers=right).status == 200, "a welcome"
        )
        for header in ("Basic", "Basic !!!!", "Bearer x", "Basic " + "A" * 4000):
            refused = rest("GET", "/connectors", headers={"Authorization": header})
            assert refused.status == 401
        assert rest("GET", "/connectors", headers=right).json == ["sink-t"]


ROUTE = re.compile(r'^    \{"([A-Z]+)", "(/[^"]*)", \w+', re.MULTILINE)


def test_a_scan_of_every_route_without_a_password(tmp_path: Path) -> None:
    """The routes are read from the source, so that a new one can't be forgotten."""
    table = (ROOT / "csrc/daemon/rest_router.c").read_text()
    routes = ROUTE.findall(table)
    assert len(routes) >= 30, "the table has changed: mend ROUTE"
    paths = {path.replace("?", "sink-t") for _, path in routes}
    paths |= {"/", "/metrics", "/index.html", "/favicon.ico", "/nosuch", "/health/sink-t"}
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    users = hashed(tmp_path)
    daemon = lone(
        tmp_path / "d", listeners="http://127.0.0.1:0", rest__auth="basic",
        rest__auth__file=users, config__storage__dir=tmp_path / "c",
    )  # fmt: skip
    with daemon:
        rest = serving(daemon)
        known = rest("GET", "/connectors/sink-t/config", headers=basic("op", PASSWORD))
        assert known.status == 200
        for path in sorted(paths):
            for method in methods:
                accept = {"Accept": "text/html,*/*"}
                got = rest(method, path, headers=accept)
                if path in ("/health", "/ready") and method in ("GET", "HEAD", "OPTIONS"):
                    assert got.status in (200, 503), f"{method} {path}: {got}"
                else:
                    assert got.status == 401, f"{method} {path}: {got}"
                for secret in (SECRET, PASSWORD, "sink-t-0", "S3CsvSink", "AKID"):
                    assert secret not in got.text, f"{method} {path}: {got}"
        assert rest.states_of("sink-t", basic("op", PASSWORD))[0] == "RUNNING"
        limits = Path(f"/proc/{daemon.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        for secret in (SECRET, PASSWORD, users.read_text().split(":")[-1].strip()):
            assert secret not in daemon.log


def test_who_may_is_read_again(tmp_path: Path) -> None:
    users = hashed(tmp_path)
    daemon = lone(
        tmp_path / "d", listeners="http://127.0.0.1:0", rest__auth="basic",
        rest__auth__file=users,
    )  # fmt: skip
    with daemon:
        rest = serving(daemon)
        mine = basic("op", PASSWORD)
        assert rest("GET", "/connectors", headers=mine).status == 200
        line = users.read_text()
        users.write_text("op:broken\n")
        assert rest("GET", "/connectors", headers=mine).status == 200
        daemon.wait_log(r"WARN .*users:1: no line of .*; the users are those from before")
        users.write_text(line.replace("op:", "other:"))
        assert rest("GET", "/connectors", headers=mine).status == 401
        until(
            lambda: (
                rest("GET", "/connectors", headers=basic("other", PASSWORD)).status == 200
            ),
            "the other user",
        )


def test_the_location_of_an_odd_name_leads_to_it(tmp_path: Path) -> None:
    daemon = lone(
        tmp_path, listeners="http://127.0.0.1:0", config__storage__dir=tmp_path / "c"
    )
    with daemon:
        rest = serving(daemon)
        config = rest("GET", "/connectors/sink-t/config").json
        for name in ("x%41", "q?#&", "a+b:c", "100%", '"q"'):
            own = {**config, "name": name, "aws.secret.access.key": SECRET}
            made = rest("POST", "/connectors", {"name": name, "config": own})
            assert made.status == 201, made
            where = made.headers["Location"]
            assert where.startswith(f"{rest.base}/connectors/"), where
            assert where.isascii()
            found = rest("GET", where.removeprefix(rest.base))
            assert found.json["name"] == name


def test_secrets_are_in_no_answer(tmp_path: Path) -> None:
    daemon = lone(
        tmp_path, listeners="http://127.0.0.1:0", config__storage__dir=tmp_path / "c"
    )
    with daemon:
        rest = serving(daemon)
        texts = [
            rest("GET", path).text
            for path in (
                "/connectors?expand=info&expand=status", "/connectors/sink-t",
                "/connectors/sink-t/config", "/connectors/sink-t/tasks",
                "/connectors/sink-t/tasks-config",
            )
        ]  # fmt: skip
        config = rest("GET", "/connectors/sink-t/config").json
        assert config["aws.secret.access.key"] == "[hidden]"
        wrong = {
            **config,
            "name": "b",
            "aws.secret.access.key": SECRET,
            "flush.size": "x",
        }
        validate = "/connector-plugins/S3CsvSink/config/validate"
        texts.append(rest("PUT", validate, wrong).text)
        made = {**wrong, "flush.size": "5"}
        texts.append(rest("POST", "/connectors", {"name": "b", "config": wrong}).text)
        texts.append(rest("POST", "/connectors", {"name": "b", "config": made}).text)
        # What was read may be written back: the secret stays.
        shown = rest("GET", "/connectors/b/config").json
        assert rest("PUT", "/connectors/b/config", shown).status == 200
        assert not [text for text in texts if SECRET in text]
        unknown = rest(
            "POST", "/connectors", {"name": "c", "config": {**shown, "name": "c"}}
        )
        assert unknown.status == 400
        assert "[hidden]" in unknown.text
        file = tmp_path / "c" / "b.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert SECRET in file.read_text()
        assert SECRET not in daemon.log


def test_pages_of_other_sites_change_nothing(tmp_path: Path) -> None:
    with lone(tmp_path, listeners="http://127.0.0.1:0") as daemon:
        rest = serving(daemon)
        pause, mine = "/connectors/sink-t/pause", {"Origin": rest.base}
        for header in (
            {"Origin": "http://evil.example"}, {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"},
        ):  # fmt: skip
            assert rest("PUT", pause, headers=header).status == 403, header
        assert (
            rest("GET", "/connectors", headers={"Host": "evil.example:80"}).status == 403
        )
        assert rest.states("sink-t")[0] == "RUNNING"
        assert rest("GET", pause).status == 405
        assert rest("PUT", pause, headers=mine).status == 202
        assert rest.states("sink-t")[0] == "PAUSED"
        assert rest("GET", "/connectors", headers={"Host": "localhost"}).status == 200


def test_a_taken_port_is_a_warning_by_default_and_an_error_when_asked_for(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it: as good
            taken.bind(("127.0.0.1", 8083))
            taken.listen()
        with lone(tmp_path / "default") as daemon:
            daemon.wait_log(r"WARN .*8083 cannot be listened on.*there is no REST")
            assert daemon.alive()
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        asked = f"http://127.0.0.1:{mine.getsockname()[1]}"
        with lone(tmp_path / "asked", listeners=asked) as daemon:
            assert daemon.wait() == 1
            assert "cannot be listened on" in daemon.log


def test_other_addresses_need_a_password_or_a_word(tmp_path: Path) -> None:
    with lone(tmp_path / "no", listeners="http://0.0.0.0:0") as daemon:
        assert daemon.wait() == 2
        assert "rest.allow.insecure=true" in daemon.log
    allowed = lone(
        tmp_path / "yes", listeners="http://0.0.0.0:0", rest__allow__insecure="true"
    )
    with allowed:
        allowed.wait_log("nobody is asked for a password")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"listeners": "ftp://x"}, "must be http://"),
        ({"listeners": "https://127.0.0.1:0"}, "rest.ssl.certificate"),
        ({"rest.auth": "basic"}, "needs rest.auth.file"),
    ],
)
def test_wrong_settings_are_told_by_check(
    tmp_path: Path, settings: dict[str, str], word: str
) -> None:
    worker = write_properties(tmp_path / "w", {**AWAY, **settings})
    keys = {"aws__access__key__id": "AKID", "aws__secret__access__key": SECRET}
    sink = sink_config("t", SCHEMA, "http://127.0.0.1:1", "bucket", **keys)
    done = penstockd("--check", worker, write_properties(tmp_path / "s", sink))
    assert done.returncode == 2
    assert word in done.stderr


def test_tls_with_a_certificate_of_the_test(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    daemon = lone(
        tmp_path / "d", listeners=f"https://127.0.0.1:{port}",
        rest__ssl__certificate=tmp_path / "cert.pem", rest__ssl__key=tmp_path / "key.pem",
    )  # fmt: skip
    with daemon:
        daemon.wait_log("REST listens on https")
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust)
        connection.request("GET", "/connectors")
        assert connection.getresponse().read() == b'["sink-t"]'
        connection.close()
