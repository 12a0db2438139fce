"""The commands of `penstock`, each a function of the parsed options to an exit status."""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from pathlib import Path

from penstock import _worker
from penstock._types import Setting, Summary
from penstock.cli import _jobs
from penstock.cli._terminal import ProgressLine, complain, paint, size_text, table

DONE, FAILED, WRONG, UNREACHABLE = 0, 1, 2, 3


def print_json(document: object) -> None:
    """One line of JSON on standard output."""
    print(json.dumps(document, ensure_ascii=False, separators=(",", ":")), flush=True)


# ---- produce ----


def _produce_flags(args: argparse.Namespace) -> dict[str, Setting | None]:
    return {
        "name": args.name,
        "kafka.topic": args.topic,
        "randomuser.url": args.url,
        "randomuser.seed": args.seed,
        "randomuser.nat": args.nat,
        "randomuser.gender": args.gender,
        "randomuser.results": args.results,
        "max.users": args.max_users,
        "users.per.second": args.users_per_second,
        "output": args.output,
    }


def _show_produced(summary: Summary, topic: str) -> None:
    for task in summary["tasks"]:
        print(
            f"{paint('Produced', 'green')} {task['records']:,} users to topic {topic} "
            f"in {task['seconds']:.1f} s"
        )
        rows = [
            (o["partition"], o["next"] - o["first"], f"{o['first']}-{o['next'] - 1}")
            for o in sorted(task["offsets"], key=lambda o: o["partition"])
        ]
        if rows:
            print(table(("partition", "records", "offsets"), rows))


def produce(args: argparse.Namespace) -> int:
    """`penstock produce`."""
    base: _jobs.Layer = {"name": "randomuser"}
    layers = [
        base,
        *_jobs.connector_layers(args, "RandomUserSource", _produce_flags(args)),
    ]
    with ProgressLine("produced", args.json) as progress:
        summary, stopped = _jobs.run_worker(
            _jobs.worker_layers(args), layers, progress=progress
        )
    if args.json:
        print_json(summary)
    else:
        topics = {o["topic"] for task in summary["tasks"] for o in task["offsets"]}
        _show_produced(summary, args.topic or ", ".join(sorted(topics)))
        if args.seed and not summary["records"] and stopped is None:
            print("  Nothing to do: max.users of this seed were produced before.")
    return DONE if stopped is None else _jobs.signal_status(stopped)


# ---- sink ----


def store_url(args: argparse.Namespace) -> str | None:
    """The store of --dir or --endpoint."""
    if args.dir:
        return Path(args.dir).absolute().as_uri()
    endpoint: str | None = args.endpoint
    return endpoint


def _sink_name(topics: str | None) -> str | None:
    """A name that is the same at the next run: the group and the chain depend on it."""
    return "sink-" + re.sub(r"[^A-Za-z0-9._-]+", "-", topics) if topics else None


def _sink_flags(args: argparse.Namespace) -> dict[str, Setting | None]:
    schema = args.schema
    if args.schema_file:
        schema = Path(args.schema_file).read_text(encoding="utf-8").strip()
    interval_ms = None if args.interval is None else round(args.interval * 1000)
    return {
        "name": args.name,
        "topics": args.topics,
        "store.url": store_url(args),
        "s3.bucket.name": args.bucket,
        "s3.region": args.region,
        "topics.dir": args.prefix,
        "value.schema": schema,
        "select": args.select,
        "csv.header": True if args.header else None,
        "flush.size": args.flush_size,
        "rotate.schedule.interval.ms": interval_ms,
    }


def show_landed(summary: Summary) -> None:
    """What a sink's tasks landed."""
    for task in summary["tasks"]:
        if task["type"] != "sink":
            continue
        print(
            f"{paint('Landed', 'green')} {task['rows']:,} rows in {task['objects']:,} "
            f"objects ({size_text(task['bytes'])}) in {task['seconds']:.1f} s"
        )
        rows = [
            (o["topic"], o["partition"], o["next"] - o["first"], o["next"])
            for o in sorted(task["offsets"], key=lambda o: (o["topic"], o["partition"]))
        ]
        if rows:
            print(table(("topic", "partition", "offsets taken", "next offset"), rows))
        if task["last_object"]:
            print(f"  last object: {task['last_object']}")


def sink(args: argparse.Namespace) -> int:
    """`penstock sink`."""
    flags = _sink_flags(args)
    named: _jobs.Layer = {}
    if default := _sink_name(args.topics):
        named = {"name": default}
    layers = [named, *_jobs.connector_layers(args, "S3CsvSink", flags)]
    with ProgressLine("landed", args.json) as progress:
        summary, stopped = _jobs.run_worker(
            _jobs.worker_layers(args),
            layers,
            until="end" if args.until_end else None,
            progress=progress,
        )
    if args.json:
        print_json(summary)
    else:
        show_landed(summary)
    if stopped is None or not args.until_end:
        return DONE
    return _jobs.signal_status(stopped)


# ---- the smaller ones ----


def schema(args: argparse.Namespace) -> int:
    """`penstock schema`."""
    ddl, records, skipped = _worker.infer_topic(
        _jobs.worker_layers(args), args.topic, args.records, args.timeout
    )
    if args.json:
        print_json({"schema": ddl, "records": records, "skipped": skipped})
        return DONE
    print(ddl)
    if skipped:
        complain(f"{skipped} of {records} records are no JSON objects and were left out")
    return DONE


def _is_connector(path: str) -> bool:
    """Does the file set connector.class?"""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False  # it is told with the other errors
    return re.search(r"^\s*connector\.class\s*[=: ]", text, re.MULTILINE) is not None


def validate(args: argparse.Namespace) -> int:
    """`penstock validate`."""
    connectors = [path for path in args.files if _is_connector(path)]
    workers = [path for path in args.files if path not in connectors]
    errors, warnings = _worker.check(workers[0] if workers else None, *connectors)
    errors += [
        f"{path}: a second file without connector.class; one is the worker's"
        for path in workers[1:]
    ]
    if args.json:
        print_json({"valid": not errors, "errors": errors, "warnings": warnings})
        return WRONG if errors else DONE
    for line in (*errors, *warnings):
        print(line, file=sys.stderr)
    if errors:
        complain(f"{len(errors)} error{'s' if len(errors) > 1 else ''} in the settings")
        return WRONG
    print("settings are correct")
    return DONE


def connectors(args: argparse.Namespace) -> int:
    """`penstock connectors`."""
    if args.name:
        print(_worker.settings_help(args.name), end="")
        return DONE
    rows = _worker.connectors()
    if args.json:
        print_json(
            [{"class": name, "type": kind, "doc": doc} for name, kind, doc in rows]
        )
        return DONE
    for name, kind, doc in rows:
        print(f"{paint(name, 'bold')} ({kind})\n  {doc}")
    print("\npenstock connectors CLASS prints its settings; `worker` has some, too.")
    return DONE


def version(args: argparse.Namespace) -> int:
    """`penstock version`."""
    if args.json:
        print_json({"penstock": _worker.version, "python": platform.python_version()})
    else:
        print(f"penstock {_worker.version} (Python {platform.python_version()})")
    return DONE
