"""`penstock demo`: embedded, twice in a folder, and against the real services."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from tests.conftest import BucketFactory
from tests.services import Kafka, Minio, RandomUserApi
from tests.services.randomuser_api import recorded_users
from tests.support import parse_csv
from tests.support.script import run_penstock

HEAD = (
    "id,full_name,gender,street,city,state,country,postcode,latitude,longitude,"
    "email,dob,registered,phone,nat"
)


def landed_ids(*texts: str) -> list[str | None]:
    """The ids in CSV files that begin with a header, sorted."""
    found = []
    for text in texts:
        assert text.splitlines()[0] == HEAD
        found += [row[0] for row in parse_csv(text)[1:]]
    return sorted(found, key=str)


def first_users(count: int) -> list[str]:
    """Ids of the recorded users, sorted."""
    return sorted(user["login"]["uuid"] for user in recorded_users()[:count])


def test_it_shows_what_it_did(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run_penstock("demo", env={"TMPDIR": str(tmp_path)})
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert seconds < 10
    assert done.stderr == ""
    out = done.stdout
    assert "Produced 24 users to topic users (embedded Kafka" in out
    assert "Landed 24 rows in 3 objects" in out
    assert HEAD[:100] in out
    assert "\x1b" not in out
    folder = out.partition("They lie in ")[2].splitlines()[0]
    assert Path(folder).is_dir()


def test_twice_in_one_folder(tmp_path: Path) -> None:
    for run in (1, 2):
        done = run_penstock("demo", "--json", "--dir", tmp_path, "--users", "100")
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        summary = json.loads(line)
        assert summary["produced"] == summary["landed"] == 100
        assert summary["embedded"]
        assert summary["seconds"] < 10
        texts = [Path(path).read_text() for path in summary["files"]]
        assert landed_ids(*texts) == first_users(100)
        assert len(list(tmp_path.rglob("*.csv"))) == 3 * run


def test_more_users_than_are_recorded() -> None:
    done = run_penstock("demo", "--users", "101")
    assert done.returncode == 2
    assert "100 users are recorded" in done.stderr


@pytest.mark.parametrize("runs", [2])
def test_with_real_services(
    kafka: Kafka, minio: Minio, buckets: BucketFactory, api: RandomUserApi, runs: int
) -> None:
    bucket, topic = buckets(), f"demo-{uuid.uuid4().hex[:8]}"
    for run in range(runs):
        done = run_penstock(
            "demo", "--json", "--bootstrap-servers", kafka.bootstrap,
            "--endpoint", minio.endpoint, "--bucket", bucket.name, "--topic", topic,
            "--users", "12", "--url", api.url,
            "--set-worker", "consumer.session.timeout.ms=3000",
            env=minio.aws_env(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["produced"] == summary["landed"] == 12, run
        assert summary["last_object"].startswith("s3://")
        assert summary["files"] == []
    texts = [o.body.decode() for o in bucket.objects(f"penstock-demo/{topic}/")]
    served = sorted(user["login"]["uuid"] for user in api.served())
    assert landed_ids(*texts) == served
