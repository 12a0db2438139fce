"""What objects are created with, read back from a real store by an independent client."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from penstock import S3CsvSink
from tests.conftest import s3_client
from tests.services import Minio
from tests.support import Bucket, sink_config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KMS_KEY = "penstock-key"


@pytest.fixture(scope="module")
def server() -> Iterator[Minio]:
    """A MinIO that can encrypt."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    with Minio(env={"MINIO_KMS_SECRET_KEY": f"{KMS_KEY}:{secret}"}) as minio:
        yield minio


@pytest.fixture
def s3(server: Minio) -> S3Client:
    """The independent client."""
    return s3_client(server)


def land(server: Minio, s3: S3Client, name: str, text: str = "a", **more: Any) -> Bucket:
    """A bucket with one object of one row, written with these settings."""
    bucket = Bucket(s3, name).create()
    keys = {
        "aws__access__key__id": server.access_key,
        "aws__secret__access__key": server.secret_key,
    }
    config = sink_config("t", "id STRING", server.endpoint, name, **keys, **more)
    with S3CsvSink(config) as sink:
        sink.put([("t", 0, 0, None, f'{{"id":"{text}"}}'.encode(), 0)])
        assert sink.flush() == [("t", 0, 1)]
    return bucket


def data_key(bucket: Bucket) -> str:
    (key,) = [key for key in bucket.keys("") if "_penstock/" not in key]
    return key


def test_properties(server: Minio, s3: S3Client) -> None:
    bucket = land(
        server, s3, "properties",
        s3__object__tagging__key__value__pairs="team:data eng,cost+co:1=2",
        s3__storage__class="REDUCED_REDUNDANCY",
        s3__object__metadata="origin:kafka prod, tier:gold",
    )  # fmt: skip
    key = data_key(bucket)
    head = s3.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED")
    assert head["ContentType"].startswith("text/csv")
    assert head["StorageClass"] == "REDUCED_REDUNDANCY"
    assert head["Metadata"]["origin"] == "kafka prod"
    assert head["Metadata"]["tier"] == "gold"
    assert head["Metadata"]["penstock-next"] == "1"
    assert "ChecksumCRC32C" in head
    tags = s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "team": "data eng",
        "cost+co": "1=2",
    }
    # The chain's own objects stay in the bucket's class, without foreign metadata.
    for own in (k for k in bucket.keys("") if "_penstock/" in k):
        head = s3.head_object(Bucket=bucket.name, Key=own)
        assert head.get("StorageClass", "STANDARD") == "STANDARD"
        assert "origin" not in head["Metadata"]


def test_properties_of_an_object_in_parts(server: Minio, s3: S3Client) -> None:
    bucket = land(
        server, s3, "in-parts", "x" * 6_000_000,
        s3__part__size="5m",
        s3__object__tagging__key__value__pairs="team:data",
        s3__storage__class="REDUCED_REDUNDANCY",
        s3__object__metadata="origin:kafka",
        s3__ssea__name="AES256",
    )  # fmt: skip
    key = data_key(bucket)
    head = s3.head_object(Bucket=bucket.name, Key=key)
    assert head["ETag"].strip('"').endswith("-2")
    assert head["ContentType"].startswith("text/csv")
    assert head["StorageClass"] == "REDUCED_REDUNDANCY"
    assert head["ServerSideEncryption"] == "AES256"
    assert head["Metadata"]["origin"] == "kafka"
    assert head["Metadata"]["penstock-next"] == "1"
    tags = s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    assert tags == [{"Key": "team", "Value": "data"}]


def test_encryption(server: Minio, s3: S3Client) -> None:
    bucket = land(server, s3, "sse-s3", s3__ssea__name="AES256")
    head = s3.head_object(Bucket=bucket.name, Key=data_key(bucket))
    assert head["ServerSideEncryption"] == "AES256"
    kms = {"s3__ssea__name": "aws:kms", "s3__sse__kms__key__id": KMS_KEY}
    bucket = land(server, s3, "sse-kms", **kms)
    for key in bucket.keys(""):  # the chain's own, too
        head = s3.head_object(Bucket=bucket.name, Key=key)
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"].endswith(KMS_KEY)
    assert bucket.get(data_key(bucket)).body == b"a\n"


@pytest.mark.parametrize("checksum", ["crc32c", "md5", "none"])
def test_checksums(server: Minio, s3: S3Client, checksum: str) -> None:
    bucket = land(server, s3, f"checksum-{checksum}", s3__checksum=checksum)
    key = data_key(bucket)
    head = s3.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED")
    assert ("ChecksumCRC32C" in head) == (checksum == "crc32c")
    assert head["ETag"].strip('"') == hashlib.md5(b"a\n").hexdigest()
