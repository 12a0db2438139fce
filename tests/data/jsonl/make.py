#!/usr/bin/env python3
"""What Spark's JSON writer writes: fills in the `lines` of cases.json.

Needs Java 17 and `pip install pyspark==3.5.1`; run it after the cases were changed:

    python3 tests/data/jsonl/make.py

Each case is from_json of its records by its schema, a select list, and write.json with
the case's options and session settings; one partition, so lines are in order.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

CASES = Path(__file__).with_name("cases.json")


def written(spark, case: dict) -> list[str]:  # noqa: ANN001 (pyspark has no stubs here)
    """The lines of the case's one output file."""
    from pyspark.sql.functions import expr, from_json

    session = {"spark.sql.session.timeZone": "UTC"} | case.get("session", {})
    for name, value in session.items():
        spark.conf.set(name, value)
    rows = [(record,) for record in case["records"]]
    frame = spark.createDataFrame(rows, "value STRING").coalesce(1)
    columns = from_json(expr("value"), case["schema"]).alias("data")
    frame = frame.select(columns).selectExpr("data.*")
    frame = frame.selectExpr(*case.get("select", ["*"]))
    with tempfile.TemporaryDirectory() as folder:
        frame.write.options(**case.get("options", {})).json(f"{folder}/out")
        parts = list(Path(folder, "out").glob("part-*"))
        assert len(parts) == 1, parts
        text = parts[0].read_bytes().decode()
    for name in session:
        spark.conf.unset(name)
    assert text.endswith("\n")
    return text[:-1].split("\n")


def main() -> None:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]")
    builder = builder.config("spark.ui.enabled", "false")
    spark = builder.getOrCreate()
    cases = json.loads(CASES.read_text())
    for case in cases:
        case["lines"] = written(spark, case)
        print(f"{case['name']}: {len(case['lines'])} lines")
    CASES.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
