"""Airflow's command line, several commands in one process: importing it takes long."""

from __future__ import annotations

import json

from tests.support.script import run_script

_RUN = """
    import contextlib, io, json, sys
    from airflow.cli import cli_parser
    parser, done = cli_parser.get_parser(), []
    for argv in json.loads(sys.argv[1]):
        text, status = io.StringIO(), 0
        with contextlib.redirect_stdout(text):
            try:
                args = parser.parse_args(argv)
                args.func(args)
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 1
        done.append((status, text.getvalue()))
    print("\\n" + json.dumps(done))
"""


def airflow(*commands: list[str]) -> list[tuple[int, str]]:
    """(status, what it printed) of each command, without the word `airflow`."""
    out = run_script(_RUN, json.dumps(commands), timeout=110)
    return [(status, text) for status, text in json.loads(out.splitlines()[-1])]
