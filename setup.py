"""Builds what is compiled: the core, two extension modules on it, and the daemon.

Metadata is in pyproject.toml. The core's sources are listed in csrc/sources.txt, which
the Makefile reads too; they are compiled once, to a static library that both modules
and `penstockd` link. The daemon goes into the wheel as a script, so that installing the
package puts it on PATH.

The environment may say:
  PST_PREBUILT=DIR  link DIR/libpenstock.a and ship DIR/penstockd instead of compiling
                    them (the Makefile has just built them)
  PST_DEBUG=1       no optimisation, assertions of Python's debug allocator usable
  PST_SANITIZE=address,undefined   for a run with libasan preloaded
  PST_WERROR=1      warnings are errors (what the Makefile does in CI)
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext

try:
    from setuptools.command.build_scripts import build_scripts
except ImportError:  # setuptools has it under distutils' name only
    from distutils.command.build_scripts import build_scripts

HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()
PACKAGES = {
    "rdkafka": ["rdkafka"],
    "libcurl": ["curl"],
    "jansson": ["jansson"],
    "libcrypto": ["crypto"],
    "zlib": ["z"],
    "libzstd": ["zstd"],
}
DAEMON_PACKAGES = {"libmicrohttpd": ["microhttpd"]}  # what only penstockd links
WARNINGS = (
    "-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes "
    "-Wpointer-arith -Wundef -Wwrite-strings"
).split()
SHARED = ["csrc/pyext/common.c", "csrc/pyext/logring.c", "csrc/pyext/runner.c"]
MODULES = {
    "penstock._connectors": ["connectors_module.c", "source.c", "memory.c", "sink.c"],
    "penstock._worker": [
        "worker_module.c",
        "worker.c",
        "embedded.c",
        "group.c",
        "store.c",
    ],
}


def pkg_config(option: str, packages: dict[str, list[str]] = PACKAGES) -> list[str]:
    """What pkg-config says of all packages; plain -l flags where it does not work."""
    try:
        done = subprocess.run(
            ["pkg-config", option, *packages], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        names = [name for names in packages.values() for name in names]
        return [f"-l{name}" for name in names] if option == "--libs" else []
    return shlex.split(done.stdout)


def sources(*patterns: str) -> list[str]:
    """The files that globs name, sorted, relative to the project."""
    return sorted(path for p in patterns for path in glob(p, root_dir=HERE))


def core_sources() -> list[str]:
    """The core's C files."""
    return sources(*(HERE / "csrc" / "sources.txt").read_text().split())


def newest_header() -> float:
    """When a header was last changed."""
    headers = sources("csrc/*/*.h", "connectors/*/*.h")
    return max((HERE / path).stat().st_mtime for path in headers)


def sanitize() -> list[str]:
    """Flags of $PST_SANITIZE, for compiler and linker."""
    wanted = os.environ.get("PST_SANITIZE")
    return [f"-fsanitize={wanted}", "-fno-omit-frame-pointer"] if wanted else []


def compile_flags() -> list[str]:
    """How C is compiled, as in the Makefile."""
    debug = ["-O0", "-g", "-UNDEBUG"] if os.environ.get("PST_DEBUG") else ["-O2", "-g"]
    strict = ["-Werror"] if os.environ.get("PST_WERROR") else []
    return [
        "-std=c11", *debug, *sanitize(), *WARNINGS, *strict, "-fPIC",
        "-fvisibility=hidden", "-pthread", "-D_GNU_SOURCE",
        f'-DPST_VERSION="{VERSION}"', "-Icsrc", "-I.", *pkg_config("--cflags"),
    ]  # fmt: skip


def link_flags() -> list[str]:
    """What comes after the objects on the linker's line."""
    return [*sanitize(), "-pthread", *pkg_config("--libs"), "-lm", "-ldl"]


def compiler() -> list[str]:
    """The C compiler and the user's own flags."""
    user = shlex.split(os.environ.get("CFLAGS", ""))
    return [*shlex.split(os.environ.get("CC", "cc")), *user]


def run(argv: Iterable[str]) -> None:
    """Run a command of the build. Raises CalledProcessError."""
    command = list(argv)
    print(shlex.join(command), flush=True)
    subprocess.run(command, cwd=HERE, check=True)


def flags_stamp(folder: Path) -> Path:
    """A file that is as old as the flags: written when they differ from the last ones."""
    stamp, text = folder / "flags", shlex.join([*compiler(), *compile_flags()])
    if not stamp.exists() or stamp.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text(text)
    return stamp


