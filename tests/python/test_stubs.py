"""The hand-written stubs say what the modules have."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import penstock
from penstock import _connectors, _worker

PACKAGE = Path(str(penstock.__file__)).parent
MODULES = [_connectors, _worker]


def stub_names(module: ModuleType) -> dict[str, set[str]]:
    """Public names of a stub: of the module under "", of a class under its name."""
    path = PACKAGE / f"{module.__name__.rpartition('.')[2]}.pyi"
    found: dict[str, set[str]] = {"": set()}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[""].add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[""].add(node.target.id)
        elif isinstance(node, ast.ClassDef):
            found[""].add(node.name)
            inner = (n for n in node.body if isinstance(n, ast.FunctionDef))
            found[node.name] = {n.name for n in inner if not n.name.startswith("_")}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_names_are_the_same(module: ModuleType) -> None:
    stub = stub_names(module)
    public = {name for name in vars(module) if not name.startswith("_")}
    assert stub.pop("") == public
    for name, members in stub.items():
        if name == "Record":
            members |= {"n_fields", "n_sequence_fields", "n_unnamed_fields"}
        there = {n for n in vars(getattr(module, name)) if not n.startswith("_")}
        assert members == there, name


@pytest.mark.parametrize("module", MODULES)
def test_everything_has_a_docstring(module: ModuleType) -> None:
    assert module.__doc__
    for name, value in vars(module).items():
        if name.startswith("_") or isinstance(value, str):
            continue
        assert value.__doc__, name
        if isinstance(value, type):
            for member, inner in vars(value).items():
                assert member.startswith("_") or inspect.getdoc(inner), (name, member)


def test_stubtest(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "penstock._connectors",
            "penstock._worker",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
