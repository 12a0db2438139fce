"""SASL_SSL with SCRAM: source, sink and dead letters through it, and one clear line for
a wrong password, an unknown CA and an expired certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.conftest import DaemonFactory
from tests.integration.landing import FAST_START, group_of, wait_committed
from tests.integration.test_bad_input import errors
from tests.integration.test_dead_letters import CONTEXT
from tests.services.kafka import Kafka
from tests.services.process import free_port
from tests.support import Folder, KafkaClient, Msg, sink_config
from tests.support.daemon import source_config
from tests.support.ways import Authority

USER, PASSWORD = "penstock", "correct-horse-battery"
RECORDED = Path(__file__).resolve().parents[1] / "data/randomuser/ten.json"
USER_SCHEMA = "id STRING, full_name STRING, email STRING"


def keystore(authority: Authority, name: str, days: int) -> Path:
    """Key and certificate of `localhost` in one PEM file."""
    certificate, key = authority.certificate(name, "localhost", days)
    both = authority.folder / f"{name}.keystore.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both


class SecureKafka:
    """A broker with a plain listener, a secure one, and one whose certificate is old."""

    def __init__(self, folder: Path) -> None:
        """Makes the certificates; nothing is started."""
        self.authority = Authority(folder)
        self.secure, self.expired = free_port(), free_port()
        self.kafka = Kafka(port=free_port())
        plain, controller = self.kafka.bootstrap, self.kafka.controller_port
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        self.kafka.properties |= {
            "listeners": f"PLAINTEXT://{plain},CONTROLLER://127.0.0.1:{controller},"
            f"SECURE://localhost:{self.secure},EXPIRED://localhost:{self.expired}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SECURE:SASL_SSL,EXPIRED:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        }
        for name, days in (("secure", 2), ("expired", -1)):
            prefix = f"listener.name.{name}."
            self.kafka.properties |= {
                f"{prefix}ssl.keystore.type": "PEM",
                f"{prefix}ssl.keystore.location": str(
                    keystore(self.authority, name, days)
                ),
                f"{prefix}scram-sha-512.sasl.jaas.config": scram,
            }

    def start(self) -> None:
        """Start it, and make the user."""
        self.kafka.start()
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wish = UserScramCredentialUpsertion(USER, info, PASSWORD.encode())
        for done in admin.alter_user_scram_credentials([wish]).values():
            done.result(30)

    def worker(self, **more: Any) -> dict[str, Any]:
        """A worker's settings; `more` by `ssl__ca__location`-like names."""
        settings = {
            **FAST_START,
            "startup.timeout.ms": 20_000,
            "bootstrap.servers": f"localhost:{self.secure}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.authority.ca),
        }
        return settings | {k.replace("__", "."): v for k, v in more.items()}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """The broker, for all tests here."""
    made = SecureKafka(tmp_path_factory.mktemp("certificates"))
    made.start()
    yield made
    made.kafka.close()


@pytest.fixture
def client(secure: SecureKafka) -> KafkaClient:
    """The same broker by its plain door."""
    return KafkaClient(secure.kafka.bootstrap)


def landing(topic: str, folder: Path, **more: Any) -> Mapping[str, Any]:
    """A sink of users into a directory, with dead letters."""
    return sink_config(
        topic,
        USER_SCHEMA,
        f"file://{folder}",
        json__mode="FAILFAST",
        errors__tolerance="all",
        errors__deadletterqueue__topic__name=f"{topic}-dead",
        errors__deadletterqueue__topic__replication__factor=1,
        errors__deadletterqueue__context__headers__enable="true",
        **more,
    )


def test_source_sink_and_dead_letters(
    secure: SecureKafka, client: KafkaClient, daemons: DaemonFactory, tmp_path: Path
) -> None:
    topic = client.create_topic("users")
    bad = client.produce(topic, [Msg(b"{", key="bad", headers=(("h", None),))] * 3)
    source = source_config(topic, f"file://{RECORDED}", max__users=10, output="flat")
    folder = tmp_path / "store"
    folder.mkdir()
    daemon = daemons(source, dict(landing(topic, folder)), worker=secure.worker())
    wait_committed(client, topic, 10 + len(bad), daemon=daemon)
    assert daemon.term() == 0, daemon.log
    rows = b"".join(
        stored.body
        for stored in Folder(folder).objects()
        if "_penstock/" not in stored.key
    )
    assert rows.count(b"\n") == 10
    letters = client.read_all(f"{topic}-dead")
    assert sorted(dict(x.headers)[f"{CONTEXT}offset"] or b"" for x in letters) == [
        str(rec.offset).encode() for rec in bad
    ]
    assert {(x.key, x.value, x.headers[0]) for x in letters} == {
        (b"bad", b"{", ("h", None))
    }
    assert PASSWORD not in daemon.log
    assert client.committed(group_of(topic), topic)


@pytest.mark.parametrize(
    ("more", "port", "words"),
    [
        ({"sasl__password": "wrong-horse-0123"}, "secure", ("uthentication", "SCRAM")),
        ({"ssl__ca__location": "other"}, "secure", ("certificate", "ssl.ca.location")),
        ({}, "expired", ("certificate", "has expired")),
    ],
    ids=["wrong password", "unknown CA", "expired certificate"],
)
def test_one_clear_line(
    secure: SecureKafka,
    client: KafkaClient,
    daemons: DaemonFactory,
    tmp_path: Path,
    more: dict[str, str],
    port: str,
    words: tuple[str, ...],
) -> None:
    address = f"localhost:{getattr(secure, port)}"
    if "ssl__ca__location" in more:
        other = tmp_path / "other"
        other.mkdir()
        more = {"ssl__ca__location": str(Authority(other).ca)}
    worker = secure.worker(
        **{"startup__timeout__ms": 3000, "bootstrap__servers": address}, **more
    )
    folder = tmp_path / "store"
    folder.mkdir()
    daemon = daemons(dict(landing("users", folder)), worker=worker)
    assert daemon.wait(20) == 3, daemon.log
    (line,) = errors(daemon)
    for word in (*words, str(getattr(secure, port))):
        assert word in line, daemon.log
    for secret in (PASSWORD, "wrong-horse-0123"):
        assert secret not in daemon.log
