"""The layouts that a campaign may land in, and what their records look like.

Where a record belongs is worked out here from the record alone.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support import Audit, Record, RoutedAudit

SCHEMA = "id STRING, n BIGINT, text STRING"
PLACES = ("plain", "../..", "a/b=c", "", None, "100% ü")
HOUR_MS = 3_600_000
HOURS = 4
SLOT_MS = 250
DEFAULT_FOLDER = "__HIVE_DEFAULT_PARTITION__"

PARTITIONERS: dict[str, dict[str, Any]] = {
    "default": {},
    "field": {
        "partitioner__class": "FieldPartitioner",
        "partition__field__name": "place",
        "select": "id, n, text",
    },
    "hourly": {
        "partitioner__class": "HourlyPartitioner",
        "timestamp__extractor": "Record",
    },
    "wallclock": {
        "partitioner__class": "TimeBasedPartitioner",
        "timestamp__extractor": "Wallclock",
        "path__format": "'at'=HH-mm-ss-SSS",
        "partition__duration__ms": SLOT_MS,
    },
}
COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
LEVEL = 1  # every second daemon has little memory, too little for zstd's own default
FORMATS = ("csv", "jsonl")


@dataclass(frozen=True)
class Layout:
    """A partitioner, a compression and a format, by their short names."""

    partitioner: str = "default"
    compression: str = "none"
    format: str = "csv"

    @property
    def routed(self) -> bool:
        """True when a window becomes several objects, by a manifest."""
        return self.partitioner != "default"

    @property
    def schema(self) -> str:
        """value.schema."""
        return f"{SCHEMA}, place STRING" if self.partitioner == "field" else SCHEMA

    @property
    def settings(self) -> dict[str, Any]:
        """What the sink needs for it."""
        more = dict(PARTITIONERS[self.partitioner])
        if self.compression != "none":
            more["s3__compression__type"] = self.compression
            more["s3__compression__level"] = LEVEL
        if self.format != "csv":
            more["format__class"] = self.format
        return more

    def fields(self, number: int) -> dict[str, Any]:
        """What a record has more than the others."""
        if self.partitioner != "field":
            return {}
        return {"place": PLACES[number // 3 % len(PLACES)]}

    def timestamp(self, number: int) -> int:
        """A record's time, ms; 0 = now."""
        if self.partitioner != "hourly":
            return 0
        return int(time.time() * 1000) - number // 2 % HOURS * HOUR_MS

    def path_of(self, record: Record) -> re.Pattern[str]:
        """What the folders of a record's object must match, percent-decoded."""
        if self.partitioner == "field":
            place = json.loads(record.value)["place"] if record.value else None
            return re.compile(re.escape(f"place={place or DEFAULT_FOLDER}"))
        if self.partitioner == "hourly":
            at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            return re.compile(at.strftime("year=%Y/month=%m/day=%d/hour=%H"))
        return re.compile(r"at=[0-2]\d(-[0-5]\d){2}-(000|250|500|750)")

    def audit(self, **inputs: Any) -> Audit:
        """The audit that knows this layout; `inputs` as `Audit`'s."""
        if not self.routed:
            return Audit(**inputs)
        extension = f".{self.format}{COMPRESSIONS[self.compression]}"
        return RoutedAudit(**inputs, path_of=self.path_of, extension=extension)


PLAIN = Layout()
