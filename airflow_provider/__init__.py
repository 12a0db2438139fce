"""Penstock's Airflow provider. Empty as yet: operators, hook and sensor come with it."""
