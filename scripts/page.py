#!/usr/bin/env python3
"""Makes the status page of csrc/daemon/page/ a C file: `scripts/page.py OUT.c`.

One self-contained page: style and script go into the HTML, and the policy names their
hashes, so that a browser runs nothing else. Only Python's standard library is used.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "csrc" / "daemon" / "page"
WIDTH = 20


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def page() -> tuple[str, str]:
    """The page and its Content-Security-Policy."""
    html = (PAGE / "page.html").read_text(encoding="utf-8")
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    for mark, text, end in (
        ("@page.css@", style, "</style"),
        ("@page.js@", script, "</script"),
    ):
        if html.count(mark) != 1 or end in text.lower() or "<!--" in text:
            raise SystemExit(f"page.py: {mark} cannot go into page.html")
        html = html.replace(mark, text)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return html, policy


def c_text() -> str:
    """The C file."""
    html, policy = page()
    data = html.encode()
    rows = (data[i : i + WIDTH] for i in range(0, len(data), WIDTH))
    lines = "\n".join("    " + ",".join(map(str, row)) + "," for row in rows)
    return (
        "/* Made of csrc/daemon/page/ by scripts/page.py. */\n"
        '#include "daemon/page.h"\n\n'
        f"const unsigned char pst_page[] = {{\n{lines}\n}};\n"
        "const size_t pst_page_size = sizeof pst_page;\n"
        f'const char pst_page_policy[] = "{policy}";\n'
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: scripts/page.py OUT.c")
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(c_text(), encoding="utf-8")
