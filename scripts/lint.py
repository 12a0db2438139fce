#!/usr/bin/env python3
"""The project's own rules, which no public linter knows; exits 1 with one line a finding.

- C: banned functions, layers (includes go only downwards), third-party headers in their
  one place, functions of at most 100 lines, files of at most 800.
- All: no absolute paths of a machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_CAP, FILE_CAP = 100, 800
BANNED = (
    "sprintf vsprintf strcpy strcat strncat atoi atol atoll atof strtok gmtime localtime "
    "gmtime_r localtime_r mktime system sleep usleep gets alloca"
).split()
RAW_MEMORY = "malloc calloc realloc strdup strndup asprintf".split()
LAYERS = {
    "base": 0, "conf": 1, "record": 1, "io": 2, "store": 2, "format": 2, "transform": 2,
    "runtime": 3, "connectors": 4, "daemon": 5, "pyext": 5,
}  # fmt: skip
THIRD_PARTY = {
    "rdkafka": re.compile(r"csrc/io/kafka\w*\.[ch]"),
    "curl/": re.compile(r"csrc/io/http\w*\.[ch]"),
    "jansson": re.compile(r"csrc/(runtime/chain_(root|owner|manifest)|record/infer)\.[ch]"
                          r"|csrc/(io|store)/\w+\.[ch]|connectors/.*\.[ch]"
                          r"|csrc/daemon/rest\w*\.[ch]"),
    "microhttpd": re.compile(r"csrc/daemon/rest_server\.c"),
    "openssl/": re.compile(r"csrc/store/(libs3/)?\w+\.[ch]"
                           r"|csrc/daemon/(rest_auth|rest_check|password)\.c"),
    "libs3.h": re.compile(r"csrc/store/libs3/client\.h"),
    "zlib.h": re.compile(r"csrc/format/gzip\.c"),
    "zstd": re.compile(r"csrc/format/zstd\.c"),
    "Python.h": re.compile(r"csrc/pyext/.*\.[ch]"),
}  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(work|root|home)/[\w.-]+")


def tracked() -> list[Path]:
    """Files of the project, as git knows them."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def without_comments(text: str) -> str:
    """C text with comments and string contents blanked, line numbers kept."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(
        pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL
    )


def layer_of(name: str) -> int | None:
    """The layer of a repository path or an include."""
    parts = name.removeprefix("csrc/").split("/")
    return LAYERS.get(parts[0])


def check_includes(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Layers and third-party headers."""
    mine = layer_of(name)
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r'#include ["<]([^">]+)[">]', line)
        if not found:
            continue
        theirs = layer_of(found[1])
        upwards = mine is not None and theirs is not None and theirs > mine
        if upwards and name != "connectors/registry.c":
            yield number, f"includes {found[1]} of a layer above"
        for header, allowed in THIRD_PARTY.items():
            in_tests = name.startswith("tests/")
            if header in found[1] and not allowed.fullmatch(name) and not in_tests:
                yield number, f"{found[1]} may not be included here"


def check_words(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Banned functions."""
    if name.startswith("tests/"):
        return
    banned = BANNED + ([] if re.match(r"csrc/base/mem", name) else RAW_MEMORY)
    pattern = re.compile(rf"(?<![\w.>])({'|'.join(banned)})\s*\(")
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        for found in pattern.finditer(line):
            if "lint: allow" in text.split("\n")[number - 1]:
                continue
            yield number, f"{found[1]}() is banned"


def check_functions(paths: list[Path]) -> Iterator[str]:
    """Length of C functions, by universal-ctags."""
    if not shutil.which("ctags"):
        yield "universal-ctags is missing: functions are not measured"
        return
    tags = subprocess.run(
        ["ctags", "--fields=+ne", "--kinds-C=f", "-f", "-", *map(str, paths)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for tag in tags.split("\n"):
        fields = dict(part.split(":", 1) for part in tag.split("\t")[3:] if ":" in part)
        if "end" not in fields:
            continue
        length = int(fields["end"]) - int(fields["line"]) + 1
        if length > FUNCTION_CAP:
            name, path = tag.split("\t")[:2]
            where = Path(path).relative_to(ROOT)
            yield f"{where}:{fields['line']}: {name}() has {length} lines"


def check_c(path: Path) -> Iterator[str]:
    """Everything about one C file."""
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    if text.count("\n") > FILE_CAP:
        yield f"{name}:1: {text.count(chr(10))} lines, the cap is {FILE_CAP}"
    if not text.startswith("/*"):
        yield f"{name}:1: does not open with a comment of what it is"
    for number, what in [*check_includes(name, text), *check_words(name, text)]:
        yield f"{name}:{number}: {what}"


def check_paths(path: Path) -> Iterator[str]:
    """Machine paths in any text file."""
    if path.suffix in {".png", ".gz", ".csv", ".jsonl", ".tsv", ".json"}:
        return
    try:
        lines = path.read_text().split("\n")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: an absolute path of a machine"


def main() -> int:
    """Run all checks. Returns the exit status."""
    files = tracked()
    c_files = [p for p in files if p.suffix in {".c", ".h"}]
    findings = [line for p in c_files for line in check_c(p)]
    findings += check_functions([p for p in c_files if p.suffix == ".c"])
    me = Path(__file__).resolve()
    findings += [line for p in files if p != me for line in check_paths(p)]
    print("\n".join(findings) or f"lint: {len(files)} files follow the project's rules")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
