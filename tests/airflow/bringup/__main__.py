"""Runs these tests on one line: `python -m tests.airflow.bringup LINE [PYTEST…]`.

LINE is 2 or 3. `python -m tests.services up --airflow LINE` is for people.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.services import ServiceError, airflow_env

HERE = "tests/airflow/bringup"


def main() -> int:
    """Make the environment if need be, run pytest. Returns its exit status."""
    line, *args = sys.argv[1:]
    if not any(arg.startswith("tests/") for arg in args):
        args.append(HERE)
    try:
        airflow_env.python(line)
    except ServiceError as error:
        print(f"tests.airflow.bringup: {error}", file=sys.stderr)
        return 1
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    env = {**os.environ, "PENSTOCK_AIRFLOW_LINE": line}
    return subprocess.run(argv, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
