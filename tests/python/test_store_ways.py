"""The ways to a real store: TLS and its certificates, a proxy; what is told of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import PenstockError
from penstock._worker import Store
from tests.conftest import BucketFactory
from tests.services import Minio
from tests.support import sink_config
from tests.support.ways import Authority, Proxy, tls_in_front

USER, PASSWORD, KEY_PASSWORD = "proxy-user", "proxy/pass:word", "key-pass"


def probe(minio: Minio, url: str, bucket: str, **more: Any) -> bool:
    """Does the store work, by the sink's own probe?"""
    keys = {
        "aws__access__key__id": minio.access_key,
        "aws__secret__access__key": minio.secret_key,
    }
    store = Store(sink_config("t", "id STRING", url, bucket, **{**keys, **more}))
    try:
        return store.probe()
    finally:
        store.close()


def refused(minio: Minio, url: str, bucket: str, *words: str, **more: Any) -> None:
    """It does not: the error's one line has the words, and no password."""
    with pytest.raises(PenstockError) as caught:
        probe(minio, url, bucket, **more)
    text = str(caught.value)
    for word in words:
        assert word in text
    assert "\n" not in text
    for secret in (PASSWORD, KEY_PASSWORD, minio.secret_key):
        assert secret not in text


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA that nobody knows."""
    return Authority(tmp_path)


def test_certificates(minio: Minio, buckets: BucketFactory, authority: Authority) -> None:
    bucket, ca = buckets().name, {"store__ssl__ca__location": str(authority.ca)}
    good = authority.certificate("good", "localhost")
    with tls_in_front(minio.port, good) as port:
        url = f"https://localhost:{port}"
        assert probe(minio, url, bucket, **ca)
        refused(minio, url, bucket, "unable to get local issuer", "store.ssl.ca.location")
    with tls_in_front(minio.port, authority.certificate("old", "localhost", -1)) as port:
        refused(minio, f"https://localhost:{port}", bucket, "has expired", **ca)
    with tls_in_front(minio.port, authority.certificate("other", "other.test")) as port:
        refused(minio, f"https://localhost:{port}", bucket, "subject name matches", **ca)


def test_a_client_certificate_is_asked_for(
    minio: Minio, buckets: BucketFactory, authority: Authority
) -> None:
    bucket = buckets().name
    mine, key = authority.certificate("client", "penstock")
    ways = {"store__ssl__ca__location": str(authority.ca)}
    shown = {**ways, "store__ssl__certificate__location": str(mine)}
    locked = authority.lock(key, KEY_PASSWORD)
    server = authority.certificate("server", "localhost")
    with tls_in_front(minio.port, server, client_ca=authority.ca) as port:
        url = f"https://localhost:{port}"
        assert probe(minio, url, bucket, **shown, store__ssl__key__location=str(key))
        both = authority.folder / "both.pem"
        both.write_text(mine.read_text() + key.read_text())
        assert probe(
            minio, url, bucket, **ways, store__ssl__certificate__location=str(both)
        )
        with_lock = {**shown, "store__ssl__key__location": str(locked)}
        assert probe(
            minio, url, bucket, **with_lock, store__ssl__key__password=KEY_PASSWORD
        )
        refused(minio, url, bucket, "store.ssl.certificate.location", **ways)
        refused(
            minio, url, bucket, "private key", **with_lock,
            store__ssl__key__password=PASSWORD,
        )  # fmt: skip


@pytest.mark.parametrize("patient", [True, False], ids=["told", "cut-off"])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_refused(
    newest: ssl.TLSVersion,
    patient: bool,
    minio: Minio,
    buckets: BucketFactory,
    authority: Authority,
    tmp_path: Path,
) -> None:
    """One line that names the setting, even if the connection just ends (TLS 1.3)."""
    (tmp_path / "other").mkdir()
    mine, key = Authority(tmp_path / "other").certificate("client", "penstock")
    ca = {"store__ssl__ca__location": str(authority.ca)}
    strange = {
        "store__ssl__certificate__location": str(mine),
        "store__ssl__key__location": str(key),
    }
    server, bucket = authority.certificate("server", "localhost"), buckets().name
    more: dict[str, Any] = {"newest": newest, "patient": patient}
    with tls_in_front(minio.port, server, authority.ca, **more) as port:
        url = f"https://localhost:{port}"
        for ways in (ca, {**ca, **strange}):
            for _ in range(5):
                refused(minio, url, bucket, "store.ssl.certificate.location", **ways)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy with a password."""
    server = Proxy(USER, PASSWORD)
    yield server
    server.close()


def test_a_proxy(
    minio: Minio,
    buckets: BucketFactory,
    authority: Authority,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    bucket = buckets().name
    way = {"s3__proxy__url": proxy.url}
    known = {**way, "s3__proxy__user": USER, "s3__proxy__password": PASSWORD}
    assert probe(minio, minio.endpoint, bucket, **known)
    assert any(line.startswith(f"PUT {minio.endpoint}/") for line in proxy.seen)
    refused(minio, minio.endpoint, bucket, "407", "s3.proxy.user", **way)
    with tls_in_front(minio.port, authority.certificate("c", "localhost")) as port:
        url = f"https://localhost:{port}"
        trusted = {**known, "store__ssl__ca__location": str(authority.ca)}
        proxy.seen.clear()
        assert probe(minio, url, bucket, **trusted)
        assert set(proxy.seen) == {f"CONNECT localhost:{port}"}
        wrong = {**trusted, "s3__proxy__password": "wrong"}
        refused(minio, url, bucket, "407", "s3.proxy.user", **wrong)
    proxy.seen.clear()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert probe(minio, minio.endpoint, bucket, **known)
    assert proxy.seen == []


def test_a_role_of_a_real_sts(minio: Minio, buckets: BucketFactory) -> None:
    bucket = buckets().name
    role = {
        "aws__sts__role__arn": "arn:aws:iam::123456789012:role/any",
        "aws__sts__role__session__duration": 900,
        "aws__sts__config__endpoint": minio.endpoint,
    }
    assert probe(minio, minio.endpoint, bucket, **role)
    wrong = {**role, "aws__secret__access__key": PASSWORD}
    refused(minio, minio.endpoint, bucket, "STS 127.0.0.1", "HTTP 403", **wrong)


def test_no_such_proxy(minio: Minio, buckets: BucketFactory) -> None:
    way = {"s3__proxy__url": "http://127.0.0.1:1"}
    refused(minio, minio.endpoint, buckets().name, "s3.proxy.url", **way)


def test_a_store_that_is_away(minio: Minio) -> None:
    for url in ("http://127.0.0.1:1", "http://no-such-host.invalid:9000"):
        refused(minio, url, "bucket", "check store.url")
