"""The command `penstock`: demo, produce, sink, chain, schema, validate, connectors,
version.

Thin: it turns options into settings, runs the same C as `penstockd` does, and shows what
came of it. Exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 Kafka or the store
cannot be reached.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from penstock._errors import ConfigError, PenstockError
from penstock.cli import _commands
from penstock.cli._parser import make_parser
from penstock.cli._terminal import complain

__all__ = ["main"]


def _is_worth_showing(record: logging.LogRecord) -> bool:
    """Not what the command itself tells, nor librdkafka's complaints on the way."""
    module = record.name.rpartition(".")[2]
    if module == "task":
        return record.levelno < logging.ERROR
    return module != "kafka" or record.levelno >= logging.ERROR


def _set_up_logging(verbose: int) -> None:
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    handler = logging.StreamHandler()
    if not verbose:
        handler.addFilter(_is_worth_showing)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger("penstock")
    logger.addHandler(handler)
    logger.setLevel(level)


def _on_term(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _report(error: PenstockError, as_json: bool) -> int:
    """Tell an error; its exit status."""
    if isinstance(error, ConfigError):
        for line in error.errors:
            complain(line)
        status = _commands.WRONG
    else:
        complain(str(error))
        status = _commands.UNREACHABLE if error.unreachable else _commands.FAILED
    if as_json:
        told = {"code": error.code, "text": str(error), "retriable": error.retriable}
        _commands.print_json({"error": told, "summary": error.summary})
    return status


def _run(args: argparse.Namespace) -> int:
    try:
        status: int = args.run(args)
    except PenstockError as error:
        return _report(error, args.json)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `penstock … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _commands.FAILED
    except OSError as error:
        complain(str(error))
        return _commands.WRONG
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's). Returns the exit status."""
    args = make_parser().parse_args(argv)
    _set_up_logging(args.verbose)
    before = signal.signal(signal.SIGTERM, _on_term)
    try:
        return _run(args)
    finally:
        signal.signal(signal.SIGTERM, before)