def compile_all(paths: list[str], folder: Path) -> list[str]:
    """Compile what is older than its source, any header or the flags; the objects."""
    flags = compile_flags()
    oldest = max(newest_header(), flags_stamp(folder).stat().st_mtime)

    def one(path: str) -> str:
        target = folder / Path(path).with_suffix(".o")
        newest = max((HERE / path).stat().st_mtime, oldest)
        if not target.exists() or target.stat().st_mtime < newest:
            target.parent.mkdir(parents=True, exist_ok=True)
            run([*compiler(), *flags, "-c", path, "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, paths))


def compile_page(folder: Path) -> str:
    """The status page as an object file."""
    source, target = folder / "page.c", folder / "page.o"
    run([sys.executable, "scripts/page.py", str(source)])
    run([*compiler(), *compile_flags(), "-c", str(source), "-o", str(target)])
    return str(target)


def prebuilt(name: str) -> Path | None:
    """A file that $PST_PREBUILT has ready, or None. Raises FileNotFoundError."""
    folder = os.environ.get("PST_PREBUILT")
    if not folder:
        return None
    path = (HERE / folder / name).resolve()
    if not path.exists():
        raise FileNotFoundError(f"PST_PREBUILT={folder} has no {name}")
    return path


class build_core(build_clib):
    """libpenstock.a."""

    def run(self) -> None:
        self.library = prebuilt("libpenstock.a")
        if self.library is not None:
            return
        folder = Path(self.build_temp).resolve()
        self.library = folder / "libpenstock.a"
        objects = compile_all(core_sources(), folder)
        self.library.unlink(missing_ok=True)
        ar = os.environ.get("AR", "ar")
        run([ar, "rcs", str(self.library), *objects])

    def get_library_names(self) -> list[str]:
        return []  # the modules name the file themselves

    def get_source_files(self) -> list[str]:
        return core_sources()


def core_of(distribution: Distribution) -> Path:
    """The static library, built if it is not yet."""
    distribution.run_command("build_clib")
    library = distribution.get_command_obj("build_clib").library
    assert isinstance(library, Path)
    return library


class build_modules(build_ext):
    """The extension modules, linked with the core."""

    build_temp: str

    def build_extension(self, ext: Extension) -> None:
        core = str(core_of(self.distribution))
        folder = Path(self.build_temp).resolve()
        ext.extra_compile_args = compile_flags()
        # What the core brings along stays inside: two modules must not share symbols.
        hidden = ["-Wl,--exclude-libs,ALL"]
        ext.extra_objects = []
        ext.extra_link_args = [*hidden, core, *link_flags()]
        self.build_temp = str(folder / ext.name)
        stamp = str(flags_stamp(Path(self.build_temp)))
        headers = sources("csrc/*/*.h", "connectors/*/*.h")
        ext.depends = [core, stamp, *headers]
        super().build_extension(ext)
        self.build_temp = str(folder)


class build_daemon(build_scripts):
    """`penstockd`: an executable that is shipped where scripts go."""

    def run(self) -> None:
        target = Path(self.build_dir).resolve() / "penstockd"
        target.parent.mkdir(parents=True, exist_ok=True)
        ready = prebuilt("penstockd")
        if ready is not None:
            shutil.copy2(ready, target)
            return
        core = core_of(self.distribution)
        folder = core.parent / "daemon"
        objects = [
            *compile_all(sources("csrc/daemon/*.c"), folder), compile_page(folder)
        ]  # fmt: skip
        parts = [*compiler(), *objects, str(core), *link_flags()]
        run([*parts, *pkg_config("--libs", DAEMON_PACKAGES), "-o", str(target)])

    def get_source_files(self) -> list[str]:
        return sources("csrc/daemon/*.c")


README = HERE / "README.md"

setup(
    long_description=README.read_text() if README.exists() else "",
    long_description_content_type="text/markdown",
    ext_modules=[
        Extension(name, [*SHARED, *(f"csrc/pyext/{file}" for file in files)])
        for name, files in MODULES.items()
    ],
    # Names only: they make setuptools call the commands below.
    libraries=[("penstock", {"sources": core_sources()})],
    scripts=["penstockd"],
    cmdclass={
        "build_clib": build_core,
        "build_ext": build_modules,
        "build_scripts": build_daemon,
    },
)
