"""The status page: live, clicked, at phone width, dark and light, with hostile names."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.bringup.browser import Browser
from tests.integration.landing import fill, sink, until
from tests.page.shown import (
    DESK,
    PHONE,
    colours,
    overflow,
    serious,
    states,
    wait_states,
    width,
)
from tests.rest.client import Rest, serving
from tests.rest.test_access import PASSWORD, hashed

if TYPE_CHECKING:
    from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
    from tests.services import Minio
    from tests.support import KafkaClient

HOSTILE = '"><script>window.hurt=1<!--<img>&lt;b>%2F'
SHOTS = Path(__file__).resolve().parents[2] / "build" / "page"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser of the test's own."""
    with Browser() as opened:
        width(opened, DESK)
        yield opened


def open_page(browser: Browser, rest: Rest) -> None:
    """The page, once it has its first answer."""
    browser.goto(rest.base + "/")
    browser.wait_text("Live")


def button(browser: Browser, label: str) -> str:
    """A selector, once there is such a button that can be pressed."""
    selector = f"button[aria-label={json.dumps(label)}][aria-disabled=false]"
    browser.wait(f"!!document.querySelector({json.dumps(selector)})")
    return selector


def test_pause_and_resume_are_clicked_and_seen(
    browser: Browser, daemons: DaemonFactory, minio: Minio, topics: TopicFactory,
    buckets: BucketFactory, client: KafkaClient,
) -> None:  # fmt: skip
    topic, bucket = topics(3), buckets()
    fill(client, topic, 1234, partitions=3)
    config = sink(topic, minio.endpoint, bucket.name)
    rest = serving(daemons(config, worker={"listeners": "http://127.0.0.1:0"}))
    name = str(config["name"])
    open_page(browser, rest)
    wait_states(browser, name, "Running", "Running")
    browser.wait_text("1,234")
    browser.wait("document.querySelectorAll('.objects a').length >= 3")
    link = browser.run("document.querySelector('.objects a').href")
    assert link.startswith(f"{minio.endpoint}/{bucket.name}/topics/{topic}/"), link
    assert browser.run(f"[...{browser.find('caption')}].map(c => c.textContent)") == [
        "Tasks", f"Partitions of {topic}",
    ]  # fmt: skip

    browser.click(button(browser, f"Pause {name}"))
    wait_states(browser, name, "Paused", "Paused")
    assert rest.states(name) == ["PAUSED", "PAUSED"]
    said = browser.run("document.getElementById('said').textContent")
    assert f"{name} is paused" in said or f"Task {name}-0 is paused" in said
    resume = button(browser, f"Resume {name}")
    before = rest("GET", "/penstock/status").json["connectors"][0]["tasks"][0]
    fill(client, topic, 300, partitions=3, first=5000)

    # By keyboard: the focus is still on the button that was pressed.
    assert browser.run("document.activeElement.getAttribute('aria-label')") == (
        f"Resume {name}"
    ), resume
    browser.press("Enter", 13)
    wait_states(browser, name, "Running", "Running")
    assert rest.states(name) == ["RUNNING", "RUNNING"]
    browser.wait_text("1,534")
    assert before["records"] == 1234  # nothing was read in the pause

    browser.click(button(browser, f"Restart {name}"))
    browser.wait_text("Restarting")
    wait_states(browser, name, "Running", "Running")


def test_the_page_asks_no_more_than_once_a_second(
    browser: Browser, tmp_path: Path, daemons: DaemonFactory
) -> None:
    rest = serving(daemons(worker=dynamic(tmp_path)))
    open_page(browser, rest)
    browser.wait_text("No connectors yet")
    asked = (
        "performance.getEntriesByType('resource')"
        ".filter(e => e.name.endsWith('/penstock/status')).map(e => e.startTime)"
    )
    # Whoever turns to the page again and again does not make it ask more often.
    browser.wait(
        f"(document.dispatchEvent(new Event('visibilitychange')), {asked}.length > 6)"
    )
    times = browser.run(asked)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 1000, gaps
    hosts = browser.run(
        "performance.getEntriesByType('resource')"
        ".map(e => new URL(e.name).origin).filter(o => o !== location.origin)"
    )
    assert hosts == []


def dynamic(folder: Path, **more: Any) -> dict[str, Any]:
    """A worker that has no connectors yet."""
    return {
        "listeners": "http://127.0.0.1:0", "config.storage.dir": folder / "stored",
        **more,
    }  # fmt: skip


def failing(topic: str, minio: Minio) -> dict[str, Any]:
    """A sink whose bucket does not exist, with a name that would like to run."""
    config = sink(topic, minio.endpoint, "no-such-bucket-here")
    return {k: str(v) for k, v in {**config, "name": HOSTILE}.items()}


