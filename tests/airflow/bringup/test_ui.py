"""The web UI in a real browser: a run's log, the connection form, the asset graph.

Screenshots of what was asserted are left in build/screenshots.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.airflow.bringup.browser import Browser
from tests.airflow.bringup.conftest import BUCKET, LINE, SCREENSHOTS, TOPIC
from tests.airflow.bringup.rest import Rest, Task
from tests.services.airflow import USER, Airflow

pytestmark = [pytest.mark.timeout(300), pytest.mark.services]
DAG = "penstock_every_minute"
SAID = re.compile(r"10 users produced to users in (9|10)\.\d s")


@pytest.fixture(scope="module")
def browser(airflow: Airflow) -> Iterator[Browser]:
    """A browser that is logged in."""
    with Browser() as page:
        page.goto(f"{airflow.url}/")
        page.wait("!!document.querySelector('input[name=username]')")
        page.fill("input[name=username]", USER)
        page.fill("input[name=password]", airflow.password)
        if LINE == "3":
            page.click("button[type=submit]")
        else:
            page.click("input[type=submit]")
        page.wait("!document.querySelector('input[name=password]')")
        page.wait_text("DAGs" if LINE == "2" else "Dags")
        yield page


def shot(browser: Browser, name: str) -> None:
    """Keep what it looks like."""
    print(browser.screenshot(SCREENSHOTS / f"airflow{LINE}-{name}.png"))


def test_a_runs_log(rest: Rest, airflow: Airflow, browser: Browser) -> None:
    done = [run["dag_run_id"] for run in rest.runs(DAG) if run["state"] == "success"]
    if not done:  # only when this file runs alone
        rest.pause(DAG, False)
        done.append(rest.trigger(DAG))
        assert rest.wait_run(DAG, done[0]) == "success"
    task = Task(DAG, done[0], "produce")
    name = quote(task.run)
    if LINE == "3":
        where = f"dags/{DAG}/runs/{name}/tasks/produce"
    else:
        where = f"dags/{DAG}/grid?dag_run_id={name}&task_id=produce&tab=logs"
    browser.goto(f"{airflow.url}/{where}")
    browser.wait_text("10 users produced to users in ")
    text = browser.text()
    shot(browser, "log")
    assert SAID.search(text), text[-2000:]
    assert "producing 10 users to users, 1 a second" in text
    assert re.search(r"users\[0\]: offsets \d+ to \d+", text)


CONNECTION = {
    "conn_type": "penstock", "host": "penstockd.example.org", "port": 8084,
    "login": "reader", "schema": "https",
}  # fmt: skip
EXTRA = {"timeout": 7, "status_url": "https://status.example.org/"}


def _fill_on_3(browser: Browser, airflow: Airflow, name: str) -> None:
    browser.goto(f"{airflow.url}/connections")
    browser.click("button", "Add Connection")
    browser.fill("input[name=connection_id]", name)
    browser.click("[role=dialog] input[role=combobox]")
    browser.write("Penstock")
    browser.press("Enter", 13)
    for field in ("host", "port", "login", "schema"):
        browser.fill(f"input[name={field}]", str(CONNECTION[field]))
    browser.click("button", "Extra Fields")
    for field, value in EXTRA.items():
        browser.fill(f"input[name=element_{field}]", str(value))


def _fill_on_2(browser: Browser, airflow: Airflow, name: str) -> None:
    browser.goto(f"{airflow.url}/connection/add")
    browser.fill("#conn_id", name)
    browser.click("[aria-labelledby=select2-conn_type-container]")
    browser.click(".select2-results__option", "Penstock")
    for field in ("host", "port", "login", "schema"):
        browser.fill(f"#{field}", str(CONNECTION[field]))
    for field, value in EXTRA.items():
        browser.fill(f"#extra__penstock__{field}", str(value))


def test_the_connection_form(rest: Rest, airflow: Airflow, browser: Browser) -> None:
    name = "penstock_by_hand"
    if LINE == "3":
        _fill_on_3(browser, airflow, name)
        shot(browser, "connection")
        browser.click("button", "Save")
        browser.wait("!document.querySelector('[role=dialog]')")
    else:
        _fill_on_2(browser, airflow, name)
        shot(browser, "connection")
        browser.click("button[type=submit]", "Save")
        browser.wait_text("Added Row")
        browser.goto(f"{airflow.url}/connection/list/")
    browser.wait_text(name)
    shot(browser, "connections")
    found = rest.ask("GET", f"/connections/{name}")
    assert {key: found[key] for key in CONNECTION} == CONNECTION
    extra = json.loads(found["extra"])
    assert {key: extra[key] for key in EXTRA} == EXTRA


def test_the_asset_graph(rest: Rest, airflow: Airflow, browser: Browser) -> None:
    topic, prefix = f"kafka://kafka:9092/{TOPIC}", f"s3://{BUCKET}/assets/{TOPIC}"
    if LINE == "3":
        assets = rest.ask("GET", "/assets")["assets"]
        known = {asset["uri"]: asset["id"] for asset in assets}
        browser.goto(f"{airflow.url}/assets/{known[topic]}")
        browser.click("button", "Task Dependencies")
    else:
        browser.goto(f"{airflow.url}/datasets?tab=graph")
    edges = browser.find(".react-flow__edge")
    browser.wait(f"{edges}.length >= 4")
    browser.wait_text(topic)
    browser.wait_text(prefix)
    shot(browser, "assets")
    ids = browser.run(f"{edges}.map(edge => edge.getAttribute('data-testid'))")
    print(ids)
    if LINE == "3":
        land = "task:penstock_assets_land__SEPARATOR__land"
        ends = f"asset:{known[topic]}", f"asset:{known[prefix]}"
    else:
        land = "dag:penstock_assets_land"
        ends = f"dataset:{topic}", f"dataset:{prefix}"
    assert f"rf__edge-{ends[0]}-{land}" in ids
    assert f"rf__edge-{land}-{ends[1]}" in ids
