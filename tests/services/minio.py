"""A real S3 server: MinIO on loopback ports, in a folder of its own.

The credentials are random per instance and reach the server, and whoever uses
`aws_env()`, by environment only: no command line, log or file shows them.
"""

from __future__ import annotations

import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.services import install
from tests.services.process import free_port
from tests.services.service import Service

HOST = "127.0.0.1"
REGION = "us-east-1"


def answers(endpoint: str) -> bool:
    """True when the server says that it is ready to serve requests."""
    try:
        with urllib.request.urlopen(
            f"{endpoint}/minio/health/ready", timeout=2
        ) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


class Minio(Service):
    """An S3 server."""

    def __init__(
        self,
        *,
        port: int | None = None,
        directory: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet. `env` adds server settings (`MINIO_…`)."""
        super().__init__("minio", directory)
        self.port = port or free_port()
        self.console_port = free_port()
        self.access_key = secrets.token_hex(8)
        self.secret_key = secrets.token_urlsafe(24)
        self.region = REGION
        self._env = dict(env or {})

    @property
    def endpoint(self) -> str:
        """`http://host:port` of the S3 API."""
        return f"http://{HOST}:{self.port}"

    @property
    def console(self) -> str:
        """`http://host:port` of the console for browsers."""
        return f"http://{HOST}:{self.console_port}"

    def aws_env(self) -> dict[str, str]:
        """The variables of the standard credential chain, for a child's environment."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def _server_env(self) -> dict[str, str]:
        inherited = {
            name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ
        }
        return {
            **inherited,
            "HOME": str(self.directory),
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_UPDATE": "off",
            **self._env,
        }

    def start(self, timeout: float = 30.0) -> Minio:
        """Start the server and wait until it is ready. Raises ServiceError."""
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        argv = [
            str(install.minio_binary()), "server", str(data), "--quiet",
            "--address", f"{HOST}:{self.port}",
            "--console-address", f"{HOST}:{self.console_port}",
        ]  # fmt: skip
        self._launch(argv, lambda: answers(self.endpoint), timeout, self._server_env())
        return self

    def restart(self) -> Minio:
        """Stop and start on the same port, folder and credentials."""
        self.stop()
        return self.start()
