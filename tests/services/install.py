"""Fetches the services into the cache: Kafka's jars (Maven), MinIO, Prometheus (Go).

Versions are pinned here and in kafka-pom.xml. The first MinIO build takes several
minutes; everything later is a look at the cache. Errors are one line each.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services import cache
from tests.services.process import ServiceError

KAFKA_VERSION = "3.9.1"
MINIO_MODULE = "github.com/minio/minio"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
PROMETHEUS_MODULE = "github.com/prometheus/prometheus"
PROMETHEUS_VERSION = "v0.305.1"
AXE_VERSION = "4.14.1"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
GO_TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.24.8.linux-{arch}"

_HERE = Path(__file__).resolve().parent


def _say(text: str) -> None:
    """Tell the person who waits; nothing is said when the cache has all."""
    print(f"services: {text}", file=sys.stderr, flush=True)


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ServiceError(f"{name} is not on PATH: apt-get install {package}")
    return path


def _run(what: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Run to the end; the output. Raises ServiceError with its last line on failure."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=None if env is None else {**os.environ, **env},
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line or "error" in line]
        raise ServiceError(f"{what} failed: {(errors or lines or ['no output'])[0]}")
    return done.stdout


def java() -> str:
    """The path of the Java launcher. Raises ServiceError when there is none."""
    return _program("java", "default-jre-headless")


def _fetch_kafka(folder: Path) -> None:
    java()
    pom = _HERE / "kafka-pom.xml"
    mvn = _program("mvn", "maven")
    _say(f"fetching Kafka {KAFKA_VERSION}")
    _run(
        "mvn (Kafka's jars)",
        [
            mvn, "-B", "-q", "-f", str(pom), MAVEN_GOAL,
            f"-Dkafka.version={KAFKA_VERSION}", f"-DoutputDirectory={folder}",
        ],
    )  # fmt: skip


def kafka_jars() -> Path:
    """The folder with the broker's and the admin commands' jars, fetched if need be."""
    return cache.ensure(f"kafka-{KAFKA_VERSION}", _fetch_kafka)


def _modern_go() -> str:
    """A go that can build MinIO: the one on PATH, or a toolchain fetched through it.

    Go 1.21 and later fetch the toolchain that a module asks for by themselves; Debian
    12's 1.19 does not, so the toolchain module is downloaded as any module is.
    """
    go = _program("go", "golang-go")
    version = re.search(r"go1\.(\d+)", _run("go version", [go, "version"]))
    if version and int(version.group(1)) >= 21:
        return go
    arch = _run("go env", [go, "env", "GOARCH"]).strip()
    module = GO_TOOLCHAIN.format(arch=arch)
    env = {"GOFLAGS": "-modcacherw", "GONOSUMDB": "golang.org/toolchain"}
    _run("go (its own toolchain)", [go, "mod", "download", module], env)
    modcache = _run("go env", [go, "env", "GOMODCACHE"]).strip()
    home = Path(modcache) / module
    for tool in [*home.glob("bin/*"), *home.glob("pkg/tool/*/*")]:
        tool.chmod(0o755)
    return str(home / "bin" / "go")


def _build_minio(folder: Path) -> None:
    env = {"GOBIN": str(folder), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
    target = f"{MINIO_MODULE}@{MINIO_VERSION}"
    go = _modern_go()
    _say("building MinIO: some minutes, once")
    _run("go install (MinIO)", [go, "install", target], env)


def minio_binary() -> Path:
    """The MinIO server's program, built if need be (minutes, the first time)."""
    return cache.ensure(f"minio-{MINIO_VERSION}", _build_minio) / "minio"


def _build_prometheus(folder: Path) -> None:
    """Prometheus and promtool, without the discovery of clouds: a list of its own.

    Its module replaces another's, so it is built from a copy in which it is the main one.
    """
    go = _modern_go()
    module = f"{PROMETHEUS_MODULE}@{PROMETHEUS_VERSION}"
    found = _run("go mod download", [go, "mod", "download", "-json", module])
    _say("building Prometheus: some minutes, once")
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source"
        shutil.copytree(json.loads(found)["Dir"], source, copy_function=shutil.copyfile)
        for place in [source, *source.rglob("*")]:
            place.chmod(0o755 if place.is_dir() else 0o644)
        (source / "plugins" / "plugins.go").write_text("package plugins\n")
        env = {"GOFLAGS": "-trimpath -buildvcs=false", "CGO_ENABLED": "0"}
        commands = ["./cmd/promtool", "./cmd/prometheus"]
        build = [go, "-C", str(source), "build", "-o", f"{folder}/", *commands]
        _run("go build (Prometheus)", build, env)


def prometheus_folder() -> Path:
    """The folder with `prometheus` and `promtool`, built if need be (minutes, once)."""
    return cache.ensure(f"prometheus-{PROMETHEUS_VERSION}", _build_prometheus)


def _fetch_axe(folder: Path) -> None:
    npm = _program("npm", "npm")
    _say(f"fetching axe-core {AXE_VERSION}")
    _run(
        "npm (axe-core)",
        [
            npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit",
            "--no-fund", "--no-save", f"axe-core@{AXE_VERSION}",
        ],
    )  # fmt: skip
    script = _axe_script(folder)
    if hashlib.sha256(script.read_bytes()).hexdigest() != AXE_SHA256:
        raise ServiceError(f"axe-core {AXE_VERSION} is not the one that is pinned")


def _axe_script(folder: Path) -> Path:
    return folder / "node_modules" / "axe-core" / "axe.min.js"


def axe_core() -> Path:
    """axe-core's script, for the accessibility of pages; fetched if need be."""
    return _axe_script(cache.ensure(f"axe-core-{AXE_VERSION}", _fetch_axe))


def everything() -> None:
    """All of them, fetched if need be. Raises ServiceError."""
    kafka_jars()
    minio_binary()
    prometheus_folder()
    axe_core()
