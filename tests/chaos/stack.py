"""What the bench runs on: a broker, a store, the proxy, the daemons, one topic.

Every daemon has a link of its own to Kafka (a listener that advertises the link's port)
and to S3, so a fault of the network strikes one daemon alone. Whoever audits, produces
or looks on goes past the proxy.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaException

from tests.chaos.layouts import PLAIN, Layout
from tests.chaos.proxy import Proxy
from tests.services import Kafka, Minio
from tests.services.process import free_port
from tests.support import Bucket, Daemon, Folder, KafkaClient, sink_config
from tests.support.daemon import binary
from tests.support.stores import Store

TOPIC, BUCKET, NAME = "chaos", "chaos", "chaos"
GROUP = f"connect-{NAME}"
SESSION_MS, INTERVAL_MS = 3000, 1000
DISK_BYTES = 512 << 20
WORKER = {
    "listeners": "",
    "shutdown.timeout.ms": 15000,
    "consumer.session.timeout.ms": SESSION_MS,
    "consumer.heartbeat.interval.ms": 500,
    "consumer.topic.metadata.refresh.interval.ms": 2000,
}
# Little memory for every second daemon: an outage of the store fills it.
MEMORY = (64 << 20, 8 << 20)
HERE = Path(__file__).resolve().parent


@contextmanager
def program(path: Path | None) -> Iterator[None]:
    """Daemons made within run this program; None = build/penstockd."""
    before = os.environ.get("PENSTOCKD")
    if path is not None:
        os.environ["PENSTOCKD"] = str(path)
    try:
        yield
    finally:
        if before is not None:
            os.environ["PENSTOCKD"] = before
        elif path is not None:
            del os.environ["PENSTOCKD"]


def build_wall_clock(folder: Path) -> Path:
    """Compile wallclock.c. Returns the library to preload."""
    library = folder / "wallclock.so"
    source = str(HERE / "wallclock.c")
    argv = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), source, "-ldl"]
    subprocess.run(argv, check=True, timeout=60)
    return library


@dataclass(frozen=True)
class Shape:
    """How many daemons and partitions, on which store, with which extra settings."""

    store: str = "s3"
    daemons: int = 3
    partitions: int = 6
    sink: Mapping[str, Any] | None = None
    fake_clock: bool = False
    layout: Layout = PLAIN


class Stack:
    """All services of one run, in one folder. Use as a context manager."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        """Nothing runs yet."""
        self.folder, self.shape = folder, shape
        folder.mkdir(parents=True, exist_ok=True)
        self.kafka = Kafka(directory=folder / "kafka")
        self.minio = Minio(directory=folder / "minio")
        self.disk = folder / "disk"
        self.mounted = False
        self.proxy = Proxy(folder / "proxy.log")
        self.kafka_links = [f"kafka-{i}" for i in range(shape.daemons)]
        self.s3_links = [f"s3-{i}" for i in range(shape.daemons)]
        self.daemons: list[Daemon] = []
        self._bootstraps = self._open_listeners()
        self._endpoints: list[str] = []

    @property
    def s3(self) -> bool:
        """True for an S3 store, False for a directory."""
        return self.shape.store == "s3"

    @property
    def client(self) -> KafkaClient:
        """A new client: an old one may have lost its only broker for good."""
        return KafkaClient(self.kafka.bootstrap)

    def _open_listeners(self) -> list[str]:
        """One listener a daemon, advertised as the port of its link."""
        kafka = self.kafka
        names, inner, outer = ["PLAINTEXT"], [kafka.port], [kafka.port]
        for number, link in enumerate(self.kafka_links):
            names.append(f"CHAOS{number}")
            inner.append(free_port())
            outer.append(self.proxy.open(link, inner[-1], http=False))

        def listed(ports: list[int]) -> str:
            pairs = zip(names, ports, strict=True)
            return ",".join(f"{name}://127.0.0.1:{port}" for name, port in pairs)

        controller = f"CONTROLLER://127.0.0.1:{kafka.controller_port}"
        kafka.properties.update(
            {
                "listeners": f"{listed(inner)},{controller}",
                "advertised.listeners": listed(outer),
                "listener.security.protocol.map": ",".join(
                    f"{name}:PLAINTEXT" for name in ["CONTROLLER", *names]
                ),
                "inter.broker.listener.name": "PLAINTEXT",
            }
        )
        return [f"127.0.0.1:{port}" for port in outer[1:]]

    def start(self) -> Stack:
        """Start the services and make the topic and the bucket; no daemon yet."""
        self.kafka.start()
        self.client.create_topic(TOPIC, self.shape.partitions)
        if self.s3:
            self.minio.start()
            self._endpoints = [
                f"http://127.0.0.1:{self.proxy.open(link, self.minio.port, http=True)}"
                for link in self.s3_links
            ]
            self.bucket().create()
        else:
            self._mount()
        # A copy: the run must not change its program when somebody builds anew.
        own = Path(shutil.copy2(binary(), self.folder / "penstockd"))
        with program(own):
            self.daemons = [self._daemon(i) for i in range(self.shape.daemons)]
        return self

    def _mount(self) -> None:
        """A small file system that can be filled; a plain folder where we may not."""
        self.disk.mkdir(exist_ok=True)
        size = f"size={DISK_BYTES},nr_inodes=200000"
        argv = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.disk)]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=10, check=False)
            self.mounted = done.returncode == 0
        except OSError:
            self.mounted = False

    def bucket(self) -> Bucket:
        """The bucket, past the proxy."""
        client = boto3.client(
            "s3",
            endpoint_url=self.minio.endpoint,
            aws_access_key_id=self.minio.access_key,
            aws_secret_access_key=self.minio.secret_key,
            region_name=self.minio.region,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
        )
        return Bucket(client, BUCKET)

    def store(self) -> Store:
        """What the audit reads."""
        return self.bucket() if self.s3 else Folder(self.disk / "store")

    def _settings(self, number: int) -> dict[str, Any]:
        url = self._endpoints[number] if self.s3 else f"file://{self.disk / 'store'}"
        more: dict[str, Any] = {
            "name": NAME,
            "rotate__schedule__interval__ms": INTERVAL_MS,
            "s3__retry__backoff__ms": 100,
            "store__request__timeout__ms": 3000,
            **self.shape.layout.settings,
            **(self.shape.sink or {}),
        }
        schema, bucket = self.shape.layout.schema, BUCKET if self.s3 else None
        return sink_config(TOPIC, schema, url, bucket, **more)

    def _daemon(self, number: int) -> Daemon:
        worker = {
            **WORKER,
            "bootstrap.servers": self._bootstraps[number],
            "buffer.memory": MEMORY[number % len(MEMORY)],
        }
        env = dict(self.minio.aws_env()) if self.s3 else {}
        if self.shape.fake_clock and number == self.shape.daemons - 1:
            env |= self._clock_env()
        folder = self.folder / f"penstockd-{number}"
        return Daemon(folder, worker, self._settings(number), env=env)

    def _clock_env(self) -> dict[str, str]:
        self.set_clock(0)
        library = build_wall_clock(self.folder)
        return {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self.folder / "clock")}

    def set_clock(self, offset: int) -> None:
        """The wall clock of the last daemon is so many seconds off from now on."""
        with (self.folder / "clock").open("r+b" if offset else "wb") as file:
            file.write(struct.pack("=q", offset))

    def links(self, number: int, which: str) -> list[str]:
        """The name of a daemon's link to `kafka` or `s3`."""
        names = self.kafka_links if which == "kafka" else self.s3_links
        return [names[number % len(names)]]

    def chain_end(self, partition: int) -> int:
        """Where a partition's chain ends now, by the store; the root's start if empty."""
        store, below = self.store(), f"topics/_penstock/{TOPIC}/{partition}/"
        if self.shape.layout.routed:
            links = self.manifests(partition)
            if links:
                return int(json.loads(store.get(links[-1]).body)["next"])
        elif keys := store.keys(f"topics/{TOPIC}/partition={partition}/"):
            return int(store.get(keys[-1]).meta["next"])
        try:
            root = store.get(f"{below}root.json")
        except KeyError:
            return 0
        return int(root.body.split(b'"start":')[1].split(b",")[0].strip(b" }"))

    def manifests(self, partition: int) -> list[str]:
        """The keys of a partition's manifests."""
        below = f"topics/_penstock/{TOPIC}/{partition}/"
        keys = self.store().keys(below)
        return [key for key in keys if key.removeprefix(below)[:20].isdigit()]

    def close(self) -> None:
        """End everything. The folder stays."""
        for daemon in self.daemons:
            daemon.close()
        self.proxy.close()
        self.kafka.close()
        self.minio.close()
        if self.mounted:
            subprocess.run(["umount", str(self.disk)], timeout=30, check=False)
            self.mounted = False

    def __enter__(self) -> Stack:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc: object) -> None:
        self.close()


