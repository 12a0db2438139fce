"""systemd's unit: its own tools find nothing to say, and the sandbox is tight."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, binary

UNIT = ROOT / "packaging" / "systemd" / "penstockd.service"


def verify(tmp_path: Path, text: str) -> str:
    """What `systemd-analyze verify` says of a unit; it exits with 0 whatever it says."""
    path = tmp_path / "penstockd.service"
    path.write_text(text.replace("/usr/bin/penstockd", str(binary())))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_unit_is_understood(tmp_path: Path) -> None:
    assert verify(tmp_path, UNIT.read_text()) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WatchdogSec=", "WatchDogSecs="),
        ("Type=notify", "Type=notified"),
        ("@system-service", "@system-servise"),
    ],
)
def test_a_mistake_would_be_found(tmp_path: Path, right: str, wrong: str) -> None:
    text = UNIT.read_text()
    assert right in text
    assert verify(tmp_path, text.replace(right, wrong)) != ""


def test_the_sandbox_is_tight() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    found = re.search(r"exposure level for penstockd.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 2.0, done.stdout


def test_the_unit_s_times_fit_the_settings() -> None:
    text = UNIT.read_text()
    stop = re.search(r"^TimeoutStopSec=(\d+)s$", text, re.M)
    shown = subprocess.run(
        [binary(), "--help", "worker"], capture_output=True, text=True, check=True
    )
    limit = re.search(r"shutdown\.timeout\.ms.*?default: (\d+)", shown.stdout, re.S)
    assert stop
    assert limit
    assert int(stop[1]) * 1000 > int(limit[1])


def test_wrong_settings_are_not_tried_again() -> None:
    text = UNIT.read_text()
    assert "RestartPreventExitStatus=2" in text
    # systemd looks at the main process alone: a check before it would be tried for ever.
    assert "ExecStartPre" not in text


def test_install_puts_the_program_and_the_unit(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/opt/penstock"],
        cwd=ROOT, check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    program = tmp_path / "opt/penstock/bin/penstockd"
    shown = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("penstockd ")
    unit = tmp_path / "opt/penstock/lib/systemd/system/penstockd.service"
    assert "ExecStart=/opt/penstock/bin/penstockd /etc/penstock/" in unit.read_text()
    assert "/usr/bin/penstockd" not in unit.read_text()
