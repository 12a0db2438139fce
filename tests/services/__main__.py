"""The services for people: `python3 -m tests.services up [--kafka] [--minio] [--api]`.

`up --airflow 3` (or 2) starts all three and an Airflow with the example DAGs.

`up` starts what is named (everything when nothing is), prints where it is and how to
point Penstock at it, and stops it all on Ctrl-C or SIGTERM. `install` only fetches.
Credentials go to a file of mode 0600; only its path is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.services import (
    Kafka,
    Minio,
    RandomUserApi,
    ServiceError,
    airflow_env,
    install,
)

EXAMPLES = """examples:
  python3 -m tests.services up                  Kafka, MinIO and the randomuser API
  python3 -m tests.services up --kafka --port 9092
  python3 -m tests.services install             fetch what is missing, start nothing
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.services",
        description="Penstock's test services on loopback.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="fetch the services into the cache")
    up = commands.add_parser("up", help="start services; Ctrl-C stops them")
    up.add_argument("--kafka", action="store_true", help="a one-node Kafka broker")
    up.add_argument("--minio", action="store_true", help="a MinIO server")
    up.add_argument("--api", action="store_true", help="the stand-in of randomuser.me")
    up.add_argument("--airflow", choices=("2", "3"), help="a whole Airflow, and the rest")
    up.add_argument("--port", type=int, help="Kafka's port (default: a free one)")
    return parser


def _write_credentials(minio: Minio) -> Path:
    """A shell file of mode 0600 that exports the credentials; its path."""
    path = minio.directory / "credentials.sh"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        for name, value in minio.aws_env().items():
            out.write(f"export {name}={value}\n")
    return path


def _start_kafka(stack: ExitStack, port: int | None) -> Kafka:
    kafka = Kafka(port=port)
    stack.callback(kafka.close)
    kafka.start()
    print(f"Kafka            {kafka.bootstrap}  (log: {kafka.directory}/kafka.log)")
    print(f"                 worker.properties:     bootstrap.servers={kafka.bootstrap}")
    return kafka


def _start_minio(stack: ExitStack) -> Minio:
    minio = Minio()
    stack.callback(minio.close)
    minio.start()
    credentials = _write_credentials(minio)
    print(f"MinIO            {minio.endpoint}  (log: {minio.directory}/minio.log)")
    print(f"MinIO console    {minio.console}")
    print(f"                 connector.properties:  store.url={minio.endpoint}")
    print(f"                 credentials:           . {credentials}")
    return minio


def _start_api(stack: ExitStack) -> RandomUserApi:
    api = RandomUserApi()
    stack.callback(api.close)
    api.start()
    print(f"randomuser API   {api.url}?results=10&seed=demo")
    print(f"                 connector.properties:  randomuser.url={api.url}")
    return api


def _start_airflow(
    stack: ExitStack, line: str, kafka: Kafka, minio: Minio, api: RandomUserApi
) -> None:
    from tests.services.airflow import USER, Airflow

    examples = airflow_env.ROOT / "airflow_provider" / "example_dags"
    extra = {"endpoint_url": minio.endpoint, "region_name": minio.region}
    aws = {"login": minio.access_key, "password": minio.secret_key, "extra": extra}
    env = {
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps(
            {"conn_type": "kafka", "extra": {"bootstrap.servers": kafka.bootstrap}}
        ),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", **aws}),
        "PENSTOCK_EXAMPLE_URL": api.url,
        "PENSTOCK_EXAMPLE_SERVERS": kafka.bootstrap,
    }
    airflow = Airflow(line, dags=sorted(examples.glob("example_*.py")), env=env)
    stack.callback(airflow.close)
    airflow.start()
    secret = airflow.home / "password"
    secret.touch(mode=0o600)
    secret.write_text(f"{airflow.password}\n")
    print(f"Airflow {airflow.version}   {airflow.url}  (logs: {airflow.home}/*.log)")
    print(f"                 log in as {USER}, the password is in {secret}")


def _up(options: argparse.Namespace) -> int:
    named = options.kafka or options.minio or options.api
    everything = bool(options.airflow) or not named
    stop = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    with ExitStack() as stack:
        if everything or options.kafka:
            kafka = _start_kafka(stack, options.port)
        if everything or options.minio:
            minio = _start_minio(stack)
        if everything or options.api:
            api = _start_api(stack)
        if options.airflow:
            _start_airflow(stack, options.airflow, kafka, minio, api)
        print("Ctrl-C stops everything.", flush=True)
        signal.sigwait(stop)
        print("\nstopping …", flush=True)
    return 0


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = _parser().parse_args()
    try:
        if options.command == "up":
            return _up(options)
        install.everything()
        return 0
    except ServiceError as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