def patiently(call: Any, seconds: float = 30.0) -> Any:
    """`call()`, again and again while a service is down. Raises its last error."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except (KafkaException, ClientError, BotoCoreError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def reset_offsets(client: KafkaClient, offsets: Mapping[int, int]) -> None:
    """Set the group's offsets as a tool does, as soon as the group is empty."""

    def done() -> bool:
        client.set_committed(GROUP, TOPIC, offsets)
        committed = client.committed(GROUP, TOPIC)
        return all(committed.get(p) == (offset, "") for p, offset in offsets.items())

    end = time.monotonic() + 30
    while not patiently(done):
        assert time.monotonic() < end, "the group's offsets cannot be set"
        time.sleep(0.2)


def keep_disk(stack: Stack) -> None:
    """Copy a directory store out of its file system, which goes with the run."""
    if stack.mounted:
        shutil.copytree(stack.disk, stack.folder / "disk-copy", dirs_exist_ok=True)


def fill_disk(path: Path) -> int:
    """Take all free space of a file system with one file. Returns its size."""
    free = os.statvfs(path.parent)
    taken, step = 0, free.f_bavail * free.f_frsize
    with path.open("wb") as file:
        while step >= free.f_frsize:
            try:
                os.posix_fallocate(file.fileno(), taken, step)
                taken += step
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                step //= 2  # others write, too
    return taken
