"""Each source of temporary credentials, with keys of seconds that rotate under load.

The keys are real: MinIO mints them, checks them, and refuses them once they have expired
(tests/support/identity.py). A drain must not notice.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonFactory, TopicFactory, s3_client
from tests.integration.landing import (
    FAST_GROUP,
    fill,
    group_of,
    load,
    sink,
    until,
    wait_committed,
)
from tests.services import Minio
from tests.support import Bucket, Daemon, KafkaClient, audit
from tests.support.identity import CONTAINER_AUTH, ROLE, Identity

ROTATIONS = 3
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def troubles(daemon: Daemon) -> list[str]:
    """What the sink has noticed of its store."""
    of_the_store = re.compile("(WARN|ERROR).*(s3:|S3|store|chain|credentials)")
    return [line for line in daemon.log.splitlines() if of_the_store.search(line)]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    """The provider, and a MinIO that trusts it."""
    with (
        Identity(tmp_path_factory.mktemp("identity"), life_s=6) as provider,
        Minio(env=provider.minio_env()) as server,
    ):
        provider.minio = server
        yield provider


def server_of(identity: Identity) -> Minio:
    assert identity.minio is not None
    return identity.minio


@pytest.fixture
def token_file(identity: Identity, tmp_path: Path) -> Iterator[Path]:
    """A token that is replaced twice a second, as Kubernetes does in hours."""
    path, stop = tmp_path / "token", threading.Event()

    def renew() -> None:
        fresh = tmp_path / "token.new"
        fresh.write_text(identity.token())
        fresh.rename(path)

    def run() -> None:
        while not stop.wait(0.5):
            renew()

    renew()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield path
    stop.set()
    thread.join()


def way_of(
    way: str, identity: Identity, token_file: Path, tmp_path: Path
) -> tuple[dict[str, str], dict[str, str], str]:
    """The environment, the settings, and what is counted, for a source."""
    server = server_of(identity)
    sts = {"AWS_ENDPOINT_URL_STS": identity.url}
    config = tmp_path / "config"
    if way == "web":
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_ROLE_ARN": ROLE}
        return {**NO_KEYS, **sts, **env}, {}, "web"
    if way == "profile-web":
        config.write_text(
            f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = {token_file}\n"
        )
        env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"}
        return {**NO_KEYS, **sts, **env}, {}, "web"
    if way == "profile-role":
        config.write_text(
            "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/any\n"
            "source_profile = base\nexternal_id = ext/1\n"
            f"[profile base]\naws_access_key_id = {server.access_key}\n"
            f"aws_secret_access_key = {server.secret_key}\n"
        )
        env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"}
        return {**NO_KEYS, **sts, **env}, {}, "role"
    if way == "container":
        env = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{identity.url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": CONTAINER_AUTH,
        }
        return {**NO_KEYS, **env}, {}, "container"
    if way == "instance":
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": identity.url}
        return {**NO_KEYS, **env}, {}, "instance"
    settings = {
        "aws__sts__role__arn": "arn:aws:iam::123456789012:role/any",
        "aws__sts__role__external__id": "ext/1",
        "aws__sts__config__endpoint": identity.url,
    }
    return server.aws_env(), settings, "role"


@pytest.mark.parametrize(
    "way", ["web", "profile-web", "profile-role", "container", "instance", "settings"]
)
def test_keys_rotate_during_a_drain(
    way: str,
    identity: Identity,
    token_file: Path,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    topic, server = topics(2), server_of(identity)
    bucket = Bucket(s3_client(server), f"rotate-{way}").create()
    env, settings, counted = way_of(way, identity, token_file, tmp_path)
    before = identity.counts[counted]
    config = sink(topic, server.endpoint, bucket.name, flush__size=200, **settings)
    daemon = daemons(config, worker=FAST_GROUP, env=env)

    def rotated() -> bool:
        assert daemon.alive(), daemon.log
        return identity.counts[counted] - before > ROTATIONS

    with load(client, topic, 2) as producing:
        until(rotated, f"{ROTATIONS} rotations")
        records = producing.stop()
    wait_committed(client, topic, len(records), daemon=daemon)
    assert daemon.term() == 0
    assert troubles(daemon) == []
    assert server.secret_key not in daemon.log
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == len(records)
    # The keys are asked for as often as they rotate, not as often as they are used.
    assert identity.counts[counted] - before < report.objects / 2


def test_a_source_that_fails_for_a_while(
    identity: Identity,
    token_file: Path,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    """The old keys expire meanwhile: it pauses, says why, and goes on by itself."""
    topic, server = topics(1), server_of(identity)
    bucket = Bucket(s3_client(server), "failing-source").create()
    env, _, _ = way_of("container", identity, token_file, tmp_path)
    daemon = daemons(
        sink(topic, server.endpoint, bucket.name), worker=FAST_GROUP, env=env
    )
    records = fill(client, topic, 500)
    wait_committed(client, topic, 500, daemon=daemon)
    identity.failing = True
    try:
        with load(client, topic, first=500) as producing:
            daemon.wait_log("WARN .*container's endpoint refuses: HTTP 500")
            daemon.wait_log("WARN .*nothing is dropped")
            identity.failing = False
            records += producing.stop()
    finally:
        identity.failing = False
    wait_committed(client, topic, len(records), daemon=daemon)
    assert daemon.term() == 0
    told = re.findall("could not be renewed", daemon.log)
    assert len(told) <= 1, daemon.log
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == len(records)
