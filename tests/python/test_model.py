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
        timeout=600,
        check=False,
        env=None if path is None else {"PATH": path},
    )


@pytest.mark.slow
@pytest.mark.timeout(620)
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
    for name in ("take-over without the deletion", "take-over, former name not followed"):
        assert any(line.startswith(f"{name}: counterexample") for line in lines), name
    for name in (
        "data before its manifest",
        "next before all objects",
        "a manifest taken for whole at the start",
        "a manifest taken for whole by 412",
        "completed by other paths than the manifest's",
        "rule 9 for the manifest alone",
    ):
        assert any(line.startswith(f"{name}: counterexample") for line in lines), name
    assert sum("no error" in line for line in lines) >= 10


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
    """--list runs nothing; take-over, seals and three writers are there."""
    done = run("--list")
    names = done.stdout.splitlines()
    assert done.returncode == 0
    assert "rule 9 dropped" in names
    assert sum(name.startswith("take-over") for name in names) == 6
    assert {"a seal moved, three writers", "a new name started too soon"} <= set(names)
    assert sum("three writers" in name for name in names) >= 4


def test_what_the_take_over_does_is_in_the_document() -> None:
    """A case of what happens without each of its steps."""
    text = (ROOT / "docs" / "exactly-once.md").read_text(encoding="utf-8")
    part = text.split("### Take-over")[1].split("\n### ")[0]
    for step in ("Without step 4", "Without step 2", "Step 4 before step 2"):
        assert f"*{step}:*" in part, step
