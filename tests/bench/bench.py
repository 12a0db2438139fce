"""What the parts of the bench share: services, topics, and how a sink is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.bench.corpus import Corpus, fill
from tests.bench.measure import ROOT, Run, measure
from tests.bench.plot import Figure
from tests.conftest import s3_client
from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, sink_config
from tests.support.daemon import write_properties

BUCKET = "bench"


class Bench:
    """A broker, a store, and the programs that are measured against them."""

    def __init__(self, kafka: Kafka, minio: Minio, folder: Path, runs: int) -> None:
        """`runs`: how often each measurement is repeated."""
        self.kafka, self.minio, self.folder, self.runs = kafka, minio, folder, runs
        self.client = KafkaClient(kafka.bootstrap)
        self.env = {**os.environ, **minio.aws_env()}
        self.turn = 0
        self.listeners = ""  # of the drains; none unless REST is measured
        self.sizes: dict[str, float] = {}
        self.figures: list[Figure] = []
        s3_client(minio).create_bucket(Bucket=BUCKET)

    def note(self, title: str, value: float, bar: float, unit: str = "") -> None:
        """A figure that has a bar, for the summary and the plot."""
        self.figures.append(Figure(title, value, bar, unit))

    def fill(self, corpus: Corpus, records: int) -> None:
        """Make a corpus's topic once."""
        if corpus.name not in self.sizes:
            total = fill(self.client, self.kafka.bootstrap, corpus, records)
            self.sizes[corpus.name] = total / records

    def floor(self, corpus: Corpus) -> Run:
        """librdkafka alone: read everything and throw it away."""
        argv = [str(ROOT / "build" / "floor"), self.kafka.bootstrap, corpus.name]
        argv.append(str(corpus.partitions))
        return measure(argv, self.env, self.folder / "floor.log")

    def put_floor(self, objects: int, size: int) -> Run:
        """libcurl alone: PUT so many objects of so many bytes."""
        self.turn += 1
        url = f"{self.minio.endpoint}/{BUCKET}/put-floor-{self.turn}"
        argv = [str(ROOT / "build" / "put_floor"), url, str(objects), str(size)]
        return measure(argv, self.env, self.folder / "put.log")

    def settings(self, corpus: Corpus, **more: Any) -> dict[str, Any]:
        """The sink's settings, with a name and a prefix that no run had before."""
        self.turn += 1
        more.setdefault("rotate__schedule__interval__ms", 10000)
        return sink_config(
            corpus.name,
            corpus.schema,
            self.minio.endpoint,
            BUCKET,
            select=corpus.select,
            name=f"bench-{self.turn}",
            topics__dir=f"run-{self.turn}",
            **more,
        )

    def worker(self, **more: Any) -> dict[str, Any]:
        """The worker's settings."""
        plain = {name.replace("__", "."): value for name, value in more.items()}
        at = {"listeners": self.listeners} if self.listeners else {}
        return {"bootstrap.servers": self.kafka.bootstrap, **at, **plain}

    def drain(self, corpus: Corpus, memory: str, **more: Any) -> Run:
        """penstockd --until-end over the whole topic."""
        worker = write_properties(
            self.folder / "worker.properties", self.worker(buffer__memory=memory)
        )
        sink = write_properties(
            self.folder / "sink.properties", self.settings(corpus, **more)
        )
        argv = [str(ROOT / "build" / "penstockd"), "--until-end", str(worker), str(sink)]
        return measure(argv, self.env, self.folder / "sink.log")

    def daemon(self, corpus: Corpus, **more: Any) -> Daemon:
        """A running sink, to be looked at from outside."""
        settings = self.settings(corpus, **more)
        folder = self.folder / f"daemon-{self.turn}"
        env = self.minio.aws_env()
        return Daemon(folder, self.worker(), settings, env=env).start()
