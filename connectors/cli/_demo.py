"""`penstock demo`: runs `penstock.demo` and shows what came of it."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from penstock import demo
from penstock.cli._commands import DONE, WRONG, print_json
from penstock.cli._jobs import parse_pairs
from penstock.cli._terminal import complain, paint, size_text, table

SHOWN_LINES = 6
SHOWN_COLUMNS = 110


def _options(args: argparse.Namespace) -> demo.Options:
    real = bool(args.bootstrap_servers)
    topic = args.topic or ("penstock-demo" if real else "users")
    return demo.Options(
        users=args.users,
        directory=Path(args.dir) if args.dir else None,
        bootstrap_servers=args.bootstrap_servers,
        endpoint=args.endpoint,
        bucket=args.bucket,
        url=args.url,
        users_per_second=args.users_per_second,
        topic=topic,
        worker=parse_pairs(args.set_worker, "worker"),
    )


def _show_produced(result: demo.Result) -> None:
    where = f"embedded Kafka, {result.bootstrap}" if result.embedded else result.bootstrap
    task = result.produced["tasks"][0]
    print(
        f"{paint('Produced', 'green')} {task['records']:,} users to topic "
        f"{paint(result.topic, 'bold')} ({where}) in {task['seconds']:.1f} s"
    )
    rows = [
        (o["partition"], o["next"] - o["first"], f"{o['first']}-{o['next'] - 1}")
        for o in sorted(task["offsets"], key=lambda o: o["partition"])
    ]
    print(table(("partition", "records", "offsets"), rows))


def _show_landed(result: demo.Result) -> None:
    task = result.landed["tasks"][0]
    print(
        f"\n{paint('Landed', 'green')} {task['rows']:,} rows in {task['objects']:,} "
        f"objects ({size_text(task['bytes'])}) in {task['seconds']:.1f} s"
    )
    if result.files:
        rows = [(f.key, f.rows, f.size) for f in result.files]
        print(table(("object", "rows", "bytes"), rows))
        print(f"  They lie in {paint(str(result.folder), 'bold')}")
    elif task["last_object"]:
        print(f"  last object: {task['last_object']}")


def _cut(line: str) -> str:
    line = line.rstrip("\n")
    return line if len(line) <= SHOWN_COLUMNS else line[: SHOWN_COLUMNS - 1] + "…"


def _show_lines(result: demo.Result) -> None:
    if not result.files:
        return
    first = result.files[0]
    print(f"\n{paint(first.path.name, 'cyan')} begins with")
    with first.path.open(encoding="utf-8", newline="\n") as file:
        for line in itertools.islice(file, SHOWN_LINES):
            print(f"  {_cut(line)}")


def run(args: argparse.Namespace) -> int:
    """`penstock demo`."""

    def tell(text: str) -> None:
        if sys.stderr.isatty() and not args.json:
            print(paint(f"… {text}", "dim", sys.stderr), file=sys.stderr)

    try:
        result = demo.run_demo(_options(args), tell)
    except ValueError as error:
        complain(str(error))
        return WRONG
    if args.json:
        print_json(result.as_json())
        return DONE
    _show_produced(result)
    _show_landed(result)
    _show_lines(result)
    print(f"\nAll of it took {result.seconds:.1f} s.")
    return DONE
