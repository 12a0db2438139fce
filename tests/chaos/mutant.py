"""Daemons with a safety rule taken out, to see that the bench would notice.

It is linked from the objects of build/penstockd and a patched copy of one source file;
the production code has no switch for it.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUNTIME = ROOT / "csrc" / "runtime"


@dataclass(frozen=True)
class Change:
    """One text of one source file, and what stands there instead."""

    source: Path
    right: str
    wrong: str


UNCONDITIONAL = Change(
    RUNTIME / "chain_append.c",
    ".create_only = conf->conditional",
    ".create_only = false",
)
# Whoever finds a manifest at its start takes it for whole.
NOT_COMPLETED = Change(
    RUNTIME / "chain_files.c",
    "if (rc == PST_OK && pst_files_missing(found->files) < 0) {",
    "if (rc == PST_OK) {",
)
PACKAGES = (
    "rdkafka", "libcurl", "jansson", "libcrypto", "zlib", "libzstd", "libmicrohttpd"
)  # fmt: skip


def _run(argv: list[str]) -> str:
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(folder: Path, change: Change = UNCONDITIONAL) -> Path:
    """Make the mutant in `folder`. Returns its program."""
    source, right = change.source, change.right
    text = source.read_text()
    assert text.count(right) == 1, f"{source.name} does not say {right!r} once"
    folder.mkdir(parents=True, exist_ok=True)
    patched = folder / source.name
    patched.write_text(text.replace(right, change.wrong))
    flags = shlex.split(_run(["pkg-config", "--cflags", *PACKAGES]))
    libs = shlex.split(_run(["pkg-config", "--libs", *PACKAGES]))
    objects = ROOT / "build/obj"
    daemon = [str(path) for path in sorted((objects / "csrc/daemon").glob("*.o"))]
    daemon.append(str(objects / "page.o"))
    assert len(daemon) > 1, "build/penstockd is not built"
    program = folder / "penstockd"
    # The patched object comes before the library, whose own one is then not taken.
    compiler = ["cc", "-std=c11", "-O2", "-g", "-pthread", "-D_GNU_SOURCE"]
    parts = [str(patched), *daemon, "build/libpenstock.a", *libs, "-lm", "-ldl"]
    _run([*compiler, "-Icsrc", "-I.", *flags, *parts, "-o", str(program)])
    return program
