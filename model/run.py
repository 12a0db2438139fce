#!/usr/bin/env python3
"""Checks the chain protocol with spin: the protocol, then each safety rule dropped.

One line a check. The protocol must have no error in any scenario; every mutant (a rule
dropped, or an operator's duty broken) must have a counterexample. `--quick` takes smaller
bounds; `--list` names the checks; `--trace NAME` prints a counterexample step by step.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).resolve().parent / "chain.pml"
MEMORY_BYTES = 4_000_000_000
CPU_S = 400  # of one search; a loaded machine takes longer
TIMEOUT_S = 1800


@dataclass(frozen=True)
class Check:
    """One run of the checker."""

    name: str
    macros: str
    quick: str = ""  # other macros for --quick; "-" = left out there
    holds: bool = True
    live: bool = False


PROTOCOL = (
    Check("two writers, crashes, lost and late answers, gaps", "N=4 COMPACT", "N=3"),
    Check("three writers", "N=3 NW=3", "-"),
    Check("five offsets with a transaction marker", "N=5", "-"),
    Check("objects are moved away below the commit", "N=3 MOVE COMPACT", "-"),
    Check("objects moved, commit forgotten", "N=3 MOVE FORGET", "N=2 MOVE FORGET"),
    Check("the first records expire before the start", "N=3 RETAIN", "N=2 RETAIN"),
    Check("the group is reset by a tool", "N=4 RESET", "N=3 RESET"),
    Check("another group's object in the chain", "N=4 STRANGER", "N=2 STRANGER"),
    Check("the topic is made anew", "N=3 RECREATE", "N=2 RECREATE"),
    Check("the layout changes, and back", "N=3 SEAL", "N=2 SEAL"),
    Check("the layout changes, objects are moved", "N=2 SEAL MOVE", "-"),
    Check("three writers with three layouts", "N=2 NW=3 SEAL ONE_LIFE", "-"),
    Check(
        "three writers with two layouts, objects are moved",
        "N=2 NW=3 LAYOUTS=2 SEAL MOVE NO_LATE ONE_LIFE",
        "-",
    ),
    Check("a new name takes over", "N=3 MOVE TAKE=1", "N=2 MOVE TAKE=1"),
    Check(
        "a new name takes over, offsets read as the command does",
        "N=3 MOVE TAKE=1 TAKE_READS_FIRST",
        "N=2 MOVE TAKE=1 TAKE_READS_FIRST",
    ),
    Check(
        "a new name takes over from two daemons",
        "N=2 NW=3 MOVE TAKE=2 NO_LATE ONE_LIFE",
        "-",
    ),
    Check("a chain is handed on and back", "N=2 MOVE TAKE=1 TAKES=2", "-"),
    Check("a chain is handed on and back, two daemons", "N=2 MOVE TAKE=2 TAKES=2", "-"),
    Check("when faults end, all is landed", "N=3 LIVE", "N=2 LIVE", live=True),
    Check("several objects a window", "N=3 MANIFEST", "N=2 MANIFEST NO_LATE"),
    Check(
        "several objects a window, late requests and gaps", "N=3 MANIFEST COMPACT", "-"
    ),
    Check(
        "several objects a window, objects are moved",
        "N=2 MANIFEST MOVE",
        "N=2 MANIFEST MOVE NO_LATE",
    ),
    Check(
        "several objects a window, objects moved, commit forgotten",
        "N=2 MANIFEST MOVE FORGET NO_LATE",
        "-",
    ),
    Check(
        "when faults end, all is landed, several objects a window",
        "N=2 MANIFEST LIVE NO_LATE",
        "-",
        live=True,
    ),
)


def mutant(name: str, macros: str, quick: str = "") -> Check:
    """A check that must fail."""
    return Check(name, macros, quick, holds=False)


MUTANTS = (
    mutant("rule 1 dropped", "N=3 RETAIN NO_RULE_1"),
    mutant("rule 2 dropped", "N=4 COMPACT NO_RULE_2"),
    mutant("rule 3 dropped", "N=3 NO_RULE_3"),
    mutant("rule 4 dropped", "N=3 NO_RULE_4"),
    mutant("rule 4 without the owner's check", "N=3 STRANGER NO_RULE_4_OWNER"),
    mutant("rule 5 dropped", "N=3 NO_RULE_5"),
    mutant("rule 6 dropped", "N=3 NO_RULE_6"),
    mutant("rule 6 without the position in the commit", "N=3 NO_RULE_6_POSITION"),
    mutant("rule 7 dropped", "N=3 RESET NO_RULE_7"),
    mutant("rule 8 dropped", "N=3 RECREATE NO_RULE_8"),
    mutant("rule 8 not applied on adoption", "N=3 RECREATE NO_RULE_8_ADOPT", "-"),
    mutant("rule 9 dropped", "N=2 MOVE NO_RULE_9"),
    mutant("rule 9 dated when the answer is read", "N=2 MOVE NO_RULE_9_TIME"),
    mutant("rule 9 with the signature dated last", "N=2 MOVE NO_RULE_9_DATE", "-"),
    mutant("rule 9 trusting a missing commit", "N=2 MOVE FORGET NO_RULE_9_NONE", "-"),
    mutant("rule 10 dropped", "N=3 SEAL NO_RULE_10"),
    mutant("rule 10 without the old writer's stop", "N=3 SEAL NO_RULE_10_STOP"),
    mutant("rule 10 without the commit first", "N=2 SEAL NO_RULE_10_COMMIT"),
    mutant("take-over without the owner", "N=2 MOVE TAKE=1 NO_LATE NO_TAKE_OWNER", "-"),
    mutant("take-over without the deletion", "N=2 MOVE TAKE=1 NO_LATE NO_TAKE_FORGET"),
    mutant("take-over, deleted first", "N=2 MOVE TAKE=1 NO_LATE NO_TAKE_ORDER", "-"),
    mutant("take-over among members", "N=2 MOVE TAKE=1 NO_LATE NO_TAKE_MEMBERS", "-"),
    mutant("take-over, former name not followed", "N=2 TAKE=1 NO_TAKE_FORMER"),
    mutant(
        "take-over and back, offsets read before the owner is written",
        "N=2 MOVE TAKE=2 TAKES=2 NO_LATE TAKE_READS_FIRST",
        "-",
    ),
    mutant(
        "a new name started too soon", "N=2 MOVE TAKE=1 NO_LATE BREAK_TAKE_EARLY", "-"
    ),
    mutant(
        "a seal moved, three writers",
        "N=2 NW=3 LAYOUTS=2 SEAL MOVE NO_LATE ONE_LIFE BREAK_MOVE_SEAL",
        "-",
    ),
    mutant("data before its manifest", "N=2 MANIFEST NO_MANIFEST_FIRST"),
    mutant("next before all objects", "N=2 MANIFEST NO_MANIFEST_LAST"),
    mutant("a manifest taken for whole at the start", "N=2 MANIFEST NO_MANIFEST_SETTLE"),
    mutant("a manifest taken for whole by 412", "N=2 MANIFEST NO_MANIFEST_LOOK"),
    mutant(
        "completed by other paths than the manifest's", "N=2 MANIFEST NO_MANIFEST_PLAN"
    ),
    mutant(
        "rule 9 for the manifest alone", "N=2 MANIFEST MOVE NO_LATE NO_MANIFEST_CHECK"
    ),
    mutant(
        "the newest window's objects moved",
        "N=2 MANIFEST MOVE FORGET NO_LATE BREAK_MOVE_NEWEST",
        "-",
    ),
    mutant("objects moved too soon", "N=2 MOVE BREAK_MOVE_AT_ONCE", "-"),
    mutant("the newest object moved", "N=2 MOVE FORGET BREAK_MOVE_NEWEST", "-"),
    mutant("a seal moved", "N=2 SEAL MOVE BREAK_MOVE_SEAL", "-"),
)


class ToolError(Exception):
    """spin or the compiler did not do its part."""


def limit() -> None:
    """In the child: low priority, bounded memory and time."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))


