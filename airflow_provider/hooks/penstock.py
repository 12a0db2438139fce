"""`PenstockHook`: the REST of a daemon, which is Kafka Connect's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseHook,
    mask_secret,
)

from penstock_airflow import connection_form
from penstock_airflow.links import public_url

ANSWER_BYTES = 8 * 1024 * 1024
BUSY_SECONDS = 1.0
TIMEOUT_MAX = 600.0
_CONFLICT = 409


class RestError(AirflowException):
    """The daemon refused: `status` is HTTP's, the text has the daemon's own words."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class NoAnswer(AirflowException):
    """No whole answer in time, or none at all: the daemon may have done it or not."""


class PenstockHook(BaseHook):
    """Speak to a daemon, penstockd or any Kafka Connect worker.

    One call takes at most the connection's time-out (10 s), from connecting to the last
    byte of the answer, however slowly that comes; only the look-up of the host's name has
    the resolver's own bounds. Within that time a worker that is rebalancing (409) is
    asked again each second. An answer has at most 8 MiB; redirects are not followed.

    .. code-block:: python

        with PenstockHook("penstock_default").session() as daemon:
            daemon.pause("users-sink")
            print(daemon.status("users-sink")["connector"]["state"])

    :param penstock_conn_id: a connection of type ``penstock``: scheme, host, port
        (8083), user and password for basic authentication.
    """

    conn_name_attr = "penstock_conn_id"
    default_conn_name = "penstock_default"
    conn_type = connection_form.CONNECTION_TYPE
    hook_name = connection_form.HOOK_NAME

    def __init__(self, penstock_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.penstock_conn_id = penstock_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's own fields, for Airflow 2; Airflow 3 has them without this."""
        return connection_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Which of Airflow's own fields are shown, and under which names."""
        behaviour = connection_form.BEHAVIOUR
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    def get_conn(self) -> Daemon:
        """A client of the daemon; close it. Raises AirflowFailException."""
        connection = self.get_connection(self.penstock_conn_id)
        if not connection.host:
            raise AirflowFailException(f"connection {self.penstock_conn_id}: no host")
        if connection.password:
            mask_secret(connection.password)
        auth = None
        if connection.login:
            auth = (connection.login, connection.password or "")
        extra = connection.extra_dejson
        return Daemon(
            base_url(connection.schema, connection.host, connection.port),
            auth=auth,
            timeout=self._timeout(extra.get("timeout")),
            ca_file=extra.get("ca_file") or None,
            status_url=extra.get("status_url") or None,
        )

    def _timeout(self, value: object) -> float:
        try:
            seconds = float(str(value or connection_form.DEFAULT_TIMEOUT))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= TIMEOUT_MAX:
            raise AirflowFailException(
                f"connection {self.penstock_conn_id}: timeout {value!r} must be above 0 "
                f"and at most {TIMEOUT_MAX:g} seconds"
            )
        return seconds

    @contextmanager
    def session(self) -> Iterator[Daemon]:
        """A client that is closed at the end of the block."""
        daemon = self.get_conn()
        try:
            yield daemon
        finally:
            daemon.close()

    def test_connection(self) -> tuple[bool, str]:
        """Ask the daemon who it is."""
        try:
            with self.session() as daemon:
                info = daemon.info()
        except Exception as error:
            return False, str(error)
        version, cluster = info.get("version"), info.get("kafka_cluster_id")
        return True, f"version {version}, Kafka cluster {cluster}"


def base_url(scheme: str | None, host: str, port: int | None) -> str:
    """`scheme://host:port`; a host that is a URL already keeps what it says."""
    if "://" in host:
        try:
            found = urlsplit(host)
            scheme, host, port = found.scheme, found.hostname or "", port or found.port
        except ValueError as error:
            raise AirflowFailException(f"the host is no address: {error}") from error
    if scheme not in (None, "", "http", "https"):
        raise AirflowFailException(f"the scheme must be http or https, not {scheme!r}")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme or 'http'}://{shown}:{port or connection_form.DEFAULT_PORT}"


