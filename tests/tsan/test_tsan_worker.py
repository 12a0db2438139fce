"""The real worker under TSan: start, load, rebalances both ways, stop; no report.

Two daemons of `make tsan-daemon` (see c11threads.c for how TSan gets to see librdkafka's
threads) land a topic that a source of the same process and a producer fill. The memory
is small, so that windows are closed early and reading pauses. Then the same build with a
lock left out must be reported: a harness that sees nothing would pass as well.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    committed,
    fill,
    group_of,
    load,
    sink,
    until,
    wait_committed,
)
from tests.services.minio import Minio
from tests.services.randomuser_api import RandomUserApi
from tests.support import Daemon, KafkaClient, audit, source_config

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "tsan"
PARTITIONS = 8
REPORTED = 66  # TSan's exit status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """The daemon under TSan is current."""
    subprocess.run(["make", "-s", "-C", ROOT, "tsan-daemon"], check=True)


def tsan(reports: Path) -> dict[str, str]:
    """The environment of a daemon under TSan, which writes to `reports`.<pid>."""
    options = {
        "suppressions": ROOT / "tests/tsan/suppressions.txt",
        "log_path": reports,
        "exitcode": REPORTED,
        "history_size": 4,
    }
    return {"TSAN_OPTIONS": ":".join(f"{n}={v}" for n, v in options.items())}


def reported(reports: Path) -> str:
    """Everything that TSan has written."""
    found = sorted(reports.parent.glob(f"{reports.name}.*"))
    return "\n".join(path.read_text() for path in found)


def test_start_rebalances_and_stop(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    api: RandomUserApi,
    minio: Minio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCKD", str(BUILD / "penstockd"))
    topic, users, bucket = topics(PARTITIONS), topics(2), buckets()
    reports = tmp_path / "tsan"
    worker = {**FAST_GROUP, "buffer.memory": "8m", "startup.timeout.ms": 60000}
    config = sink(topic, minio.endpoint, bucket.name, tasks__max=2)
    source = source_config(users, api.url, users__per__second=50)

    def daemon(*connectors: dict[str, object]) -> Daemon:
        return daemons(*connectors, worker=worker, env=tsan(reports))

    with load(client, topic, PARTITIONS) as producing:
        first = daemon(config, source)
        first.wait_log("landed s3://")
        second = daemon(config)
        second.wait_log("landed s3://")
        assert second.term() == 0, reported(reports) or second.log[-3000:]
        first.wait_log(r"partitions? given up(.*\n)*.*partitions? assigned")
        third = daemon(config)
        third.wait_log("landed s3://")
        third.kill()  # its partitions come back by the session's time-out
        now = committed(client, topic)
        until(lambda: committed(client, topic) > now, "a commit after the kill")
        records = producing.stop()
    wait_committed(client, topic, len(records), daemon=first)
    assert first.term() == 0, reported(reports) or first.log[-3000:]
    assert reported(reports) == ""
    audit(topic, bucket, client, records=records, group=group_of(topic))


# ---- is anything seen? ----


@dataclass(frozen=True)
class Mutant:
    """A lock in a file of csrc that each thread gets one of its own of."""

    what: str
    file: str
    lock: str


MUTANTS = [
    Mutant("the pool's finished jobs", "runtime/objects_upload.c", "&objects->done_lock"),
]
OWN = "static _Thread_local pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;\n"


def build_mutant(mutant: Mutant, folder: Path) -> Path:
    """The daemon under TSan with one file changed; its path."""
    source = ROOT / "csrc" / mutant.file
    text = source.read_text()
    assert mutant.lock in text, f"{mutant.file} has changed: mend the mutant"
    head, include, rest = text.rpartition("#include")
    line, rest = rest.split("\n", 1)
    changed = folder / source.name
    changed.write_text(f"{head}{include}{line}\n{OWN}{rest.replace(mutant.lock, '&own')}")
    made = folder / changed.with_suffix(".o").name
    flags = shlex.split(
        subprocess.run(
            ["make", "-s", "-C", ROOT, "tsan-flags"],
            check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    cut = flags.index("--")
    subprocess.run(["cc", *flags[:cut], "-w", "-c", changed, "-o", made],
                   cwd=ROOT, check=True)  # fmt: skip
    objects = [
        made if path.name == made.name else path
        for path in sorted((BUILD / "obj").rglob("*.o"))
        if "libs3" not in path.parts  # the plug-in's, which is loaded at run time
    ]
    binary = folder / "penstockd"
    subprocess.run(["cc", *objects, *flags[cut + 1 :], "-o", binary],
                   cwd=ROOT, check=True)  # fmt: skip
    return binary


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_a_lock_left_out_is_reported(
    mutant: Mutant,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCKD", str(build_mutant(mutant, tmp_path)))
    topic, bucket, reports = topics(PARTITIONS), buckets(), tmp_path / "tsan"
    fill(client, topic, 2000, PARTITIONS)
    config = sink(topic, minio.endpoint, bucket.name, flush__size=50)
    env = tsan(reports)
    env["TSAN_OPTIONS"] += ":halt_on_error=1"
    daemon = daemons(config, env=env)
    until(lambda: not daemon.alive(), f"a report without the lock of {mutant.what}")
    assert "data race" in reported(reports)
    assert Path(mutant.file).name in reported(reports)
