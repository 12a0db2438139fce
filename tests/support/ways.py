"""Ways to a store that are not straight: TLS in front of it, a proxy, on loopback."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding"}


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until a side ends."""
    with suppress(OSError):
        while True:
            ready, _, _ = select.select([one, other], [], [], 60)
            if not ready:
                return
            for source in ready:
                target = other if source is one else one
                data = source.recv(65536)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    data += source.recv(source.pending())
                if not data:
                    return
                target.sendall(data)


# ---- certificates ----


class Authority:
    """A CA of the test's own, in a folder."""

    def __init__(self, folder: Path) -> None:
        """Makes its key and certificate."""
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._openssl(
            "req", "-x509", *self._new_key("ca"), "-days", "2", "-subj", "/CN=test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-out", str(self.ca),
        )  # fmt: skip

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def _new_key(self, name: str) -> list[str]:
        key = str(self.folder / f"{name}.key")
        curve = "ec_paramgen_curve:prime256v1"
        return ["-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", key]

    def certificate(self, name: str, host: str, days: int = 2) -> tuple[Path, Path]:
        """A certificate for a host, and its key. Days below 0: it has expired."""
        request, made = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName=DNS:{host}\n")
        self._openssl(
            "req", *self._new_key(name), "-subj", f"/CN={host}", "-out", str(request)
        )
        self._openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.ca), "-CAkey",
            str(self.folder / "ca.key"), "-CAcreateserial", "-days", str(days),
            "-extfile", str(names), "-out", str(made),
        )  # fmt: skip
        return made, self.folder / f"{name}.key"

    def lock(self, key: Path, password: str) -> Path:
        """The key once more, behind a passphrase."""
        locked = key.with_suffix(".locked")
        self._openssl(
            "pkcs8", "-topk8", "-in", str(key), "-out", str(locked),
            "-passout", f"pass:{password}",
        )  # fmt: skip
        return locked


@contextmanager
def tls_in_front(
    port: int,
    certificate: tuple[Path, Path],
    client_ca: Path | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    patient: bool = True,
) -> Iterator[int]:
    """A port that speaks TLS and leads to another; asks for a client's certificate.

    Not `patient`: it hangs up on a client that it refuses, whatever that still sends.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(*certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(raw: socket.socket) -> None:
        with suppress(OSError), raw:
            try:
                secure = context.wrap_socket(raw.dup(), server_side=True)
            except ssl.SSLError:  # let the alert be read before the end
                raw.settimeout(5)
                while patient and raw.recv(65536):
                    pass
                return
            with secure, socket.create_connection(("127.0.0.1", port)) as plain:
                pump(secure, plain)

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


# ---- a proxy ----


class Proxy:
    """An HTTP proxy that asks for a password; `seen` are the request lines."""

    def __init__(self, user: str, password: str) -> None:
        """It serves at once."""
        self.seen: list[str] = []
        expected = base64.b64encode(f"{user}:{password}".encode()).decode()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _allowed(self) -> bool:
                outer.seen.append(f"{self.command} {self.path}")
                if self.headers.get("Proxy-Authorization") == f"Basic {expected}":
                    return True
                self.send_response(407)
                self.send_header("Proxy-Authenticate", 'Basic realm="test"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

            def do_CONNECT(self) -> None:
                if not self._allowed():
                    return
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    pump(self.connection, there)
                self.close_connection = True

            def _forward(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                if not self._allowed():
                    return
                host, path = self.path.removeprefix("http://").split("/", 1)
                there = http.client.HTTPConnection(host)
                there.putrequest(self.command, f"/{path}", True, True)
                for name, value in self.headers.items():
                    if not name.lower().startswith("proxy-"):
                        there.putheader(name, value)
                there.endheaders(body)
                answer = there.getresponse()
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP | {"content-length"}:
                        self.send_header(name, value)
                data = answer.read()
                size = answer.getheader("Content-Length") or str(len(data))
                if answer.status not in {204, 304}:
                    self.send_header("Content-Length", size)
                self.end_headers()
                self.wfile.write(data)
                there.close()

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _forward

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
