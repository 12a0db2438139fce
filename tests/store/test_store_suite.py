"""One conformance suite, every driver: `store_suite.c` against a directory and MinIO.

boto3 looks at what the suite's driver has put, as an independent second reader.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import s3_client
from tests.services import Minio

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "store-suite"


def run(
    programs: Path, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the suite with a clean set of AWS variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.run(
        [str(programs / "store_suite"), *options],
        env={**inherited, "HOME": "/nonexistent", **(env or {})},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def passed(result: subprocess.CompletedProcess[str]) -> None:
    """All cases have passed; else show why not."""
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[Minio]:
    """A MinIO that knows virtual hosts below `localhost`."""
    with Minio(env={"MINIO_DOMAIN": "localhost"}) as minio:
        s3_client(minio).create_bucket(Bucket=BUCKET)
        yield minio


def test_directory(programs: Path, tmp_path: Path) -> None:
    """The suite passes, and no temporary file stays."""
    passed(run(programs, "--url", f"file://{tmp_path}/a%20store"))
    assert (tmp_path / "a store").is_dir()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_minio_path_style(programs: Path, server: Minio) -> None:
    """http://host/bucket/key."""
    options = ("--url", server.endpoint, "--bucket", BUCKET)
    passed(run(programs, *options, env=server.aws_env()))


def test_minio_virtual_host(programs: Path, server: Minio) -> None:
    """http://bucket.host/key."""
    url = f"http://localhost:{server.port}/"
    options = ("--url", url, "--bucket", BUCKET, "--virtual-host")
    passed(run(programs, *options, env=server.aws_env()))


def test_libs3(programs: Path, server: Minio, plugin: Path) -> None:
    """The whole suite by libs3 (Signature V2); what it writes is read by our client."""
    options = ("--url", server.endpoint, "--bucket", BUCKET)
    clients = ("--client", "libs3", "--peer", "curl")
    env = {**server.aws_env(), "PST_PLUGIN_DIR": str(plugin.parent)}
    passed(run(programs, *options, *clients, env=env))


def test_libs3_virtual_host(programs: Path, server: Minio, plugin: Path) -> None:
    """http://bucket.host/key, which Signature V2 signs in another way."""
    options = ("--url", f"http://localhost:{server.port}", "--bucket", BUCKET)
    clients = ("--client", "libs3", "--virtual-host", "--filter", "*round*")
    env = {**server.aws_env(), "PST_PLUGIN_DIR": str(plugin.parent)}
    passed(run(programs, *options, *clients, env=env))


def test_libs3_reads_ours(programs: Path, server: Minio, plugin: Path) -> None:
    """libs3 as an independent second reader of what our client has written."""
    options = ("--url", server.endpoint, "--bucket", BUCKET)
    clients = ("--client", "curl", "--peer", "libs3", "--filter", "test_peer")
    env = {**server.aws_env(), "PST_PLUGIN_DIR": str(plugin.parent)}
    passed(run(programs, *options, *clients, env=env))


def test_credentials_of_a_profile(programs: Path, server: Minio, tmp_path: Path) -> None:
    """The shared credentials file serves when nothing else does."""
    path = tmp_path / "credentials"
    path.write_text(
        "[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\n"
        f"[team]\naws_access_key_id={server.access_key}\n"
        f"aws_secret_access_key={server.secret_key}\n"
    )
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_PROFILE": "team"}
    options = ("--url", server.endpoint, "--bucket", BUCKET, "--filter", "*round*")
    passed(run(programs, *options, env=env))
    del env["AWS_PROFILE"]
    assert run(programs, *options, env=env).returncode != 0


def test_no_credentials(programs: Path, server: Minio) -> None:
    """One line that names every way to give them."""
    options = ("--url", server.endpoint, "--bucket", BUCKET, "--filter", "*round*")
    result = run(programs, *options)
    assert result.returncode != 0
    text = result.stdout + result.stderr
    assert "no S3 credentials: set aws.access.key.id" in text
    assert "AWS_ACCESS_KEY_ID" in text


def test_bucket_is_required(programs: Path) -> None:
    """Said at once, with both ways out."""
    result = run(programs, "--url", "http://127.0.0.1:1")
    assert result.returncode == 1
    assert "s3.bucket.name is not set" in result.stdout + result.stderr


def test_second_reader(programs: Path, server: Minio) -> None:
    """Checksum, type and metadata are where others look for them."""
    s3: S3Client = s3_client(server)
    options = ("--url", server.endpoint, "--bucket", BUCKET, "--keep")
    passed(run(programs, *options, "--filter", "*round*", env=server.aws_env()))
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    [key] = [k for k in keys if k.endswith(".csv")]
    head = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert head["ContentType"] == "text/csv"
    assert head["ContentLength"] == 8
    assert head["Metadata"] == {
        "penstock-next": "24",
        "penstock-last": "23:1700000000000:0badcafe",
        "penstock-group": "connect-users",
    }
    assert len(base64.b64decode(head["ChecksumCRC32C"])) == 4
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert body == b"a,b\n1,2\n"
    for key in keys:
        s3.delete_object(Bucket=BUCKET, Key=key)
