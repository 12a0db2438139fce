"""A real Kafka broker: one node, KRaft, on loopback ports, in a folder of its own.

The folder, ports and cluster id outlive a stop, so a broker can be started again on
the same data (`stop(); start()`), or as a new log under the same address
(`stop(); wipe(); start()`). The storage folder is formatted here, without the 2 s of
the storage tool's JVM: a KRaft broker needs only `meta.properties`.
"""

from __future__ import annotations

import base64
import shutil
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.services import install
from tests.services.process import ServiceError, free_port
from tests.services.service import Service

HOST = "127.0.0.1"
_LOG4J = Path(__file__).resolve().parent / "log4j.properties"
_JVM = ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "true",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


def new_cluster_id() -> str:
    """A random cluster id: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def _request(port: int, api_key: int, version: int, body: bytes) -> bytes:
    """One request of Kafka's protocol; the answer's body. Raises OSError."""
    client = b"penstock-ready"
    head = struct.pack(">hhih", api_key, version, 1, len(client)) + client
    with socket.create_connection((HOST, port), timeout=2) as sock:
        sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        (size,) = struct.unpack(">i", _receive(sock, 4))
        return _receive(sock, size)[4:]


def answers(port: int) -> bool:
    """True when the broker answers ApiVersions and lists itself in its metadata."""
    try:
        (error,) = struct.unpack_from(">h", _request(port, 18, 0, b""))
        metadata = _request(port, 3, 1, struct.pack(">i", 0))
    except OSError:
        return False
    (brokers,) = struct.unpack_from(">i", metadata)
    return bool(error == 0 and brokers >= 1)


class Kafka(Service):
    """A broker."""

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        directory: Path | None = None,
        cluster_id: str | None = None,
    ) -> None:
        """Nothing is started yet. `properties` override the server's settings."""
        super().__init__("kafka", directory)
        self.port = port or free_port()
        self.controller_port = free_port()
        self.cluster_id = cluster_id or self._formatted_id() or new_cluster_id()
        self.properties = dict(properties or {})

    @property
    def bootstrap(self) -> str:
        """`host:port`, for `bootstrap.servers`."""
        return f"{HOST}:{self.port}"

    def _formatted_id(self) -> str | None:
        meta = self.directory / "data" / "meta.properties"
        if not meta.exists():
            return None
        pairs = (line.partition("=") for line in meta.read_text().splitlines())
        return next((value for name, _, value in pairs if name == "cluster.id"), None)

    def _format(self) -> None:
        data = self.directory / "data"
        if (data / "meta.properties").exists():
            return
        data.mkdir(parents=True)
        meta = {"version": "1", "cluster.id": self.cluster_id, "node.id": "1"}
        (data / "meta.properties").write_text(_properties(meta))

    def _write_config(self) -> Path:
        controller = f"{HOST}:{self.controller_port}"
        addresses = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        path = self.directory / "server.properties"
        path.write_text(_properties({**_DEFAULTS, **addresses, **self.properties}))
        return path

    def start(self, timeout: float = 60.0) -> Kafka:
        """Start the broker and wait until it answers. Raises ServiceError."""
        self._format()
        argv = [
            install.java(), *_JVM, f"-Dlog4j.configuration=file:{_LOG4J}",
            "-cp", f"{install.kafka_jars()}/*", "kafka.Kafka", str(self._write_config()),
        ]  # fmt: skip
        self._launch(argv, lambda: answers(self.port), timeout)
        return self

    def restart(self, *, wipe: bool = False, new_id: bool = False) -> Kafka:
        """Stop and start on the same address; `wipe` starts from an empty log."""
        self.stop()
        if wipe or new_id:
            self.wipe(new_id=new_id)
        return self.start()

    def wipe(self, *, new_id: bool = False) -> None:
        """Forget all data of a stopped broker; the cluster id too when `new_id`."""
        if self._process is not None:
            raise ServiceError("kafka runs: stop it before its data is wiped")
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        if new_id:
            self.cluster_id = new_cluster_id()

    def admin(self, command: str, *args: str) -> str:
        """Run an admin class (`TopicCommand`, `consumer.group.ConsumerGroupCommand`).

        Returns its output. Raises ServiceError when it fails.
        """
        argv = [
            install.java(), "-Xmx256m", *_JVM[2:], f"-Dlog4j.configuration=file:{_LOG4J}",
            "-cp", f"{install.kafka_jars()}/*", f"org.apache.kafka.tools.{command}",
            "--bootstrap-server", self.bootstrap, *args,
        ]  # fmt: skip
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise ServiceError(f"{command} failed: {(done.stdout + done.stderr).strip()}")
        return done.stdout
