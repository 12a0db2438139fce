"""A real PostgreSQL on a loopback port, in a folder of its own: Airflow's database.

The server refuses to run as root; started by root it runs as the user `postgres` that
Debian's package brings. The password is random per instance and is in no command line.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from tests.services.process import ServiceError, free_port
from tests.services.service import Service

HOST = "127.0.0.1"
USER = "postgres"
_SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


def programs() -> Path:
    """The folder of the newest server's programs. Raises ServiceError."""
    on_path = shutil.which("initdb")
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path:
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise ServiceError("PostgreSQL is missing: scripts/setup.sh airflow")
    return max(
        found, key=lambda path: [int(part) for part in path.parts if part.isdigit()]
    )


def _drop_root() -> list[str]:
    """What goes before a command that must not run as root."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise ServiceError(f"no user {USER} to run PostgreSQL as") from None
    return [
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
        "--pdeathsig=KILL", "--",
    ]  # fmt: skip


class Postgres(Service):
    """A server with the one database `postgres`."""

    def __init__(self, *, port: int | None = None, directory: Path | None = None) -> None:
        """Nothing is started yet."""
        super().__init__("postgres", directory)
        self.port = port or free_port()
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """For SQLAlchemy, with the password: give it by environment."""
        return f"postgresql+psycopg2://{USER}:{self.password}@{HOST}:{self.port}/{USER}"

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.directory, USER)
        secret = self.directory / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(secret, USER)
        argv = [
            *_drop_root(), str(programs() / "initdb"), "-D", str(self.directory / "data"),
            "-U", USER, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256",
            "--no-sync", f"--pwfile={secret}",
        ]  # fmt: skip
        done = subprocess.run(
            argv, cwd=self.directory, capture_output=True, text=True, check=False
        )
        secret.unlink()
        if done.returncode != 0:
            raise ServiceError(f"initdb failed: {done.stderr.strip()}")

    def answers(self) -> bool:
        """True when the server takes connections."""
        argv = [str(programs() / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(argv, check=False).returncode == 0

    def start(self, timeout: float = 30.0) -> Postgres:
        """Start the server and wait until it answers. Raises ServiceError."""
        if not (self.directory / "data").exists():
            self._initialise()
        settings = {
            **_SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
        }
        argv = [*_drop_root(), str(programs() / "postgres"), "-D"]
        argv.append(str(self.directory / "data"))
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self._launch(argv, self.answers, timeout)
        return self

    def stop(self, timeout: float = 15.0) -> None:
        """SIGINT, which does not wait for clients; SIGKILL after `timeout` seconds."""
        if self._process is not None:
            self._process.signal(signal.SIGINT)
        super().stop(timeout)
