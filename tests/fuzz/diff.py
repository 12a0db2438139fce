#!/usr/bin/env python3
"""The encoder against a slow reference in Python: `diff.py [--seconds N] [--seed S]`.

Random groups (cases.py) go through the real reader and CSV writer (diff_encoder, built
with ASan and UBSan) and through sparkref/; the first difference is made as small as it
goes and printed with what repeats it (`--differences 20` goes on after it). `--golden`
checks the reference itself against what Spark wrote (tests/data/golden). `--seconds 20
--seed 7` is one run; the seed of a group is `<seed>.<number>`.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cases
import run
from sparkref import engine, times
from sparkref.engine import Message

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "data" / "golden"
RECORDS = 40
# Java 17 prints these two with other digits than Java 19 and the reference; the encoder's
# rendering of Java 17 is checked by `make conformance`.
JAVA_17_ONLY = {"double-1e23", "double-2e23"}
REFUSED = b"\xffrefused: "
Settings = dict[str, str]


# ---- the encoder behind its pipe ----


def packed(data: bytes | None) -> bytes:
    """A length, -1 for none, and the bytes."""
    return struct.pack(">i", -1 if data is None else len(data)) + (data or b"")


def pieces(message: Message) -> Iterator[bytes]:
    """A record as the encoder reads it."""
    yield packed(message.value)
    yield packed(message.key)
    yield struct.pack(">q", message.timestamp_ms)
    yield struct.pack(">i", -1 if message.headers is None else len(message.headers))
    for pair in message.headers or ():
        yield from map(packed, pair)


class Encoder:
    """diff_encoder; another command may answer the same protocol."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=run.environment()
        )

    def number(self) -> int:
        """Four bytes."""
        assert self.process.stdout
        data = self.process.stdout.read(4)
        if len(data) != 4:
            raise SystemExit(f"the encoder stopped: status {self.process.wait()}")
        return int(struct.unpack(">i", data)[0])

    def text(self) -> bytes:
        """A length and as many bytes."""
        assert self.process.stdout
        return self.process.stdout.read(self.number())

    def run(self, settings: Settings, records: list[Message]) -> list[bytes] | str:
        """The header and each record's row, or why the settings are refused."""
        assert self.process.stdin
        assert self.process.stdout
        out = [struct.pack(">i", len(settings))]
        out += [packed(text.encode()) for pair in settings.items() for text in pair]
        out.append(struct.pack(">i", len(records)))
        out += [piece for message in records for piece in pieces(message)]
        self.process.stdin.write(b"".join(out))
        self.process.stdin.flush()
        if self.number():
            return self.text().decode("utf-8", "replace")
        rows = []
        for _ in range(len(records) + 1):
            n = self.number()
            rows.append(self.process.stdout.read(n) if n >= 0 else REFUSED + self.text())
        return rows

    def close(self) -> int:
        """Its exit status: LeakSanitizer speaks at the end."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(timeout=60)


def build() -> Path:
    """diff_encoder, linked with the fuzzers' core."""
    folder, compiler = (run.ROOT / "build" / "fuzz"), run.clang()
    core = run.build_core(folder, compiler)
    return run.build_driver(HERE / "diff_encoder.c", folder, compiler, core)


# ---- comparing ----


@dataclass
class Difference:
    """Where the two do not agree."""

    settings: Settings
    record: Message | None
    ours: bytes
    reference: bytes


def compare(
    encoder: Encoder, settings: Settings, records: list[Message]
) -> Difference | None:
    """The first record of a group with two answers. What depends on today is left out."""
    reference = engine.Reference(settings)
    got = encoder.run(settings, records)
    if isinstance(got, str):
        return Difference(settings, None, got.encode(), b"(settings accepted)")
    if got[0] != reference.header():
        return Difference(settings, None, got[0], reference.header())
    for message, ours in zip(records, got[1:], strict=True):
        try:
            want = reference.line(message)
        except times.Unknowable:
            continue
        except engine.Refused:
            want = REFUSED
        except Exception as error:  # the reference's own fault is to be seen as well
            want = repr(error).encode()
        if ours != want and not (want == REFUSED and ours.startswith(REFUSED)):
            return Difference(settings, message, ours, want)
    return None


def smaller(record: bytes) -> Iterator[bytes]:
    """The record with a piece taken out; large pieces first."""
    size = len(record)
    while size:
        for at in range(0, len(record), size):
            yield record[:at] + record[at + size :]
        size //= 2


def fewer_settings(found: Difference) -> Iterator[Settings]:
    """Without one setting, or without one item of the select list."""
    for name in found.settings:
        if name not in ("value.schema", "select", "number.format"):
            yield {k: v for k, v in found.settings.items() if k != name}
    items = found.settings["select"].split(", ")
    for i in range(len(items)):
        rest = ", ".join(items[:i] + items[i + 1 :])
        if rest:
            yield found.settings | {"select": rest}


