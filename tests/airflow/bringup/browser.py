"""A headless Chromium, driven over the DevTools protocol through a pipe.

No driver, no WebSocket: `--remote-debugging-pipe` reads commands from descriptor 3 and
writes answers to 4, JSON texts with a NUL after each. Clicks and keys are the browser's
own input events, as a person's are.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.services.process import ServiceError, die_with_parent

WIDTH, HEIGHT = 1500, 1000
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --no-proxy-server --lang=en-GB --remote-debugging-pipe "
    "--password-store=basic"
).split()
# bash sees to the two descriptors, which Python cannot promise for itself.
_WITH_PIPES = 'in=$1 out=$2; shift 2; exec "$@" 3<&"$in" 4>&"$out"'
# Airflow 2 keeps its React parts in shadow trees, which selectors and innerText skip.
_ROOTS = """
    [document, ...[...document.querySelectorAll('*')]
        .filter(e => e.shadowRoot).map(e => e.shadowRoot)]
"""
_TEXT = f"""
    {_ROOTS}.flatMap(root => [...root.children])
        .filter(e => e.tagName !== 'STYLE').map(e => e.innerText).join('\\n')
"""
_ALL = f"(css => {_ROOTS}.flatMap(root => [...root.querySelectorAll(css)]))"
_FIND = f"""
    ((css, text) => {_ALL}(css).find(e =>
        e.getClientRects().length && (text === null || e.innerText.trim() === text)))
"""


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    raise ServiceError("chromium is not on PATH: scripts/setup.sh airflow")


def _high(descriptor: int) -> int:
    """The same pipe at a number that is nobody's."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)
    os.close(descriptor)
    return moved


class Browser:
    """The browser with one page."""

    def __init__(self) -> None:
        """Started at once."""
        self.profile = tempfile.mkdtemp(prefix="penstock-chromium-")
        theirs_in, self._out = map(_high, os.pipe())
        self._in, theirs_out = map(_high, os.pipe())
        argv = [
            "bash", "-c", _WITH_PIPES, "bash", str(theirs_in), str(theirs_out),
            _chromium(), *FLAGS, f"--user-data-dir={self.profile}",
            f"--window-size={WIDTH},{HEIGHT}", "about:blank",
        ]  # fmt: skip
        self._log = (Path(self.profile) / "chromium.log").open("ab")
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(theirs_in, theirs_out),
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest, self._number, self._session = b"", 0, ""
        self._open_page()

    def _open_page(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            if not select.select([self._in], [], [], max(left, 0.0))[0]:
                raise AssertionError("chromium does not answer")
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise AssertionError("chromium has ended")
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command; its result. Raises AssertionError when it is refused."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + 60
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def run(self, script: str) -> Any:
        """An expression's value in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 45.0) -> Any:
        """Until an expression is true; its value. Raises AssertionError with the page."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = self.run(script)
            except AssertionError:  # a page that is going away
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{script} never came: {self.text()[:3000]}")
            time.sleep(0.1)

    def goto(self, url: str) -> None:
        """Load a page."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def text(self) -> str:
        """What a person can read on the page."""
        return str(self.run(_TEXT))

    def wait_text(self, text: str, seconds: float = 45.0) -> None:
        """Until the page shows a text."""
        self.wait(f"({_TEXT}).includes({json.dumps(text)})", seconds)

    def find(self, selector: str) -> str:
        """A script for all elements of a selector."""
        return f"{_ALL}({json.dumps(selector)})"

    def click(self, selector: str, text: str | None = None) -> None:
        """Click in the middle of an element, known by a selector and its whole text."""
        found = f"{_FIND}({json.dumps(selector)}, {json.dumps(text)})"
        self.wait(f"!!{found}")
        place = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); "
            "const box = e.getBoundingClientRect(); "
            "return [box.x + box.width / 2, box.y + box.height / 2]; })"
            f"({found})"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1],
                button="none" if kind == "mouseMoved" else "left", clickCount=1,
            )  # fmt: skip

    def fill(self, selector: str, text: str) -> None:
        """Click into a field and type over what it has."""
        self.click(selector)
        found = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{found}.select()")
        self.call("Input.insertText", text=text)
        self.wait(f"{found}.value === {json.dumps(text)}")

    def write(self, text: str) -> None:
        """Type where the cursor is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press a key, as ("Enter", 13)."""
        for kind in ("rawKeyDown", "char", "keyUp"):
            more = {"text": "\r"} if key == "Enter" and kind != "keyUp" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code, nativeVirtualKeyCode=code, **more,
            )  # fmt: skip

    def screenshot(self, path: Path) -> Path:
        """The page as it looks now, as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
        return path

    def close(self) -> None:
        """End it, by its process group when it must be."""
        self._session = ""
        try:
            self.call("Browser.close")
            self._process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        os.close(self._in)
        os.close(self._out)
        self._log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
