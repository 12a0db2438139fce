"""The options of `penstock` and its commands, with examples for each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from penstock.cli import _chain, _commands, _demo

_EXIT = (
    "exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 Kafka or the store "
    "cannot be reached"
)
Commands = Any  # argparse's type of subparsers is private


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_number.__name__ = "number above 0"


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError(text)
    return value


_seconds.__name__ = "number of seconds"


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1e6:
        raise ValueError(text)
    return value


_rate.__name__ = "rate"


def _add(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}\n\n{_EXIT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="show the log's information lines too; twice: all lines",
    )
    return parser


def _add_kafka(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Kafka")
    group.add_argument(
        "--bootstrap-servers", metavar="HOST:PORT,…", help="brokers to begin with"
    )
    group.add_argument(
        "--worker", metavar="FILE", help="the worker's .properties (security, memory, …)"
    )
    group.add_argument(
        "--set-worker",
        metavar="KEY=VALUE",
        action="append",
        help="one setting of the worker; may be repeated",
    )


def _add_settings(parser: argparse.ArgumentParser, owner: str) -> None:
    group = parser.add_argument_group("settings")
    group.add_argument("--name", help="the connector's name")
    group.add_argument(
        "--config", metavar="FILE", help="the connector's .properties; flags win over it"
    )
    group.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        help=f"one setting; may be repeated (`penstock connectors {owner}` lists them)",
    )


def _add_produce(commands: Commands) -> None:
    parser = _add(
        commands,
        "produce",
        _commands.produce,
        "produce made-up users of the randomuser.me API to a topic",
        "  penstock produce --topic users --bootstrap-servers localhost:9092\n"
        "  penstock produce --topic users --bootstrap-servers localhost:9092 \\\n"
        "    --max-users 1000 --users-per-second 0 --output flat --seed demo\n"
        "  penstock produce --worker worker.properties --config users.properties",
    )
    parser.add_argument("--topic", help="the topic to produce to")
    parser.add_argument(
        "--max-users", type=_number, metavar="N", help="stop after N users"
    )
    parser.add_argument(
        "--users-per-second",
        type=_rate,
        metavar="R",
        help="pace (default 1); 0 = as fast as possible",
    )
    parser.add_argument("--output", choices=("raw", "flat"), help="what a record holds")
    parser.add_argument(
        "--seed", help="which users; a further run with it goes on where this one ends"
    )
    parser.add_argument("--nat", metavar="US,GB,…", help="nationalities")
    parser.add_argument("--gender", choices=("any", "male", "female"))
    parser.add_argument("--results", type=_number, metavar="N", help="users per request")
    parser.add_argument("--url", help="where the API is; file:///path: a recorded answer")
    _add_kafka(parser)
    _add_settings(parser, "RandomUserSource")


def _add_sink(commands: Commands) -> None:
    parser = _add(
        commands,
        "sink",
        _commands.sink,
        "land topics as CSV objects in S3, MinIO or a folder",
        "  penstock sink --topics users --bootstrap-servers localhost:9092 \\\n"
        "    --endpoint http://localhost:9000 --bucket lake --schema 'id STRING' "
        "--until-end\n"
        "  penstock sink --topics users --bootstrap-servers localhost:9092 \\\n"
        "    --dir ./out --schema-file users.ddl\n"
        "  penstock sink --worker worker.properties --config sink.properties\n\n"
        "Credentials come from the environment (AWS_ACCESS_KEY_ID, "
        "AWS_SECRET_ACCESS_KEY,\nAWS_PROFILE) or from --config, never from flags. "
        "Without --until-end it runs until\nit is stopped, as penstockd does.",
    )
    parser.add_argument("--topics", metavar="T,…", help="the topics to land")
    parser.add_argument(
        "--until-end", action="store_true", help="end at what is the end now"
    )
    where = parser.add_argument_group("where")
    store = where.add_mutually_exclusive_group()
    store.add_argument("--endpoint", metavar="URL", help="an S3 server; unset: AWS")
    store.add_argument("--dir", metavar="FOLDER", help="land in a folder instead of S3")
    where.add_argument("--bucket")
    where.add_argument("--region")
    where.add_argument("--prefix", metavar="P", help="topics.dir (default topics)")
    what = parser.add_argument_group("what and when")
    ddl = what.add_mutually_exclusive_group()
    ddl.add_argument(
        "--schema", metavar="DDL", help="Spark DDL: 'id BIGINT, name STRING'"
    )
    ddl.add_argument("--schema-file", metavar="FILE", help="a file with the DDL")
    what.add_argument("--select", metavar="LIST", help="Spark's select list")
    what.add_argument("--header", action="store_true", help="begin objects with names")
    what.add_argument("--flush-size", type=_number, metavar="N", help="records an object")
    what.add_argument(
        "--interval", type=_seconds, metavar="S", help="an object every S seconds"
    )
    _add_kafka(parser)
    _add_settings(parser, "S3CsvSink")


def _add_demo(commands: Commands) -> None:
    parser = _add(
        commands,
        "demo",
        _demo.run,
        "run the whole pipeline here: recorded users, embedded Kafka, CSV in a folder",
        "  penstock demo\n"
        "  penstock demo --dir ./out --users 100\n"
        "  penstock demo --bootstrap-servers localhost:9092 \\\n"
        "    --endpoint http://localhost:9000 --bucket lake",
    )
    parser.add_argument("--users", type=_number, default=24, metavar="N")
    parser.add_argument(
        "--users-per-second", type=_rate, default=0.0, metavar="R", help="0 = fast"
    )
    parser.add_argument("--dir", metavar="FOLDER", help="where the CSV goes")
    parser.add_argument("--topic", help="default: users (embedded), penstock-demo (real)")
    parser.add_argument("--bootstrap-servers", metavar="HOST:PORT,…", help="a real Kafka")
    parser.add_argument(
        "--set-worker", metavar="KEY=VALUE", action="append", help="a worker's setting"
    )
    parser.add_argument("--endpoint", metavar="URL", help="a real S3 server")
    parser.add_argument("--bucket", help="its bucket")
    parser.add_argument("--url", help="the real API, as https://randomuser.me/api/")


def _offset(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


_offset.__name__ = "offset"


def _add_where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("where")
    store = where.add_mutually_exclusive_group()
    store.add_argument("--endpoint", metavar="URL", help="an S3 server; unset: AWS")
    store.add_argument("--dir", metavar="FOLDER", help="a folder instead of S3")
    where.add_argument("--bucket")
    where.add_argument("--region")
    where.add_argument("--prefix", metavar="P", help="topics.dir (default topics)")


def _add_chain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topics", metavar="T,…", help="whose chains")
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="S", help="Kafka's (default 10)"
    )
    _add_where(parser)
    _add_kafka(parser)
    _add_settings(parser, "S3CsvSink")


def _add_chain_show(inner: Commands) -> None:
    parser = _add(
        inner,
        "show",
        _chain.show,
        "print the chain of each partition: root, objects, seals, end, commit",
        "  penstock chain show --config sink.properties --partition 0 --limit 20\n"
        "  penstock chain show --dir ./out --topics users --from 100000 --json\n\n"
        "The group's commit is shown when Kafka is named (--bootstrap-servers,\n"
        "--worker) and the connector (--name, --config). --json: a line for each object.",
    )
    parser.add_argument("--partition", type=_offset, metavar="P", action="append")
    parser.add_argument("--limit", type=_number, metavar="N", help="objects a partition")
    parser.add_argument(
        "--from",
        type=_offset,
        metavar="OFFSET",
        default=0,
        dest="start",
        help="leave out objects that start before it",
    )
    _add_chain_options(parser)


def _add_chain_verify(inner: Commands) -> None:
    parser = _add(
        inner,
        "verify",
        _chain.verify,
        "check each chain against the store, the topic and the group's commit",
        "  penstock chain verify --worker worker.properties --config sink.properties\n"
        "  penstock chain verify --bootstrap-servers localhost:9092 --name users \\\n"
        "    --topics users --dir ./out\n\n"
        "A line for each problem; status 1 if there is one.",
    )
    parser.add_argument("--partition", type=_offset, metavar="P", action="append")
    _add_chain_options(parser)


def _add_chain_take_over(inner: Commands) -> None:
    parser = _add(
        inner,
        "take-over",
        _chain.take_over,
        "hand the chains of a connector to the name it has now",
        "  penstock chain take-over --from-name users --worker worker.properties \\\n"
        "    --config renamed.properties --yes\n\n"
        "Refused while either name runs. The new name goes on where the old one ended,\n"
        "and the old one stops if it comes back. Without --yes nothing is changed.",
    )
    parser.add_argument(
        "--from-name", required=True, metavar="NAME", help="the connector's old name"
    )
    parser.add_argument("--yes", action="store_true", help="do it")
    _add_chain_options(parser)


def _add_chain(commands: Commands) -> None:
    chain: argparse.ArgumentParser = commands.add_parser(
        "chain",
        help="print, check or hand on the chain of a partition's objects",
        description="Print, check or hand on the chain of a partition's objects.",
        epilog="examples:\n"
        "  penstock chain show --config sink.properties\n"
        "  penstock chain verify --worker worker.properties --config sink.properties\n"
        "  penstock chain take-over --from-name users --worker worker.properties \\\n"
        f"    --config renamed.properties\n\n{_EXIT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    inner = chain.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_chain_show(inner)
    _add_chain_verify(inner)
    _add_chain_take_over(inner)


def _add_small(commands: Commands) -> None:
    parser = _add(
        commands,
        "schema",
        _commands.schema,
        "print a Spark DDL inferred from a topic's first records",
        "  penstock schema --topic users --bootstrap-servers localhost:9092\n"
        "  penstock schema --topic users --bootstrap-servers localhost:9092 > users.ddl",
    )
    parser.add_argument("--topic", required=True)
    parser.add_argument("--records", type=_number, default=1000, metavar="N")
    parser.add_argument("--timeout", type=_seconds, default=30.0, metavar="S")
    _add_kafka(parser)
    parser = _add(
        commands,
        "validate",
        _commands.validate,
        "check settings files; all errors at once, nothing is started",
        "  penstock validate worker.properties sink.properties\n"
        "  penstock validate --json sink.properties",
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser = _add(
        commands,
        "connectors",
        _commands.connectors,
        "list the connectors, or print the settings of one",
        "  penstock connectors\n  penstock connectors S3CsvSink",
    )
    parser.add_argument("name", nargs="?", metavar="CLASS")
    _add(
        commands,
        "version",
        _commands.version,
        "print the version",
        "  penstock version",
    )


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="penstock",
        description="Lands Kafka topics as CSV objects in S3, exactly once.",
        epilog=f"`penstock COMMAND --help` shows options and examples.\n\n{_EXIT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    _add_demo(commands)
    _add_produce(commands)
    _add_sink(commands)
    _add_chain(commands)
    _add_small(commands)
    return parser
