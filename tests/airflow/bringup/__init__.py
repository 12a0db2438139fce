"""The provider under a whole Airflow: every component, PostgreSQL, Kafka, MinIO.

`make test-airflow-up` brings up Airflow 3, `make test-airflow2-up` 2.11. The tests run
in .venv and see Airflow only from outside: REST, command line, browser, processes.
"""
