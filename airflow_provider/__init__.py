"""Penstock's Airflow provider: Kafka topics as CSV objects in S3, run by tasks.

    from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
    from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator

It works on Airflow 3 and on 2.11, is importable without the C extension modules, and
makes nothing at import: a DAG file that uses it is as cheap to parse as any.
"""
