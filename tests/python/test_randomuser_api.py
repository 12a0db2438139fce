"""The stand-in of the randomuser.me API: its answers and its misbehaviour."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.services import RandomUserApi
from tests.services.randomuser_api import DATA, KINDS, recorded_users


def get(api: RandomUserApi, **query: Any) -> bytes:
    """The body of one request. Raises what urllib and http.client raise."""
    with urllib.request.urlopen(f"{api.url}?{urlencode(query)}", timeout=10) as answer:
        body: bytes = answer.read()
        return body


def users(api: RandomUserApi, **query: Any) -> list[Any]:
    """The users of one request."""
    found: list[Any] = json.loads(get(api, **query))["results"]
    return found


def uuids(found: list[Any]) -> list[str]:
    return [user["login"]["uuid"] for user in found]


def control(api: RandomUserApi, order: object) -> Any:
    """POST /_control; its answer."""
    request = urllib.request.Request(f"{api.base}/_control", json.dumps(order).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("page", [1, 2])
def test_the_recorded_pages_come_byte_for_byte(api: RandomUserApi, page: int) -> None:
    recorded = (DATA / f"page{page}-500.json").read_bytes()
    assert get(api, results=500, seed="penstock-500", page=page) == recorded


@pytest.mark.parametrize("seed", ["penstock-500", "another", "ş"])
def test_pages_of_a_seed_never_overlap(api: RandomUserApi, seed: str) -> None:
    pages = [users(api, results=100, seed=seed, page=page) for page in range(1, 11)]
    every = [uuid for page in pages for uuid in uuids(page)]
    assert len(set(every)) == 1000
    assert users(api, results=100, seed=seed, page=3) == pages[2]
    assert uuids(users(api, results=50, seed=seed, page=6)) == every[250:300]


def test_seeds_differ_and_no_seed_goes_on(api: RandomUserApi) -> None:
    assert users(api, results=5, seed="a") != users(api, results=5, seed="b")
    first, second = json.loads(get(api, results=7)), json.loads(get(api, results=7))
    assert not set(uuids(first["results"])) & set(uuids(second["results"]))
    assert first["info"]["seed"] != second["info"]["seed"]
    assert first["info"] | {"seed": ""} == {
        "seed": "",
        "results": 7,
        "page": 1,
        "version": "1.4",
    }


def test_filters_and_fields(api: RandomUserApi) -> None:
    turks = users(api, results=20, seed="x", nat="tr,IR", gender="female")
    assert {user["nat"] for user in turks} == {"TR", "IR"}
    assert {user["gender"] for user in turks} == {"female"}
    only = users(api, results=2, seed="x", inc="nat,gender, email")
    assert [list(user) for user in only] == [["gender", "email", "nat"]] * 2
    assert "login" not in users(api, results=1, seed="x", exc="login")[0]
    assert list(json.loads(get(api, results=1, seed="x", noinfo=""))) == ["results"]


@pytest.mark.parametrize("results", ["0", "-3", "many", "5001", ""])
def test_a_senseless_count_is_one_user(api: RandomUserApi, results: str) -> None:
    assert len(users(api, seed="x", results=results)) == 1


def test_the_largest_count_repeats_the_thousand(api: RandomUserApi) -> None:
    many = uuids(users(api, seed="x", results=5000))
    assert (len(many), len(set(many))) == (5000, 1000)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_statuses_carry_the_apis_error_body(api: RandomUserApi, status: int) -> None:
    api.fault(f"{status}:7")
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(api, results=1)
    with caught.value as answer:
        assert (answer.code, answer.headers["Retry-After"]) == (status, "7")
        assert set(json.load(answer)) == {"error"}
    assert len(users(api, results=1)) == 1


def test_retry_after_is_optional(api: RandomUserApi) -> None:
    api.fault("429")
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(api)
    with caught.value as answer:
        assert answer.headers["Retry-After"] is None


@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_late_answers_are_right(api: RandomUserApi, kind: str) -> None:
    api.fault(f"{kind}:0.4")
    began = time.monotonic()
    assert len(users(api, results=50, seed="x")) == 50
    assert 0.35 < time.monotonic() - began < 5


def test_bodies_that_are_wrong(api: RandomUserApi) -> None:
    api.fault("malformed", "error", "empty", "huge:100000")
    with pytest.raises(json.JSONDecodeError):
        users(api)
    assert set(json.loads(get(api))) == {"error"}
    assert get(api) == b""
    huge = get(api)
    assert len(huge) == 100_000
    assert json.loads(huge)["results"][0].startswith("x")


def test_cut_off_in_the_middle(api: RandomUserApi) -> None:
    api.fault("cut")
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(api, results=10, seed="x")
    whole = get(api, results=10, seed="x")
    assert caught.value.partial == whole[: len(whole) // 2]


def test_reset_is_a_reset(api: RandomUserApi) -> None:
    api.fault("reset")
    port = int(api.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"GET /api/ HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            sock.recv(100)


def test_faults_by_the_query_and_by_control(api: RandomUserApi) -> None:
    assert get(api, fault="empty") == b""
    state = control(api, {"faults": ["429:1", "reset"]})
    assert state["faults"] == ["429:1", "reset"]
    assert [request["fault"] for request in state["requests"]] == ["empty"]
    assert control(api, {"clear": True}) == {"requests": [], "faults": []}
    orders: list[object] = [{"faults": ["418"]}, []]
    for order in orders:
        with pytest.raises(urllib.error.HTTPError) as caught:
            control(api, order)
        with caught.value as answer:
            assert answer.code == 400
    with pytest.raises(ValueError, match="unknown fault '418': one of 429, 500"):
        api.fault("418")
    assert len(KINDS) == 11


def test_the_log_tells_what_was_served(api: RandomUserApi) -> None:
    api.fault("500", times=2)
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(api, seed="penstock-500", results=3)
        caught.value.close()
    assert (api.pending_faults, list(api.served())) == (0, [])
    get(api, seed="penstock-500", results=3, inc="nat")
    assert [request.fault for request in api.requests] == ["500", "500", None]
    assert api.requests[2].query == {"seed": "penstock-500", "results": "3", "inc": "nat"}
    assert list(api.served()) == list(recorded_users()[:3])
    api.clear()
    assert api.requests == []


def test_connections_are_kept_alive(api: RandomUserApi) -> None:
    connection = http.client.HTTPConnection(api.base.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", "/api/1.4/?results=1&seed=x")
        assert json.load(connection.getresponse())["info"]["results"] == 1
    connection.request("GET", "/else")
    assert connection.getresponse().status == 404
    connection.close()
