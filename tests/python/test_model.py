"""The chain protocol holds in the model, and no safety rule can be dropped."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "model" / "run.py"


def run(*options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """model/run.py, perhaps with another PATH."""
    return subprocess.run(
        [sys.executable, str(RUN), *options],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env=None if path is None else {"PATH": path},
    )


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.skipif(not shutil.which("spin"), reason="spin is not installed")
def test_protocol_and_mutants() -> None:
    """Every scenario holds; every rule dropped has a counterexample."""
    done = run("--quick")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"\d+ passed, 0 failed", lines[-1])
    for rule in range(1, 11):
        assert any(
            line.startswith(f"rule {rule} dropped: counterexample after")
            for line in lines
        ), f"rule {rule}"
    assert sum("no error" in line for line in lines) >= 8


def test_each_rule_is_named_in_the_document() -> None:
    """The document lists what the model drops."""
    text = (ROOT / "docs" / "exactly-once.md").read_text(encoding="utf-8")
    for rule in range(1, 12):
        assert re.search(rf"^### {rule}\. ", text, re.MULTILINE), f"rule {rule}"
    assert text.count("Without it") >= 11


def test_missing_spin_is_told(tmp_path: Path) -> None:
    """One line that names the package."""
    done = run("--quick", path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "spin is not installed: apt-get install spin\n"
    assert done.stdout == ""


def test_list_names_every_check() -> None:
    """--list runs nothing."""
    done = run("--list")
    assert done.returncode == 0
    assert "rule 9 dropped" in done.stdout.splitlines()
