"""Our signer and botocore's agree on odd keys, queries and headers."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 (AWS's example)
HOST = "bucket.example:9000"
ODD = (
    " ", "a b", "+", "a+b", "=", "%", "%20", "%2F", "&", "?", "#", "~", "'", '"', "(",
    ")", "!", "*", ";", ":", "@", ",", "$", "^", "`", "|", "<", ">", "{", "}", "[", "]",
    "\\",
    "é", "e\u0301", "日本", "عرب", "😀", "Я", "...", ".hidden",
    "a/b", "a/./b", "a/../b", "a//b",
    "\t", "\n", "\x01", "\x7f", "\xa0", "-._~",
)  # fmt: skip
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"list-type": "2", "prefix": "a/b +%é", "start-after": "z&=?"},
    {"uploads": ""},
    {"b": "2", "a": "1", "a-b": "3", "A": "4"},
    {"continuation-token": "1/+=="},
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"x-amz-meta-a": "1", "x-amz-meta-a-b": "2", "x-amz-meta-B": "3"},
    {"If-None-Match": "*", "Content-Type": "text/csv", "x-amz-acl": "private"},
    {"x-amz-meta-spaces": "a  b   c", "x-amz-security-token": "tok/en+=="},
    {"Range": "bytes=0-9", "x-amz-tagging": "a%20b=c%26d&e=f"},
)


def cases() -> list[tuple[str, str, dict[str, str], dict[str, str], str, str, str]]:
    """250 requests: method, key, query, headers, payload hash, date, region."""
    methods = ("PUT", "HEAD", "GET", "DELETE", "POST")
    regions = ("us-east-1", "eu-central-1", "cn-north-1")
    out = []
    for i in range(250):
        key = ODD[i % len(ODD)] + (f"/{i}" + ODD[i * 7 % len(ODD)] if i % 3 else "")
        body = hashlib.sha256(str(i).encode()).hexdigest()
        date = f"20{i % 80:02d}{i % 12 + 1:02d}{i % 28 + 1:02d}T{i % 24:02d}0102Z"
        out.append(
            (
                methods[i % 5],
                key,
                QUERIES[i // 5 % 5],
                HEADERS[i // 25 % 5],
                body if i % 2 else "UNSIGNED-PAYLOAD",
                date,
                regions[i % 3],
            )
        )
    return out


def test_signatures_equal_botocores(programs: Path) -> None:
    """Path encoding, canonical query, headers, signature: all 250."""
    lines, wanted = [], []
    for method, key, query, extra, payload, date, region in cases():
        path = "/bucket/" + quote(key, safe="/~")
        query_text = "&".join(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in query.items()
        )
        headers = {
            "Host": HOST, "x-amz-date": date, "X-Amz-Content-SHA256": payload, **extra
        }  # fmt: skip
        url = f"http://{HOST}{path}" + (f"?{query_text}" if query_text else "")
        request = AWSRequest(method=method, url=url, headers=headers)
        request.context["timestamp"] = date
        auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", region)
        canonical = auth.canonical_request(request)
        signature = auth.signature(auth.string_to_sign(request, canonical), request)
        wanted.append(f"{path}\t{signature}")
        fields = [method, key.encode().hex(), query_text, payload, date, region]
        lines.append("\t".join(fields + [f"{k}: {v}" for k, v in headers.items()]))
    result = subprocess.run(
        [str(programs / "sigv4_helper")],
        input="\n".join(lines) + "\n",
        env={"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == wanted
    assert len(wanted) == 250
