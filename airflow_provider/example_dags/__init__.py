"""Example DAGs: each is a how-to of docs/airflow.md and runs in the tests.

They use the connections `kafka_default`, `aws_default` and `penstock_default`. What the
tests set: PENSTOCK_EXAMPLE_URL (where users come from), PENSTOCK_EXAMPLE_TOPIC and
PENSTOCK_EXAMPLE_BUCKET.
"""
