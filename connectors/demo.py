"""The whole pipeline in one process with nothing else installed: `penstock demo`.

Recorded users come through file://, Kafka is librdkafka's embedded cluster, the store is
a folder. Each of the three can be a real one instead. Only the demo's settings are its
own: source and sink are those that `penstockd` runs.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from penstock._run import run
from penstock._types import Config, Setting, Summary
from penstock._worker import EmbeddedKafka

RECORDED = 100
PARTITIONS = 3
SCHEMA = (
    "id STRING, full_name STRING, gender STRING, street STRING, city STRING, "
    "state STRING, country STRING, postcode STRING, latitude DOUBLE, longitude DOUBLE, "
    "email STRING, dob STRING, registered STRING, phone STRING, nat STRING"
)


@dataclass(frozen=True)
class Options:
    """What the demo uses; None means embedded."""

    users: int = 24
    directory: Path | None = None
    bootstrap_servers: str | None = None
    endpoint: str | None = None
    bucket: str | None = None
    url: str | None = None
    users_per_second: float = 0.0
    topic: str = "users"
    worker: dict[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Landed:
    """One CSV file in the store's folder."""

    key: str
    path: Path
    rows: int
    size: int


@dataclass(frozen=True)
class Result:
    """What the demo did."""

    bootstrap: str
    embedded: bool
    topic: str
    produced: Summary
    landed: Summary
    folder: Path | None
    files: list[Landed]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "produced": self.produced["records"],
            "landed": self.landed["rows"],
            "topic": self.topic,
            "bootstrap_servers": self.bootstrap,
            "embedded": self.embedded,
            "folder": str(self.folder) if self.folder else None,
            "files": [str(file.path) for file in self.files],
            "last_object": self.landed["tasks"][0]["last_object"],
            "seconds": round(self.seconds, 3),
        }


@contextlib.contextmanager
def _kafka(options: Options) -> Iterator[str]:
    """The bootstrap servers: given ones, or an embedded cluster's."""
    if options.bootstrap_servers:
        yield options.bootstrap_servers
        return
    with EmbeddedKafka() as cluster:
        cluster.create_topic(options.topic, PARTITIONS)
        yield cluster.bootstrap


@contextlib.contextmanager
def _users(options: Options) -> Iterator[str]:
    """Where users come from: the API that was given, or the recorded answer."""
    if options.url:
        yield options.url
        return
    with resources.as_file(resources.files("penstock.data") / "users.json") as path:
        yield path.absolute().as_uri()


def _worker_settings(options: Options, bootstrap: str) -> dict[str, Setting]:
    settings: dict[str, Setting] = {"bootstrap.servers": bootstrap}
    if not options.bootstrap_servers:
        # The embedded cluster speaks an old version of Metadata, and librdkafka warns
        # that it can't be told not to create topics: errors only.
        settings["consumer.log_level"] = 3
    return settings | options.worker


def _source_settings(options: Options, url: str) -> dict[str, Setting]:
    return {
        "name": "demo-source",
        "connector.class": "RandomUserSource",
        "kafka.topic": options.topic,
        "randomuser.url": url,
        "max.users": options.users,
        "users.per.second": options.users_per_second,
        "output": "flat",
    }


def _prefix(options: Options) -> str:
    """topics.dir: an embedded cluster is a new one each time, and so is its chain."""
    if options.bootstrap_servers:
        return "penstock-demo"
    return f"penstock-demo/{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"


def _sink_settings(
    options: Options, folder: Path | None, prefix: str
) -> dict[str, Setting]:
    settings: dict[str, Setting] = {
        "name": "penstock-demo",
        "connector.class": "S3CsvSink",
        "topics": options.topic,
        "value.schema": SCHEMA,
        "csv.header": True,
        "topics.dir": prefix,
    }
    if folder is not None:
        settings["store.url"] = folder.absolute().as_uri()
    elif options.endpoint:
        settings["store.url"] = options.endpoint
    if options.bucket:
        settings["s3.bucket.name"] = options.bucket
    return settings


def _folder(options: Options) -> Path | None:
    """The store's folder, made if need be; None when the store is S3."""
    if options.directory is not None:
        options.directory.mkdir(parents=True, exist_ok=True)
        return options.directory
    if options.endpoint or options.bucket:
        return None
    return Path(tempfile.mkdtemp(prefix="penstock-demo-"))


def _files(folder: Path, prefix: str, since: set[Path]) -> list[Landed]:
    """The CSV files below a prefix that were not there before."""
    found = []
    for path in sorted((folder / prefix).rglob("*.csv")):
        if path in since:
            continue
        data = path.read_bytes()
        key = path.relative_to(folder).as_posix()
        found.append(Landed(key, path, data.count(b"\n") - 1, len(data)))
    return found


Tell = Callable[[str], None]


def run_demo(options: Options, tell: Tell = lambda text: None) -> Result:
    """Produce users and land them. `tell` gets a line before each step.

    Raises ValueError for more users than are recorded, and what `penstock.run` raises.
    """
    if not options.url and options.users > RECORDED:
        raise ValueError(f"{RECORDED} users are recorded; with --url there are more")
    began = time.monotonic()
    folder, prefix = _folder(options), _prefix(options)
    before = set((folder / prefix).rglob("*.csv")) if folder else set()
    with _kafka(options) as bootstrap, _users(options) as url:
        worker: Config = _worker_settings(options, bootstrap)
        tell(f"producing {options.users} users to {bootstrap}")
        produced = run(worker, _source_settings(options, url))
        tell("landing them (a consumer group takes some seconds to begin)")
        landed = run(worker, _sink_settings(options, folder, prefix), until="end")
    return Result(
        bootstrap=bootstrap,
        embedded=options.bootstrap_servers is None,
        topic=options.topic,
        produced=produced,
        landed=landed,
        folder=folder,
        files=_files(folder, prefix, before) if folder else [],
        seconds=time.monotonic() - began,
    )
