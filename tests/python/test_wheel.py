"""A wheel built by `pip wheel .` works in a fresh virtual environment.

The build is a whole one, from the files of a source distribution, so it also shows that
those are enough; source and sink then run against the real services.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, TopicFactory
from tests.integration.landing import SCHEMA
from tests.services import Kafka, Minio, RandomUserApi
from tests.support import KafkaClient, audit
from tests.support.script import run_penstock, run_script

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = (ROOT / "VERSION").read_text().strip()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*argv: str | Path, cwd: Path) -> str:
    """Run a command to its end; its output. Raises AssertionError when it fails."""
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, timeout=550, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    out = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--sdist"]
    run(*build, "--outdir", out, ROOT, cwd=out)
    (path,) = out.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from it by `pip wheel .`."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    run("nice", *pip, "--quiet", "-w", folder, ".", cwd=tree)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh virtual environment with nothing but the wheel in it."""
    venv = tmp_path_factory.mktemp("venv")
    programs = venv / "bin"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=venv)
    return programs


def test_what_is_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "penstock/__init__.py",
        "penstock/py.typed",
        "penstock/_worker.pyi",
        "penstock/_connectors.pyi",
        "penstock/data/users.json",
        "penstock_airflow/__init__.py",
        "penstock_airflow/operators/s3csv.py",
        f"penstock-{VERSION}.data/scripts/penstockd",
    ):
        assert name in names
    assert not [n for n in names if n.endswith((".c", ".h", ".o", ".a"))]
    assert len([n for n in names if n.endswith(".so")]) == 2


def test_what_is_in_the_source_distribution(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    patterns = (ROOT / "csrc" / "sources.txt").read_text().split()
    needed = {
        path.relative_to(ROOT).as_posix()
        for pattern in (*patterns, "csrc/**/*.h", "csrc/pyext/*", "csrc/daemon/*")
        for path in ROOT.glob(pattern)
    }
    assert needed <= names
    assert {"VERSION", "setup.py", "pyproject.toml", "csrc/sources.txt"} <= names
    assert not [n for n in names if n.endswith((".so", ".o", ".pyc"))]


def test_the_programs_are_on_path(programs: Path, tmp_path: Path) -> None:
    assert run(programs / "penstockd", "--version", cwd=programs).strip() == (
        f"penstockd {VERSION}"
    )
    assert f"penstock {VERSION}" in run(programs / "penstock", "version", cwd=programs)
    env = {"TMPDIR": str(tmp_path)}
    done = run_penstock("demo", "--json", program=programs / "penstock", env=env)
    assert done.returncode == 0, done.stderr


def test_source_and_sink_against_the_real_services(
    programs: Path,
    kafka: Kafka,
    minio: Minio,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    topic, bucket = topics(2), buckets()
    out = run_script(
        """
        import sys
        import penstock
        bootstrap, api, endpoint, bucket, topic, schema = sys.argv[1:]
        worker = {"bootstrap.servers": bootstrap, "consumer.session.timeout.ms": 3000}
        users = {"kafka.topic": topic, "randomuser.url": api, "max.users": 30,
                 "users.per.second": 0, "output": "flat"}
        with penstock.RandomUserSource(users) as source:
            print(source.produce(worker)["produced"])
        sink = {"name": "sink-" + topic, "connector.class": "S3CsvSink", "topics": topic,
                "value.schema": schema, "store.url": endpoint, "s3.bucket.name": bucket}
        print(penstock.run(worker, sink, until="end")["rows"])
        """,
        kafka.bootstrap,
        api.url,
        minio.endpoint,
        bucket.name,
        topic,
        SCHEMA,
        env=minio.aws_env(),
        python=programs / "python",
    )
    assert out.split() == ["30", "30"]
    assert audit(topic, bucket, client).records == 30