def still(
    encoder: Encoder, settings: Settings, message: Message, refused: bool = False
) -> Difference | None:
    """A difference in the row; half an expression is refused by one or both."""
    try:
        less = compare(encoder, settings, [message])
    except Exception:
        return None
    return less if less and (less.record is not None or refused) else None


def minimise(encoder: Encoder, found: Difference) -> Difference:
    """Fewer settings, then a shorter record, as long as there is a difference."""
    if found.record is None:
        return found
    changed = True
    while changed:
        changed = False
        for settings in fewer_settings(found):
            less = still(encoder, settings, found.record)
            if less:
                found, changed = less, True
                break
    changed = bool(found.record)
    while changed and found.record:
        changed = False
        for value in smaller(found.record.value or b""):
            less = still(encoder, found.settings, replace(found.record, value=value))
            if less:
                found, changed = less, True
                break
    return found


def tell(found: Difference, name: str) -> None:
    """All that is needed to repeat it."""
    print(f"DIFFERENCE in group {name}")
    for key, value in found.settings.items():
        print(f"  {key}={value!r}")
    print(
        f"  record    {found.record!r}\n  ours      {found.ours!r}\n"
        f"  reference {found.reference!r}",
        flush=True,
    )


# ---- the two kinds of run ----


def random_run(encoder: Encoder, seed: str, seconds: float, most: int) -> int:
    """Groups until the time is over or there are `most` differences; how many."""
    start, groups, different = time.monotonic(), 0, 0
    while time.monotonic() - start < seconds and different < most:
        name = f"{seed}.{groups}"
        group = cases.random_group(random.Random(name), RECORDS)
        group.settings["number.format"] = "shortest"
        found = compare(encoder, group.settings, group.records)
        groups += 1
        if found:
            tell(minimise(encoder, found), name)
            different += 1
    spent = time.monotonic() - start
    records = groups * RECORDS
    print(
        f"seed {seed}: {records:,} records in {groups:,} groups, "
        f"{records / spent:,.0f} a second, {different or 'no'} difference"
        + "s"
        * (different > 1),
        flush=True,
    )
    return different


def lines(name: str) -> list[dict[str, str]]:
    """A golden file's objects."""
    with gzip.open(GOLDEN / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def golden_settings(options: dict[str, Any], corpus: str, name: str) -> Settings:
    """A golden option set as settings."""
    chosen = options["option_sets"][name]
    settings = dict(options["corpora"][corpus])
    if name == "corrupt-record":
        settings["value.schema"] += ", _corrupt_record STRING"
    settings |= {f"csv.{k}": v for k, v in chosen["csv"].items() if k != "compression"}
    settings |= {f"json.{k}": v for k, v in chosen["from_json"].items()}
    return settings | chosen["session"]


def golden_run() -> int:
    """The reference against what Spark wrote; the number of differences."""
    options = json.loads((GOLDEN / "options.json").read_text())
    same = different = 0
    for corpus in options["corpora"]:
        messages = lines(f"{corpus}.jsonl.gz")
        for name in options["option_sets"]:
            if not (GOLDEN / f"{corpus}.{name}.records.jsonl.gz").exists():
                continue
            reference = engine.Reference(golden_settings(options, corpus, name))
            rows = lines(f"{corpus}.{name}.records.jsonl.gz")
            for message, want in zip(messages, rows, strict=True):
                if message["case"] in JAVA_17_ONLY:
                    continue
                value = (
                    base64.b64decode(message["b64"])
                    if message["b64"] is not None
                    else None
                )
                row = reference.line(Message(value)).decode(reference.encoding)
                got = row.removesuffix(reference.writer.line)
                text = reference.encoded(want["csv"]).decode(reference.encoding)
                same += got == text
                if got != text:
                    different += 1
                    print(f"{corpus}.{name}.{message['case']}\n  {text!r}\n  {got!r}")
    print(f"the reference against Spark: {same} of {same + different} rows", flush=True)
    return different


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--differences", type=int, default=1, help="stop after so many")
    parser.add_argument(
        "--golden", action="store_true", help="only the reference, against Spark"
    )
    parser.add_argument(
        "--encoder", type=Path, help="a diff_encoder that is built already"
    )
    return parser.parse_args()


def main() -> int:
    """Returns the exit status."""
    args = arguments()
    failed = golden_run()
    if not args.golden and not failed:
        encoder = Encoder([str(args.encoder or build())])
        failed = random_run(encoder, args.seed, args.seconds, args.differences)
        failed += encoder.close() != 0
    print(f"{int(not failed)} passed, {int(bool(failed))} failed")
    return int(failed > 0)


if __name__ == "__main__":
    os.environ.setdefault("TZ", "UTC")
    sys.exit(main())
