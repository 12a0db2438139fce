#!/usr/bin/env python3
"""Builds the fuzzers and runs each for some seconds: `run.py [--seconds N] [name …]`.

The core is compiled once with the sanitizers (build/fuzz/core), each tests/fuzz/fuzz_*.c
is linked with it. Seeds are read from tests/fuzz/corpus/<name>/ and never written to:
a run works on a copy. One line a fuzzer, then "N passed, N failed"; the exit status is 1
if there was a finding. A finding is made as small as it goes and kept in
build/fuzz/findings/<fuzzer>/; the fuzzer with that file as its argument shows it again.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ["rdkafka", "libcurl", "jansson", "libcrypto", "zlib", "libzstd"]
# NULL + 0 is an address of no bytes, which the next C standard allows and all compilers
# do; clang's check of pointer sums can't be told so.
SANITIZE = "address,undefined"
RECOVER = ["-fno-sanitize-recover=all", "-fno-sanitize=pointer-overflow"]
LIMITS = ["-rss_limit_mb=1024", "-timeout=5"]
MINIMISE_SECONDS = 20


@dataclass
class Result:
    """What one fuzzer's run came to."""

    runs: int
    seconds: int
    finding: Path | None = None
    why: str = ""
    coverage: int = 0


def clang() -> str:
    """The compiler, or the end: only clang has libFuzzer."""
    for name in (os.environ.get("FUZZ_CC", ""), "clang", "clang-14"):
        if name and shutil.which(name):
            return name
    raise SystemExit("clang is missing: the fuzzers need its libFuzzer")


def pkg_config(what: str) -> list[str]:
    """Flags of the libraries."""
    done = subprocess.run(
        ["pkg-config", what, *PACKAGES], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def build_core(build: Path, compiler: str) -> Path:
    """libpenstock.a with the sanitizers and the fuzzer's counters, by the Makefile."""
    core = build / "core"
    sanitize = [f"-fsanitize=fuzzer-no-link,{SANITIZE}", *RECOVER]
    subprocess.run(
        [
            "make", "--no-print-directory", "-s", "-j2", f"BUILD={core}",
            f"CC={compiler}", "OPTIMISE=-O1 -g -fno-omit-frame-pointer",
            f"SANITIZE={' '.join(sanitize)}", f"{core}/libpenstock.a",
        ],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return core / "libpenstock.a"


def build_fuzzer(
    source: Path, build: Path, compiler: str, core: Path, engine: str = "fuzzer"
) -> Path:
    """One program, unless it is there and newer than all it is made of."""
    program = build / source.stem
    inputs = [source, core, *HERE.glob("*.h")]
    if program.exists() and all(
        p.stat().st_mtime < program.stat().st_mtime for p in inputs
    ):
        return program
    subprocess.run(
        [
            compiler, "-std=c11", "-O1", "-g", "-fno-omit-frame-pointer", "-pthread",
            "-D_GNU_SOURCE", f"-fsanitize={engine},{SANITIZE}", *RECOVER, "-Wall",
            "-Wextra", "-Wshadow", f"-I{ROOT}/csrc", f"-I{ROOT}", f"-I{HERE}",
            *pkg_config("--cflags"), str(source), str(core), *pkg_config("--libs"),
            "-lm", "-ldl", "-o", str(program),
        ],
        check=True,
    )  # fmt: skip
    return program


def build_driver(source: Path, build: Path, compiler: str, core: Path) -> Path:
    """A program with a main() of its own, with the same sanitizers."""
    return build_fuzzer(source, build, compiler, core, "fuzzer-no-link")


def environment() -> dict[str, str]:
    """The same for every run: no time zone or locale of the machine."""
    return {
        **os.environ,
        "TZ": "UTC",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def minimise(program: Path, finding: Path) -> Path:
    """A smaller input with the same kind of finding, where there is one."""
    small = finding.with_name(f"small-{finding.name}")
    subprocess.run(
        [
            str(program), "-minimize_crash=1", f"-exact_artifact_path={small}",
            f"-max_total_time={MINIMISE_SECONDS}", *LIMITS, str(finding),
        ],
        capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    return small if small.exists() and small.stat().st_size else finding


def first(pattern: str, text: str) -> str:
    """The first match's group, or nothing."""
    found = re.search(pattern, text)
    return found[1] if found else ""


def reason(log: str) -> str:
    """One line of a report that says what was found."""
    return (
        first(r"(\S+: does not hold: .*)", log)
        or first(r"runtime error: (.*)", log)
        or first(r"SUMMARY: (.*)", log)
        or "stopped without a report"
    )


def run_fuzzer(program: Path, name: str, corpora: Path, seconds: int) -> Result:
    """Seeds first, then new inputs until the time is over or something is found."""
    findings = program.parent / "findings" / program.name
    shutil.rmtree(findings, ignore_errors=True)
    findings.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        corpus = Path(work) / "corpus"
        seeds = corpora / name
        if seeds.is_dir():
            shutil.copytree(seeds, corpus)
        else:
            corpus.mkdir()
        words = HERE / f"{name}.dict"
        done = subprocess.run(
            [
                str(program), f"-max_total_time={seconds}", "-print_final_stats=1",
                f"-artifact_prefix={findings}/", *LIMITS,
                *([f"-dict={words}"] if words.exists() else []), str(corpus),
            ],
            cwd=work, capture_output=True, text=True, errors="replace",
            env=environment(), check=False,
        )  # fmt: skip
    log = done.stderr
    result = Result(
        runs=int(first(r"stat::number_of_executed_units:\s*(\d+)", log) or 0),
        seconds=int(first(r"Done \d+ runs in (\d+) second", log) or seconds),
        coverage=max(map(int, re.findall(r"cov: (\d+)", log)), default=0),
    )
    if done.returncode:
        (findings / "log.txt").write_text(log)
        inputs = sorted(p for p in findings.iterdir() if p.name != "log.txt")
        result.finding = minimise(program, inputs[0]) if inputs else findings / "log.txt"
        result.why = reason(log)
    return result


def tell(program: str, result: Result, verbose: bool) -> None:
    """One line."""
    line = f"{program}: {result.runs:,} runs in {result.seconds} s, "
    line += "no finding" if result.finding is None else f"FOUND {result.why}: "
    line += str(result.finding or "")
    line += f" (coverage {result.coverage:,})" if verbose else ""
    print(line, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="which (json, ddl, …); all if none")
    parser.add_argument("--seconds", type=int, default=20, help="each; default 20")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--sources", type=Path, default=HERE, help="where fuzz_*.c are")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="coverage too")
    return parser.parse_args()


def main() -> int:
    """Returns the exit status."""
    args = arguments()
    sources = {
        p.stem.removeprefix("fuzz_"): p for p in sorted(args.sources.glob("fuzz_*.c"))
    }
    unknown = [n for n in args.names if n not in sources]
    if unknown:
        print(f"no fuzzer {unknown[0]}; there are {', '.join(sources)}", file=sys.stderr)
        return 2
    compiler, build = clang(), args.build.resolve()
    core = build_core(build, compiler)
    failed = 0
    names = args.names or list(sources)
    programs = {n: build_fuzzer(sources[n], build, compiler, core) for n in names}
    if args.build_only:
        return 0
    for name, program in programs.items():
        result = run_fuzzer(program, name, args.sources / "corpus", args.seconds)
        tell(program.name, result, args.verbose)
        failed += result.finding is not None
    print(f"{len(programs) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
