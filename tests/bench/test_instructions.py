"""Scanning and encoding take no more instructions a record than they did."""

from __future__ import annotations

import subprocess

import pytest

from tests.bench import instructions
from tests.bench.measure import ROOT


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    """build/bench_encode as the sources are."""
    subprocess.run(["make", "-s", "build/bench_encode"], cwd=ROOT, check=True)


@pytest.mark.parametrize("shape", sorted(instructions.limits()))
def test_no_more_instructions(shape: str) -> None:
    """Within the slack of the limit; two counts of the same program are alike."""
    limit, count = instructions.limits()[shape], instructions.per_record(shape)
    assert count <= limit * (1 + instructions.SLACK), (
        f"{shape}: {count:.0f} instructions a record, the limit is {limit}; if that is "
        f"worth it: .venv/bin/python -m tests.bench.instructions --update"
    )
    assert count >= limit / 2, "half of it is gone: the count or the corpus is broken"
