"""The fuzzers' runner: it builds them, runs them, and sees what they find."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests" / "fuzz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("clang") or shutil.which("clang-14")),
        reason="libFuzzer comes with clang",
    ),
]

PLANTED = """
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 && data[0] == 'x' && data[1] == 'y')
        abort();
    return 0;
}
"""


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """The runner with these arguments."""
    return subprocess.run(
        [sys.executable, str(FUZZ / "run.py"), *args],
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )


def test_every_fuzzer_has_seeds() -> None:
    """A fuzzer without seeds finds little in seconds; seeds without one are litter."""
    names = {p.stem.removeprefix("fuzz_") for p in FUZZ.glob("fuzz_*.c")}
    assert {p.name for p in (FUZZ / "corpus").iterdir()} == names
    assert {p.stem for p in FUZZ.glob("*.dict")} <= names
    for name in names:
        assert len(list((FUZZ / "corpus" / name).iterdir())) >= 5, name


@pytest.mark.timeout(1200)
def test_a_second_of_each_finds_nothing() -> None:
    """All seeds, which hold former findings, and a second more."""
    before = {p: p.stat().st_mtime_ns for p in (FUZZ / "corpus").rglob("*")}
    done = run("--seconds", "1")
    lines = done.stdout.splitlines()
    names = sorted(p.stem for p in FUZZ.glob("fuzz_*.c"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in lines[:-1]] == names
    for line in lines[:-1]:
        assert re.fullmatch(r"fuzz_\w+: [\d,]+ runs in \d+ s, no finding", line)
    assert lines[-1] == f"{len(names)} passed, 0 failed"
    assert {p: p.stat().st_mtime_ns for p in (FUZZ / "corpus").rglob("*")} == before


@pytest.mark.timeout(1200)
def test_a_planted_bug_is_found_and_made_small(tmp_path: Path) -> None:
    """Exit status 1, the path of the input, and the input as small as it goes."""
    (tmp_path / "fuzz_planted.c").write_text(PLANTED)
    seeds = tmp_path / "corpus" / "planted"
    seeds.mkdir(parents=True)
    (seeds / "near").write_bytes(b"xz" + b"." * 40)
    done = run("--sources", str(tmp_path), "--seconds", "60")
    found, last = done.stdout.splitlines()
    assert done.returncode == 1
    assert last == "0 passed, 1 failed"
    where = re.search(r"FOUND .*: (\S+)$", found)
    assert where
    assert re.fullmatch(rb"xy.", Path(where[1]).read_bytes(), re.DOTALL)


def test_an_unknown_name_is_told() -> None:
    """And nothing is built."""
    done = run("nope")
    assert done.returncode == 2
    assert "there are" in done.stderr
