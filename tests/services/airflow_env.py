"""Virtual environments with Airflow, out of the lock files, kept in the cache.

    python -m tests.services.airflow_env 3    makes it if need be; prints its Python

An environment is known by its lock file's text and its Python. Penstock is not in it:
`site()` is a folder for PYTHONPATH: the package as .venv has it, with its metadata, and
the provider's sources; `installed()` is one that has both as they are installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from tests.services import cache
from tests.services.process import ServiceError

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = ROOT / "tests" / "airflow" / "lock"
VERSIONS = {"2": "2.11.2", "3": "3.3.2"}
INSTALL_SECONDS = 900


def _run(argv: list[str | Path]) -> None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{argv[0]}: not done in {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise ServiceError(f"{' '.join(map(str, argv[:4]))}: {lines[-1]}")


def python(line: str) -> Path:
    """The Python of line 2 or 3, its environment made if need be. Raises ServiceError."""
    version = VERSIONS[line]
    lock = LOCKS / f"airflow-{version}.txt"
    base = Path(sys.executable).resolve()
    known_by = lock.read_bytes() + str(base).encode() + sys.version.encode()
    digest = hashlib.sha256(known_by).hexdigest()[:12]

    def make(folder: Path) -> None:
        print(f"services: installing Airflow {version}", file=sys.stderr, flush=True)
        uv = Path(sys.executable).parent / "uv"
        _run([uv, "venv", "-q", "--clear", "-p", base, folder])
        _run([uv, "pip", "install", "-q", "--no-deps", "--no-cache", "--compile-bytecode",
              "--python", folder / "bin" / "python", "-r", lock])  # fmt: skip

    return cache.ensure(f"airflow-{version}-{digest}", make) / "bin" / "python"


def _in_venv() -> list[Path]:
    """The package and its metadata in .venv. Raises ServiceError when it is not there."""
    libraries = Path(sysconfig.get_path("purelib"))
    wanted = [libraries / "penstock", *libraries.glob("penstock-*.dist-info")]
    if len(wanted) != 2 or not wanted[0].exists():
        raise ServiceError("penstock is not in .venv: make py")
    return wanted


def site(folder: Path) -> Path:
    """`folder`, filled with links: the package as .venv has it, the provider's sources.

    Raises ServiceError when the package is not installed there.
    """
    wanted = _in_venv()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in wanted:
        (folder / source.name).symlink_to(source)
    (folder / "penstock_airflow").symlink_to(ROOT / "airflow_provider")
    return folder


def installed(folder: Path) -> Path:
    """`folder`, filled with copies of what is installed in .venv, the provider too.

    What runs for minutes must not change when something is built meanwhile. Raises
    ServiceError when the package is not installed there.
    """
    wanted = _in_venv()
    shutil.rmtree(folder, ignore_errors=True)
    for source in [*wanted, wanted[0].parent / "penstock_airflow"]:
        shutil.copytree(source, folder / source.name)
    return folder


def environment(
    line: str, folder: Path, fill: Callable[[Path], Path] = site
) -> dict[str, str]:
    """Variables for a process of this line: PATH and PYTHONPATH, nothing of Airflow's."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "AWS_", "PYTHON"))
    }
    own = Path(sys.executable).parent  # the command `penstock`
    path = f"{python(line).parent}{os.pathsep}{clean.get('PATH', '')}{os.pathsep}{own}"
    return {**clean, "PATH": path, "PYTHONPATH": str(fill(folder))}


def main() -> int:
    """Make what is missing; print the Python of each line named."""
    try:
        for line in sys.argv[1:] or VERSIONS:
            print(python(line))
    except (ServiceError, KeyError) as error:
        print(f"services: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
