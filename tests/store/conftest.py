"""The C programs of this folder, built once a session."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with `store_suite` and `sigv4_helper`."""
    build = os.environ.get("BUILD", "build")
    made = subprocess.run(
        ["make", "-s", "-f", "Makefile", "-f", "tests/store/suite.mk", "store-tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return ROOT / build / "store"
