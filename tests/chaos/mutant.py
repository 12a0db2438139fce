"""A daemon whose PUT is not conditional, to see that the bench would notice.

It is linked from the objects of build/penstockd and a patched copy of one source file;
the production code has no switch for it.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "csrc" / "runtime" / "chain_append.c"
RIGHT, WRONG = ".create_only = conf->conditional", ".create_only = false"
PACKAGES = ("rdkafka", "libcurl", "jansson", "libcrypto", "zlib", "libzstd")


def _run(argv: list[str]) -> str:
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(folder: Path) -> Path:
    """Make the mutant in `folder`. Returns its program."""
    text = SOURCE.read_text()
    assert text.count(RIGHT) == 1, f"{SOURCE.name} does not say {RIGHT!r} once"
    folder.mkdir(parents=True, exist_ok=True)
    patched = folder / SOURCE.name
    patched.write_text(text.replace(RIGHT, WRONG))
    flags = shlex.split(_run(["pkg-config", "--cflags", *PACKAGES]))
    libs = shlex.split(_run(["pkg-config", "--libs", *PACKAGES]))
    daemon = [str(path) for path in sorted((ROOT / "build/obj/csrc/daemon").glob("*.o"))]
    assert daemon, "build/penstockd is not built"
    program = folder / "penstockd"
    # The patched object comes before the library, whose own one is then not taken.
    compiler = ["cc", "-std=c11", "-O2", "-g", "-pthread", "-D_GNU_SOURCE"]
    parts = [str(patched), *daemon, "build/libpenstock.a", *libs, "-lm", "-ldl"]
    _run([*compiler, "-Icsrc", "-I.", *flags, *parts, "-o", str(program)])
    return program
