"""Runs these tests where there is an Airflow: `python -m tests.airflow LINE [PYTEST…]`.

LINE is 2 or 3. The environment is made if need be; Airflow's home is a new one each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.services import ServiceError, airflow_env


def main() -> int:
    """Run pytest in that line's environment. Returns its exit status."""
    line, *args = sys.argv[1:]
    if not any(arg.startswith("tests/") for arg in args):
        args.append("tests/airflow")
    with tempfile.TemporaryDirectory(prefix="penstock-airflow-") as home:
        try:
            env = airflow_env.environment(line, Path(home) / "site")
            program = airflow_env.python(line)
        except ServiceError as error:
            print(f"tests.airflow: {error}", file=sys.stderr)
            return 1
        (Path(home) / "dags").mkdir()
        env |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        migrate = [str(program), "-m", "airflow", "db", "migrate"]
        done = subprocess.run(
            migrate, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return done.returncode
        pytest = [str(program), "-m", "pytest", "-p", "no:cacheprovider", *args]
        return subprocess.run(pytest, env=env, cwd=os.getcwd(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
