"""Temporary credentials of a real STS: tokens work, missing permissions are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.conftest import s3_client
from tests.services import Minio
from tests.store.test_store_suite import BUCKET, passed, run


@pytest.fixture(scope="module")
def server() -> Iterator[Minio]:
    """A MinIO with a bucket."""
    with Minio() as minio:
        s3_client(minio).create_bucket(Bucket=BUCKET)
        yield minio


def assume(server: Minio, *actions: str) -> dict[str, str]:
    """Variables of temporary credentials that may do `actions` and nothing else."""
    sts = boto3.client(
        "sts",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
    )
    statement = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": ["arn:aws:s3:::*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    got = sts.assume_role(
        RoleArn="arn:aws:iam::123456789012:role/any",
        RoleSessionName="suite",
        Policy=policy,
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": got["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
        "AWS_SESSION_TOKEN": got["SessionToken"],
    }


def test_session_token(programs: Path, server: Minio) -> None:
    """Everything allowed: objects go up with the token in the signature."""
    env = assume(server, "s3:*")
    options = ("--url", server.endpoint, "--bucket", BUCKET, "--filter")
    for cases in ("*round*", "*condit*", "test_race", "*full*"):
        passed(run(programs, *options, cases, env=env))


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        (("s3:GetObject", "s3:ListBucket"), ("s3:PutObject",)),
        (("s3:PutObject", "s3:GetObject"), ("s3:ListBucket",)),
        (("s3:PutObject", "s3:ListBucket"), ("s3:GetObject",)),
        (("s3:DeleteObject",), ("s3:PutObject", "s3:ListBucket", "s3:GetObject")),
    ],
)
def test_missing_permissions(
    programs: Path, server: Minio, allowed: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """The probe names each of them in one line, and nothing of the credentials."""
    env = assume(server, *allowed)
    options = ("--url", server.endpoint, "--bucket", BUCKET, "--keep")
    result = run(programs, *options, "--filter", "test_probe", env=env)
    assert result.returncode != 0
    text = result.stdout + result.stderr
    [line] = [line for line in text.splitlines() if "grant s3:" in line]
    for permission in named:
        assert f"grant {permission} on arn:aws:s3:::{BUCKET}" in line
    for secret in env.values():
        assert secret not in text