def run(command: list[str], folder: Path, timeout_s: float) -> str:
    """Output of a command that must succeed."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, preexec_fn=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command[0]}: not done after {timeout_s:.0f} s") from None
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no output"]
        raise ToolError(f"{command[0]}: exit status {done.returncode}: {last[0]}")
    return done.stdout


def defines(check: Check, macros: str) -> list[str]:
    """The macros as options of spin."""
    return [f"-D{word}" for word in macros.split()] + ["-DSTRICT"] * check.holds


def build(check: Check, macros: str, folder: Path, optimise: str) -> None:
    """Makes the checker `pan`."""
    text = run(["spin", *defines(check, macros), "-a", str(MODEL)], folder, 60)
    if "rror" in text:
        raise ToolError(f"spin: {text.strip().splitlines()[-1]}")
    # Mutants breadth first: the shortest counterexample.
    how = ["-DNFAIR=4"] if check.live else ["-DSAFETY"]
    how += [optimise] if check.holds else ["-O0", "-DBFS"]
    command = ["cc", "-w", "-DMEMLIM=3500", *how, "-o", "pan", "pan.c"]
    run(command, folder, 120)


def search(check: Check, folder: Path) -> str:
    """Runs the checker; its output."""
    options = ["-a", "-f"] if check.live else []
    return run(["./pan", "-m1000000", *options], folder, TIMEOUT_S)


def number(pattern: str, text: str) -> int:
    """The first number after a pattern; ToolError if it is not there."""
    found = re.search(pattern, text)
    if not found:
        raise ToolError("the checker's output is not understood")
    return int(found.group(1))


def judge(check: Check, text: str) -> tuple[bool, str]:
    """Did it go as it must, and in which words."""
    errors = number(r"errors: (\d+)", text)
    states = int(float(re.search(r"([\d.e+]+) states, stored", text).group(1)))  # type: ignore[union-attr]
    whole = "Search not completed" not in text and "max search depth" not in text
    if errors:
        why = re.search(r"pan:\d+: (.*?) \(at depth (\d+)\)", text)
        what, depth = (why.group(1), why.group(2)) if why else ("an error", "?")
        what = what.removeprefix("assertion violated ").replace("_", " ")
        return not check.holds, f"counterexample after {depth} steps, not so: {what}"
    if not whole:
        raise ToolError("the search was cut short")
    return check.holds, f"{states} states, no error"


def perform(check: Check, macros: str, optimise: str) -> tuple[bool, str]:
    """Builds, runs and judges one check."""
    with tempfile.TemporaryDirectory(prefix="penstock-model-") as name:
        folder = Path(name)
        try:
            build(check, macros, folder, optimise)
            return judge(check, search(check, folder))
        except ToolError as why:
            return False, str(why)


def trace(check: Check) -> int:
    """Prints a counterexample, one step a line."""
    with tempfile.TemporaryDirectory(prefix="penstock-model-") as name:
        folder = Path(name)
        build(check, check.macros, folder, "-O1")
        good, line = judge(check, search(check, folder))
        print(f"{check.name}: {line}")
        if good == check.holds:
            return 0 if good else 1
        options = ["-t", "-p", "-g", *defines(check, check.macros)]
        shutil.copy(MODEL, folder / "chain.pml")
        print(run(["spin", *options, "chain.pml"], folder, 60))
    return 0


def title(check: Check) -> str:
    """What a line begins with."""
    return f"the protocol, {check.name}" if check.holds else check.name


def main() -> int:
    """Runs the checks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller bounds, for CI")
    parser.add_argument("--list", action="store_true", help="name the checks")
    parser.add_argument("--trace", metavar="NAME", help="print a mutant's counterexample")
    options = parser.parse_args()
    checks = PROTOCOL + MUTANTS
    if options.list:
        print("\n".join(title(check) for check in checks))
        return 0
    for tool, package in (("spin", "spin"), ("cc", "gcc")):
        if not shutil.which(tool):
            print(f"{tool} is not installed: apt-get install {package}", file=sys.stderr)
            return 2
    if options.trace:
        for check in MUTANTS:
            if check.name == options.trace:
                return trace(check)
        print(f"no mutant is called {options.trace}: see --list", file=sys.stderr)
        return 2
    passed = failed = 0
    for check in checks:
        macros = check.quick if options.quick and check.quick else check.macros
        if macros == "-":
            continue
        began = time.monotonic()
        good, line = perform(check, macros, "-O1" if options.quick else "-O2")
        passed, failed = passed + good, failed + (not good)
        sign, took = "" if good else "FAILED ", time.monotonic() - began
        print(f"{sign}{title(check)}: {line} ({took:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
