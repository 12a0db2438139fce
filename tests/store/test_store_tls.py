"""HTTPS to a real server: certificates are verified, a CA of one's own can be named."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.services import Minio
from tests.store.test_store_suite import BUCKET, passed, run


class TlsMinio(Minio):
    """A MinIO that finds certificates in its folder and so speaks HTTPS only."""

    @property
    def endpoint(self) -> str:
        """`https://localhost:port`."""
        return f"https://localhost:{self.port}"


def make_certificate(folder: Path) -> None:
    """A self-signed certificate for localhost, where MinIO looks for it."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(folder / "private.key"), "-out", str(folder / "public.crt")],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Minio]:
    """A MinIO over HTTPS with a bucket."""
    certificates = tmp_path / ".minio" / "certs"
    make_certificate(certificates)
    ca_file = certificates / "public.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))  # for the ready-check
    with TlsMinio(directory=tmp_path) as minio:
        client = boto3.client(
            "s3",
            endpoint_url=minio.endpoint,
            aws_access_key_id=minio.access_key,
            aws_secret_access_key=minio.secret_key,
            region_name=minio.region,
            verify=str(ca_file),
        )
        client.create_bucket(Bucket=BUCKET)
        yield minio


def test_tls(programs: Path, secure: Minio) -> None:
    """Trusted by --ca-file; refused without it and for a name it was not made for."""
    ca_file = str(secure.directory / ".minio" / "certs" / "public.crt")
    env = secure.aws_env()
    url = ("--url", secure.endpoint, "--bucket", BUCKET)
    passed(run(programs, *url, "--ca-file", ca_file, env=env))
    some = ("--filter", "*round*", "--keep")
    stranger = run(programs, *url, *some, env=env)
    assert stranger.returncode != 0
    assert "SSL certificate problem" in stranger.stdout + stranger.stderr
    other = ("--url", f"https://127.0.0.1:{secure.port}", "--bucket", BUCKET)
    misnamed = run(programs, *other, *some, "--ca-file", ca_file, env=env)
    assert misnamed.returncode != 0
    assert "no alternative certificate subject name matches" in misnamed.stdout + (
        misnamed.stderr
    )
