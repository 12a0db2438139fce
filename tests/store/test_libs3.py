"""The plugin for s3.client=libs3: found, checked at load, and linked by nothing else.

What it does with a store is in `store_suite.c` (real MinIO) and `libs3_traps.c`.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services import Minio
from tests.store.test_store_suite import BUCKET, passed, run
from tests.support.daemon import binary

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ("--url", "http://127.0.0.1:1", "--bucket", BUCKET, "--client", "libs3")
OTHER = r"""
#include "store/plugin.h"
void pst_store_plugin_1(pst_store_plugin *out);
void pst_store_plugin_1(pst_store_plugin *out)
{
    *out = (pst_store_plugin){VERSION, pst_store_plugin_layout() + CHANGE, "none", 0};
}
"""


def needed(path: Path) -> list[str]:
    """The libraries that an ELF file asks for."""
    shown = subprocess.run(
        ["readelf", "-d", str(path)], capture_output=True, text=True, check=True
    ).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", shown)


def failure(programs: Path, **env: str) -> str:
    """The one line that opening the store ends with."""
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    result = run(programs, *OPTIONS, env={**keys, **env})
    assert result.returncode == 1
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_traps(plugin: Path, programs: Path) -> None:
    """What libs3 gets wrong, by a scripted server."""
    done = subprocess.run(
        [str(programs / "libs3_traps")],
        env={**os.environ, "PST_PLUGIN_DIR": str(plugin.parent)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    passed(done)


def test_nothing_else_links_libs3(plugin: Path) -> None:
    """libs3 is GPL-3 in Debian: not in the daemon, not in the extension modules."""
    modules = [
        Path(str(importlib.import_module(name).__file__))
        for name in ("penstock._connectors", "penstock._worker")
    ]
    assert len([lib for lib in needed(plugin) if lib.startswith("libs3.so")]) == 1
    for path in (binary(), *modules):
        libraries = needed(path)
        assert any(lib.startswith("librdkafka.so") for lib in libraries)
        assert not [lib for lib in libraries if "s3.so" in lib or "gnutls" in lib]
    assert not list(modules[0].parent.glob("*libs3*"))


def test_the_plugin_shows_one_symbol(plugin: Path) -> None:
    """Its copy of base/ stays inside."""
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", str(plugin)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [line.split()[2] for line in shown.splitlines()]
    assert [name for name in ours if name.startswith("pst_")] == ["pst_store_plugin_1"]


def test_it_is_missing(programs: Path, tmp_path: Path) -> None:
    """One line: what, where it was looked for, the package, the setting."""
    line = failure(programs, PST_PLUGIN_DIR=str(tmp_path))
    assert f"penstock_libs3.so, which is not in {tmp_path}" in line
    for word in ("s3.client=libs3", "libs3-dev", "make libs3", "s3.libs3.plugin"):
        assert word in line


def test_it_lies_beside_the_program(programs: Path, tmp_path: Path) -> None:
    """And below PREFIX: bin/program, lib/penstock/plugin."""
    program = tmp_path / "bin" / "store_suite"
    program.parent.mkdir()
    shutil.copy2(programs / "store_suite", program)
    places = f"{program.parent}, {program.parent}/../lib/penstock"
    assert f"is not in {places}:" in failure(program.parent)
    other = tmp_path / "lib" / "penstock" / "penstock_libs3.so"
    other.parent.mkdir(parents=True)
    other.write_text("not a library")
    assert f"cannot load the plugin ({program.parent}/../lib" in failure(program.parent)


@pytest.mark.parametrize(
    ("version", "change"), [("0.0.0-other", 0), (None, 1)], ids=["version", "layout"]
)
def test_it_is_of_another_build(
    programs: Path, tmp_path: Path, version: str | None, change: int
) -> None:
    """Another version, or the same with other structs, is not used."""
    source = tmp_path / "other.c"
    source.write_text(OTHER)
    mine = (ROOT / "VERSION").read_text().strip()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT / 'csrc'}",
         f'-DVERSION="{version or mine}"', f"-DCHANGE={change}", str(source),
         "-o", str(tmp_path / "penstock_libs3.so")],
        check=True,
    )  # fmt: skip
    line = failure(programs, PST_PLUGIN_DIR=str(tmp_path))
    assert f"is of another build of Penstock ({version or mine}, this is {mine})" in line
    assert "make libs3" in line


def test_no_keys(programs: Path, plugin: Path) -> None:
    """The credential chain is the core's, and says what it says for every client."""
    result = run(programs, *OPTIONS, env={"PST_PLUGIN_DIR": str(plugin.parent)})
    assert result.returncode == 1
    assert "no S3 credentials" in result.stdout + result.stderr


def test_temporary_keys(programs: Path, plugin: Path, minio: Minio) -> None:
    """Signature V2 knows no session token: refused, not sent without."""
    env = {
        **minio.aws_env(),
        "AWS_SESSION_TOKEN": "token",
        "PST_PLUGIN_DIR": str(plugin.parent),
    }
    result = run(programs, *OPTIONS, env=env)
    assert result.returncode == 1
    assert "s3.client=curl" in result.stdout + result.stderr