def test_hostile_names_are_text_and_every_state_is_accessible(
    browser: Browser, tmp_path: Path, daemons: DaemonFactory, minio: Minio,
    topics: TopicFactory, buckets: BucketFactory, client: KafkaClient,
) -> None:  # fmt: skip
    daemon = daemons(worker=dynamic(tmp_path, **{"startup.timeout.ms": 600000}))
    rest, found = serving(daemon), []
    open_page(browser, rest)
    browser.wait_text("No connectors yet")
    found += looks(browser, "empty")

    topic, bucket = topics(2), buckets()
    fill(client, topic, 5000, partitions=2)
    good = {k: str(v) for k, v in sink(topic, minio.endpoint, bucket.name).items()}
    for config in (good, failing(topic, minio)):
        made = rest("POST", "/connectors", {"name": config["name"], "config": config})
        assert made.status == 201, made
    browser.wait_text("5,000")
    browser.wait_text(HOSTILE)
    browser.wait_text("Needs attention")
    browser.wait_text("no-such-bucket-here")
    found += looks(browser, "full")
    assert overflow_at(browser, 320, PHONE, 768, DESK) == {}
    browser.click(button(browser, f"Pause {HOSTILE}".replace("\n", "")))
    browser.wait(
        f"!!{browser.find('button')}.find(b => "
        f"b.getAttribute('aria-label') === {json.dumps('Resume ' + HOSTILE)})"
    )
    assert rest("GET", "/connectors?expand=status").json[HOSTILE]["status"][
        "connector"]["state"] == "PAUSED"  # fmt: skip
    made = "document.querySelectorAll('.card script, .card img, li img, li script')"
    assert browser.run(f"[String(window.hurt), {made}.length]") == ["undefined", 0]

    daemon.kill()
    browser.wait_text("Disconnected")
    browser.wait_text("penstockd does not answer")
    found += looks(browser, "disconnected")
    assert states(browser, str(good["name"])) == ["Running", "Running"]  # the last seen
    assert found == []


def looks(browser: Browser, what: str) -> list[str]:
    """Pictures in both colours and both widths; what axe-core finds in them."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        colours(browser, scheme)
        for pixels in (PHONE, DESK):
            width(browser, pixels)
            browser.wait(f"innerWidth === {pixels}")
            browser.screenshot(SHOTS / f"{what}-{scheme}-{pixels}.png")
            found += [f"{what}, {scheme}, {pixels}: {v}" for v in serious(browser)]
    return found


def overflow_at(browser: Browser, *widths: int) -> dict[int, int]:
    """Widths at which the page has to be moved sideways, and by how much."""
    found = {}
    for pixels in widths:
        width(browser, pixels)
        browser.wait(f"innerWidth === {pixels}")
        if overflow(browser) > 0:
            found[pixels] = overflow(browser)
    width(browser, DESK)
    return found


def test_the_page_behind_a_password(
    browser: Browser, tmp_path: Path, daemons: DaemonFactory
) -> None:
    auth = {"rest.auth": "basic", "rest.auth.file": hashed(tmp_path)}
    rest = serving(daemons(worker=dynamic(tmp_path, **auth)))
    for path in ("/", "/penstock/status"):
        assert rest("GET", path, headers=HTML).status == 401
    login = f"op:{PASSWORD.replace(' ', '%20')}@"
    browser.goto(rest.base.replace("//", f"//{login}") + "/")
    browser.wait_text("Live")
    browser.wait_text("No connectors yet")


def test_browsers_get_the_page_and_clients_what_connect_says(
    tmp_path: Path, daemons: DaemonFactory
) -> None:
    rest = serving(daemons(worker=dynamic(tmp_path)))
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        root = rest("GET", "/", headers=accept)
        assert root.status == 200
        assert set(root.json) == {"version", "commit", "kafka_cluster_id"}
    page = rest("GET", "/", headers=HTML)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert rest("HEAD", "/", headers=HTML).status == 200
    assert rest("POST", "/", headers=HTML).status == 405
    assert rest("PUT", "/penstock/status").status == 405
    status = rest("GET", "/penstock/status").json
    assert status["connectors"] == []
    assert abs(status["now_ms"] - time.time() * 1000) < 60000


def test_the_answer_has_a_ceiling(
    daemons: DaemonFactory, minio: Minio, topics: TopicFactory, buckets: BucketFactory
) -> None:
    topic, bucket = topics(600), buckets()
    config = sink(topic, minio.endpoint, bucket.name)
    rest = serving(daemons(config, worker={"listeners": "http://127.0.0.1:0"}))

    def task() -> dict[str, Any]:
        found = rest("GET", "/penstock/status").json["connectors"][0]["tasks"]
        return dict(found[0]) if found else {}

    until(lambda: task().get("assigned") == 600, "600 partitions", 90)
    assert len(task()["partitions"]) == 512
