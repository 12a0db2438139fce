"""A real Airflow: every component a process of its own, LocalExecutor, PostgreSQL.

    3.3.2    api-server, scheduler, dag-processor, triggerer    SimpleAuthManager
    2.11.2   webserver, scheduler, triggerer                    Flask-AppBuilder's users

The home, ports, secrets and database are new each time. `airflow standalone` is not
used: it leaves its children behind on SIGTERM. A scheduler may hang while it shuts
down (a known deadlock of LocalExecutor), so every stop is bounded.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.services import airflow_env
from tests.services.family import Member, end, family, orphans
from tests.services.postgres import Postgres
from tests.services.process import Process, ServiceError, free_port

HOST = "127.0.0.1"
USER = "operator"
COMPONENTS = {
    "2": ("webserver", "scheduler", "triggerer"),
    "3": ("api-server", "scheduler", "dag-processor", "triggerer"),
}
# Logs are read from disk: their servers would listen on every interface.
OPTIONS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
HEALTH = {"2": "/api/v1/health", "3": "/api/v2/monitor/health"}
STOP_SECONDS = 45.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Airflow:
    """One Airflow of line 2 or 3. Use as a context manager, or `start` and `close`."""

    def __init__(
        self,
        line: str,
        *,
        dags: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet. `dags` are files that are copied to the DAG folder;
        `env` is for all components: AIRFLOW_CONN_…, AIRFLOW__SECTION__KEY and others.
        """
        self.line = line
        self.version = airflow_env.VERSIONS[line]
        self.home = Path(tempfile.mkdtemp(prefix=f"penstock-airflow{line}-up-"))
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.start_seconds = 0.0
        self._more = dict(env or {})
        self._dags = tuple(dags)
        self._env: dict[str, str] = {}
        self._postgres = Postgres()
        self._processes: list[Process] = []
        self._sessions: set[int] = set()

    @property
    def url(self) -> str:
        """`http://host:port` of the web UI and the REST API."""
        return f"http://{HOST}:{self.port}"

    @property
    def python(self) -> Path:
        """The Python that has this Airflow."""
        return airflow_env.python(self.line)

    def _common(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(
                secrets.token_bytes(32)
            ).decode(),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._postgres.url,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "NO_PROXY": f"{HOST},localhost",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _of_line_3(self) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.password}))
        return {
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        }

    def _of_line_2(self) -> dict[str, str]:
        backend = "airflow.api.auth.backend"
        return {
            "AIRFLOW__API__AUTH_BACKENDS": f"{backend}.basic_auth,{backend}.session",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": HOST,
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__WEBSERVER__WORKERS": "2",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "10",
        }

    def _prepare(self) -> None:
        """The home, the environment of all components, the database."""
        folder = self.home / "dags"
        folder.mkdir(exist_ok=True)
        for source in self._dags:
            shutil.copy(source, folder / source.name)
        of_line = self._of_line_3() if self.line == "3" else self._of_line_2()
        site = self.home / "site"
        clean = airflow_env.environment(self.line, site, airflow_env.installed)
        self._env = {**clean, **self._common(), **of_line, **self._more}
        self.cli("db", "migrate")
        if self.line == "2":
            self.cli(
                "users", "create", "--username", USER, "--password", self.password,
                "--role", "Admin", "--firstname", "O", "--lastname", "P",
                "--email", "operator@example.org",
            )  # fmt: skip

    def cli(self, *args: str, timeout: float = 120.0) -> str:
        """Airflow's command line, to its end; its stdout. Raises ServiceError."""
        done = subprocess.run(
            [self.python, "-m", "airflow", *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self._env,
            cwd=self.home,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise ServiceError(
                f"airflow {' '.join(args[:2])}: status {done.returncode}: "
                + " | ".join(lines[-8:])
            )
        return done.stdout

    def healthy(self) -> bool:
        """True when the API says that every component beats."""
        try:
            with _direct.open(f"{self.url}{HEALTH[self.line]}", timeout=5) as answer:
                said: dict[str, dict[str, Any] | None] = json.load(answer)
        except (OSError, ValueError, urllib.error.URLError):
            return False
        wanted = {name.replace("-", "_") for name in COMPONENTS[self.line]}
        wanted = wanted - {"api_server", "webserver"} | {"metadatabase"}
        return all((said.get(name) or {}).get("status") == "healthy" for name in wanted)

    def start(self, timeout: float = 300.0) -> Airflow:
        """Start it all and wait until every component beats. Raises ServiceError."""
        began = time.monotonic()
        try:
            self._postgres.start()
            self._prepare()
            for name in COMPONENTS[self.line]:
                argv = [self.python, "-m", "airflow", name, *OPTIONS.get(name, ())]
                log = self.home / f"{name}.log"
                process = Process(f"airflow {name}", argv, log, self._env, self.home)
                self._processes.append(process)
                self._sessions.add(process.pid)
            while not self.healthy():
                self._look(began + timeout)
                time.sleep(0.2)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def _look(self, deadline: float) -> None:
        """Raises ServiceError when a component has ended or it is too late."""
        for process in self._processes:
            if not process.alive():
                raise ServiceError(f"{process.name} ended at start: {process.tail()}")
        if time.monotonic() > deadline:
            tails = "; ".join(f"{one.name}: {one.tail(3)}" for one in self._processes)
            raise ServiceError(f"Airflow {self.version} is not healthy: {tails}")

    def processes(self) -> dict[int, Member]:
        """Every process of this Airflow, whoever its parent is."""
        return family(self._sessions)

    def orphans(self) -> list[Member]:
        """Processes of this Airflow that none of its components looks after."""
        return orphans(self.processes(), os.getpid())

    def log(self, component: str) -> str:
        """What a component has written."""
        return (self.home / f"{component}.log").read_text(errors="replace")

    def stop(self) -> dict[str, float]:
        """SIGTERM to each component, SIGKILL when it does not end, and to who is left.

        Returns the seconds that each took.
        """
        took: dict[str, float] = {}
        began = time.monotonic()
        for process in self._processes:
            process.popen.terminate()
        for process in self._processes:
            left = STOP_SECONDS - (time.monotonic() - began)
            try:
                process.popen.wait(max(left, 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
            took[process.name] = round(time.monotonic() - began, 1)
        end(self.processes())
        self._processes = []
        return took

    def close(self) -> None:
        """Stop everything; the home is removed unless $PENSTOCK_KEEP is set."""
        self.stop()
        self._postgres.close()
        if not os.environ.get("PENSTOCK_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Airflow:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
