"""AWS's identity services as far as clients see them, on loopback, with real keys.

MinIO trusts it as an OpenID provider, and mints real temporary keys of any life for its
tokens (AssumeRoleWithWebIdentity). Those keys it hands out as the container's endpoint,
the instance's metadata (IMDSv2) and AssumeRole do; an AssumeRole's signature, and the
token that a pod shows, are checked by MinIO's own STS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.services import Minio

CLIENT = "penstock"
ROLE = "arn:minio:iam:::role/" + base64.urlsafe_b64encode(
    hashlib.sha1(CLIENT.encode()).digest()
).decode().rstrip("=")
EXTERNAL_ID = "ext/1"  # without it no role is given
FROM_IMDS = "instance-token=="
CONTAINER_AUTH = "Bearer container-token"
ROLES = "/latest/meta-data/iam/security-credentials/"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Identity:
    """The provider; `counts` says how often keys were handed out, by way."""

    def __init__(self, directory: Path, life_s: int = 3) -> None:
        """Keys live `life_s` seconds. Makes the key pair; serves at once."""
        self.life_s = life_s
        self.counts = dict.fromkeys(
            ("web", "container", "pod", "instance", "role", "file"), 0
        )
        self.failing = False
        self.minio: Minio | None = None
        self._key = directory / "identity.pem"
        self._lock = threading.Lock()
        self._openssl("genrsa", "-out", str(self._key), "2048")
        shown = self._openssl("rsa", "-in", str(self._key), "-noout", "-modulus")
        self._modulus = _b64(bytes.fromhex(shown.decode().strip().split("=")[1]))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer._serve(self, b"")

            def do_PUT(self) -> None:
                outer._serve(self, b"")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                outer._serve(self, self.rfile.read(length))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _openssl(self, *args: str, data: bytes | None = None) -> bytes:
        done = subprocess.run(
            ["openssl", *args], input=data, check=True, capture_output=True
        )
        return done.stdout

    def minio_env(self) -> dict[str, str]:
        """What a MinIO needs to trust this provider."""
        return {
            "MINIO_IDENTITY_OPENID_CONFIG_URL": f"{self.url}/.well-known/openid",
            "MINIO_IDENTITY_OPENID_CLIENT_ID": CLIENT,
            "MINIO_IDENTITY_OPENID_CLIENT_SECRET": "unused",
            "MINIO_IDENTITY_OPENID_ROLE_POLICY": "readwrite",
        }

    # ---- what it mints ----

    def token(self, life_s: int | None = None) -> str:
        """A signed web identity token."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "pod", "iat": now}
        claims["exp"] = now + (life_s or self.life_s)
        head = {"alg": "RS256", "kid": "k", "typ": "JWT"}
        text = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        signature = self._openssl(
            "dgst", "-sha256", "-sign", str(self._key), data=text.encode()
        )
        return f"{text}.{_b64(signature)}"

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        assert self.minio is not None
        request = urllib.request.Request(self.minio.endpoint + "/", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def _exchange(self, token: str) -> tuple[int, bytes]:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "WebIdentityToken": token,
        }
        return self._post(urllib.parse.urlencode(form).encode(), {})

    def mint(self, life_s: int | None = None) -> bytes:
        """MinIO's answer with new keys, XML."""
        status, body = self._exchange(self.token(life_s))
        assert status == 200, body
        return body

    def keys(self, life_s: int | None = None) -> tuple[str, str, str]:
        """New keys: id, secret, session token."""
        found = json.loads(self._json(self.mint(life_s)))
        return found["AccessKeyId"], found["SecretAccessKey"], found["Token"]

    def _json(self, answer: bytes) -> bytes:
        text = answer.decode()
        fields = {
            "AccessKeyId": "AccessKeyId",
            "SecretAccessKey": "SecretAccessKey",
            "SessionToken": "Token",
            "Expiration": "Expiration",
        }
        said = {"Code": "Success"}
        for tag, name in fields.items():
            found = re.search(f"<{tag}>([^<]+)</{tag}>", text)
            assert found is not None, text
            said[name] = found[1]
        return json.dumps(said).encode()

    # ---- what it serves ----

    def count(self, way: str) -> None:
        """Keys were handed out."""
        with self._lock:
            self.counts[way] += 1

    def _assume(self, http: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        """MinIO's STS checks the request as it came; then the keys are short-lived."""
        web = b"Action=AssumeRoleWithWebIdentity" in body
        form = urllib.parse.parse_qs(body.decode())
        if not web and form.get("ExternalId") != [EXTERNAL_ID]:
            return 403, b"<ErrorResponse/>"
        status, answer = self._post(body, dict(http.headers.items()))
        if status == 200:
            self.count("web" if web else "role")
        return status, answer if web or status != 200 else self.mint()

    def _container(self, path: str, shown: str) -> tuple[int, bytes]:
        """By a fixed word, for everyone (the keys do not end), by a pod's token."""
        if path == "/lasting":
            assert self.minio is not None
            keys = self.minio.access_key, self.minio.secret_key
            names = ("AccessKeyId", "SecretAccessKey")
            return 200, json.dumps(dict(zip(names, keys, strict=True))).encode()
        if path == "/container" and shown != CONTAINER_AUTH:
            return 401, b"{}"
        status, answer = self._exchange(shown) if path == "/pod" else (200, self.mint())
        if status != 200:
            return status, b"{}"
        self.count(path[1:])
        return 200, self._json(answer)

    def _answer(self, http: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        if http.path == "/.well-known/openid":
            names = ("authorization", "token", "userinfo")
            document = {f"{name}_endpoint": f"{self.url}/{name}" for name in names}
            document |= {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(document).encode()
        if http.path == "/keys":
            key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k", "e": "AQAB"}
            return 200, json.dumps({"keys": [{**key, "n": self._modulus}]}).encode()
        if self.failing:
            return 500, b"failing"
        if http.command == "POST":
            return self._assume(http, body)
        if http.path in ("/container", "/lasting", "/pod"):
            return self._container(http.path, http.headers.get("Authorization", ""))
        if http.command == "PUT" and http.path == "/latest/api/token":
            return 200, FROM_IMDS.encode()
        if http.headers.get("x-aws-ec2-metadata-token") != FROM_IMDS:
            return 401, b""
        if http.path == ROLES:
            return 200, b"the-role"
        if http.path == ROLES + "the-role":
            self.count("instance")
            return 200, self._json(self.mint())
        return 404, b""

    def _serve(self, http: BaseHTTPRequestHandler, body: bytes) -> None:
        status, answer = self._answer(http, body)
        http.send_response(status)
        http.send_header("Content-Length", str(len(answer)))
        http.end_headers()
        http.wfile.write(answer)

    def __enter__(self) -> Identity:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
