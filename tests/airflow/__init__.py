"""The provider on real Airflow: these tests run in a virtual environment that has one.

`make test-airflow` runs them on Airflow 3, `make test-airflow2` on 2.11.
"""
