"""The C programs of this folder, built once a session."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


BUILD = ROOT / os.environ.get("BUILD", "build")


@pytest.fixture(scope="session")
def plugin(programs: Path) -> Path:
    """The plugin for s3.client=libs3. Without libs3 here its tests are skipped."""
    built = BUILD / "penstock_libs3.so"
    if not built.exists():
        pytest.skip("libs3 is not installed (Debian: libs3-dev)")
    return built


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with `store_suite`, `libs3_traps` and `sigv4_helper`."""
    made = subprocess.run(
        ["make", "-s", "-f", "Makefile", "-f", "tests/store/suite.mk", "store-tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return BUILD / "store"
