"""Each source of temporary credentials, with keys of seconds that rotate under load.

The keys are real: MinIO mints them, checks them, and refuses them once they have expired
(tests/support/identity.py). A drain must not notice.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from tests.support.identity import CONTAINER_AUTH, EXTERNAL_ID, ROLE, Identity

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


@contextmanager
def rewritten(path: Path, text: Callable[[], str], every_s: float) -> Iterator[Path]:
    """A file that is replaced again and again, whole."""
    stop = threading.Event()
    failed: list[Exception] = []

    def renew() -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(text())
        fresh.rename(path)

    def run() -> None:
        try:
            while not stop.wait(every_s):
                renew()
        except Exception as error:
            failed.append(error)

    renew()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
    assert not failed, failed


@pytest.fixture
def token_file(identity: Identity, tmp_path: Path) -> Iterator[Path]:
    """A token that is replaced twice a second, as Kubernetes does in hours."""
    with rewritten(tmp_path / "token", identity.token, 0.5) as path:
        yield path


@pytest.fixture
def keys_file(identity: Identity, tmp_path: Path) -> Iterator[Path]:
    """A shared credentials file that a tool rewrites; it does not say when keys end."""

    def fresh() -> str:
        key, secret, token = identity.keys()
        identity.count("file")
        return (
            f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
            f"aws_session_token = {token}\n"
        )

    with rewritten(tmp_path / "credentials", fresh, identity.life_s / 2) as path:
        yield path


@dataclass
class Files:
    """What a source may read."""

    token: Path
    keys: Path
    config: Path


@pytest.fixture
def files(token_file: Path, keys_file: Path, tmp_path: Path) -> Files:
    """All of them, kept fresh."""
    return Files(token_file, keys_file, tmp_path / "config")


def way_of(
    way: str, identity: Identity, files: Files
) -> tuple[dict[str, str], dict[str, str], str]:
    """The environment, the settings, and what is counted, for a source."""
    server = server_of(identity)
    sts = {"AWS_ENDPOINT_URL_STS": identity.url}
    config, token_file = files.config, files.token
    container = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{identity.url}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": CONTAINER_AUTH,
    }
    if way == "file":
        return {**NO_KEYS, "AWS_SHARED_CREDENTIALS_FILE": str(files.keys)}, {}, "file"
    if way == "profile-container":
        config.write_text(
            "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/any\n"
            f"credential_source = EcsContainer\nexternal_id = {EXTERNAL_ID}\n"
        )
        env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"}
        lasting = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{identity.url}/lasting"}
        return {**NO_KEYS, **sts, **lasting, **env}, {}, "role"
    if way == "pod":
        env = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{identity.url}/pod",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        }
        return {**NO_KEYS, **env}, {}, "pod"
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
            f"source_profile = base\nexternal_id = {EXTERNAL_ID}\n"
            f"[profile base]\naws_access_key_id = {server.access_key}\n"
            f"aws_secret_access_key = {server.secret_key}\n"
        )
        env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"}
        return {**NO_KEYS, **sts, **env}, {}, "role"
    if way == "container":
        return {**NO_KEYS, **container}, {}, "container"
    if way == "instance":
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": identity.url}
        return {**NO_KEYS, **env}, {}, "instance"
    settings = {
        "aws__sts__role__arn": "arn:aws:iam::123456789012:role/any",
        "aws__sts__role__external__id": EXTERNAL_ID,
        "aws__sts__config__endpoint": identity.url,
    }
    return server.aws_env(), settings, "role"


@pytest.mark.parametrize(
    "way",
    [
        "file",
        "web",
        "profile-web",
        "profile-role",
        "profile-container",
        "container",
        "pod",
        "instance",
        "settings",
    ],
)
def test_keys_rotate_during_a_drain(
    way: str,
    identity: Identity,
    files: Files,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    topic, server = topics(2), server_of(identity)
    bucket = Bucket(s3_client(server), f"rotate-{way}").create()
    env, settings, counted = way_of(way, identity, files)
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
    files: Files,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    """The old keys expire meanwhile: it pauses, says why, and goes on by itself."""
    topic, server = topics(1), server_of(identity)
    bucket = Bucket(s3_client(server), "failing-source").create()
    env, _, _ = way_of("container", identity, files)
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


NAMES = {
    "aws.access.key.id": "AWS_ACCESS_KEY_ID",
    "aws.secret.access.key": "AWS_SECRET_ACCESS_KEY",
    "aws.session.token": "AWS_SESSION_TOKEN",
}


@pytest.mark.parametrize("way", ["settings", "environment"])
def test_keys_that_nobody_renews(
    way: str,
    identity: Identity,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    """They end in the middle of a drain: it pauses, drops nothing, and a start with new
    ones (in the file that the settings name, or in the environment) lands the rest."""
    topic, server = topics(2), server_of(identity)
    bucket = Bucket(s3_client(server), f"fixed-{way}").create()
    secrets = tmp_path / "secrets.properties"

    def begin(life_s: int | None) -> Daemon:
        values = dict(zip(NAMES, identity.keys(life_s), strict=True))
        config = sink(topic, server.endpoint, bucket.name, flush__size=200)
        env = dict.fromkeys(NAMES.values(), "")
        if way == "environment":
            env = {NAMES[name]: value for name, value in values.items()}
        else:
            secrets.write_text("".join(f"{n}={v}\n" for n, v in values.items()))
            config |= {name: f"${{file:{secrets}:{name}}}" for name in values}
        return daemons(config, worker=FAST_GROUP, env=env)

    first = begin(None)
    with load(client, topic, 2) as producing:
        first.wait_log("WARN .*nothing is dropped")
        assert first.alive()
        records = producing.stop()
    landed = len(bucket.keys(f"topics/{topic}/"))
    assert landed > 0
    first.kill()
    second = begin(3600)
    wait_committed(client, topic, len(records), daemon=second)
    assert second.term() == 0
    assert troubles(second) == []
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == len(records)
    assert report.objects > landed