class Daemon:
    """Kafka Connect's REST as methods; one HTTP connection, for one thread.

    Each method raises RestError for an answer that is not 2xx, NoAnswer for none within
    `timeout` seconds: that is the bound of the whole call.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: tuple[str, str] | None = None,
        timeout: float = connection_form.DEFAULT_TIMEOUT,
        ca_file: str | None = None,
        status_url: str | None = None,
    ) -> None:
        """Nothing is asked yet. Raises AirflowFailException for an unreadable CA file."""
        from penstock_airflow.hooks.transport import Client

        self.url = url
        self.timeout = timeout
        self.status_url = public_url(status_url or f"{url}/")
        tls = url.startswith("https:")
        try:
            self._http = Client(auth=auth, tls=tls, ca_file=ca_file)
        except OSError as error:  # also ssl.SSLError
            raise AirflowFailException(f"ca_file {ca_file}: {error}") from error

    def close(self) -> None:
        """Close the HTTP connection."""
        self._http.close()

    def request(
        self, method: str, path: str, body: object = None, **query: str | bool
    ) -> Any:
        """The answer's JSON; None when it is empty."""
        until = time.monotonic() + self.timeout
        target = f"{path}?{urlencode(query)}" if query else path
        while True:
            status, data = self._once(method, target, body, until)
            passes = status == _CONFLICT and "already exists" not in str(data)
            if not passes or time.monotonic() + BUSY_SECONDS >= until:
                break
            time.sleep(BUSY_SECONDS)
        if not 200 <= status < 300:
            said = data.get("message") if isinstance(data, dict) else data
            raise RestError(f"{method} {self.url}{target}: {status}: {said}", status)
        return data

    def _once(
        self, method: str, target: str, body: object, until: float
    ) -> tuple[int, Any]:
        from penstock_airflow.hooks import transport

        url = f"{self.url}{target}"
        data = None if body is None else json.dumps(body).encode()
        try:
            status, text = self._http.exchange(method, url, data, until, ANSWER_BYTES)
        except transport.Late as error:
            raise NoAnswer(
                f"{method} {url}: no whole answer within {self.timeout:g} s"
            ) from error
        except transport.Failed as error:
            raise NoAnswer(f"{method} {url}: {error}") from error
        except transport.TooLong as error:
            raise AirflowException(f"{method} {url}: an answer of over 8 MiB") from error
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text[:200].decode(errors="replace")

    @staticmethod
    def _path(name: str, rest: str = "") -> str:
        return f"/connectors/{quote(name, safe='')}{rest}"

    def info(self) -> dict[str, Any]:
        """version, commit, kafka_cluster_id."""
        found = self.request("GET", "/")
        if not isinstance(found, dict) or "version" not in found:
            raise AirflowException(f"{self.url} does not speak Kafka Connect's REST")
        return found

    def connectors(self) -> list[str]:
        """The connectors' names."""
        return list(self.request("GET", "/connectors"))

    def status(self, name: str) -> dict[str, Any]:
        """{"name", "connector": {"state", …}, "tasks": [{"id", "state", …}], "type"}."""
        return dict(self.request("GET", self._path(name, "/status")))

    def config(self, name: str) -> dict[str, str]:
        """A connector's settings."""
        return dict(self.request("GET", self._path(name, "/config")))

    def offsets(self, name: str) -> list[dict[str, Any]]:
        """[{"partition": {…}, "offset": {…}}]: what is committed."""
        return list(self.request("GET", self._path(name, "/offsets"))["offsets"])

    def put_config(self, name: str, config: Mapping[str, object]) -> dict[str, Any]:
        """Create a connector or change its settings."""
        return dict(self.request("PUT", self._path(name, "/config"), dict(config)))

    def delete(self, name: str) -> None:
        """Remove a connector."""
        self.request("DELETE", self._path(name))

    def pause(self, name: str) -> None:
        """Keep its tasks, let them do nothing."""
        self.request("PUT", self._path(name, "/pause"))

    def resume(self, name: str) -> None:
        """Go on after a pause or a stop."""
        self.request("PUT", self._path(name, "/resume"))

    def stop(self, name: str) -> None:
        """End its tasks; its settings stay."""
        self.request("PUT", self._path(name, "/stop"))

    def restart(self, name: str, *, only_failed: bool = False) -> None:
        """Restart a connector with its tasks, or what of them has failed: asks for it."""
        flags = {"includeTasks": "true", "onlyFailed": str(only_failed).lower()}
        self.request("POST", self._path(name, "/restart"), None, **flags)
