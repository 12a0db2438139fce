"""What the recorded users must look like as rows of the `flat` and `raw` outputs.

The rules are stated here anew, in Python, from the connector's documentation, so that the
C code and this file can only agree by both being right.
"""

from __future__ import annotations

from typing import Any

User = dict[str, Any]
Row = list[str | None]

FLAT_SCHEMA = (
    "id STRING, full_name STRING, gender STRING, street STRING, city STRING, "
    "state STRING, country STRING, postcode STRING, latitude DOUBLE, longitude DOUBLE, "
    "email STRING, dob STRING, registered STRING, phone STRING, nat STRING"
)

RAW_SCHEMA = (
    "gender STRING, name STRUCT<title: STRING, first: STRING, last: STRING>, "
    "location STRUCT<street: STRUCT<number: INT, name: STRING>, city: STRING, "
    "state: STRING, country: STRING, postcode: STRING, "
    "coordinates: STRUCT<latitude: STRING, longitude: STRING>>, email STRING, "
    "login STRUCT<uuid: STRING>, nat STRING"
)

RAW_SELECT = (
    "login.uuid AS id, name.first AS first_name, name.last AS last_name, "
    "location.street.number AS number, location.street.name AS street, location.city, "
    "location.postcode, location.coordinates.latitude AS latitude, email, nat"
)


def trimmed(text: str) -> str:
    """Spark's CSV writer takes blanks and controls off both ends."""
    return text.strip("".join(map(chr, range(0x21))))


def double_text(text: str) -> str:
    """Java's text of a coordinate such as -28.9498 (never in exponent form here)."""
    value = float(text)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, exponent = f"{value:e}".split("e")
    digits = repr(float(mantissa))
    return f"{digits}E{int(exponent)}"


def flat_row(user: User) -> Row:
    """The row of `output=flat` under FLAT_SCHEMA."""
    name, place = user["name"], user["location"]
    return [
        user["login"]["uuid"],
        trimmed(f"{name['first']} {name['last']}"),
        user["gender"],
        trimmed(f"{place['street']['number']} {place['street']['name']}"),
        trimmed(place["city"]),
        trimmed(place["state"]),
        trimmed(place["country"]),
        trimmed(str(place["postcode"])),
        double_text(place["coordinates"]["latitude"]),
        double_text(place["coordinates"]["longitude"]),
        user["email"],
        user["dob"]["date"],
        user["registered"]["date"],
        user["phone"],
        user["nat"],
    ]


def raw_row(user: User) -> Row:
    """The row of `output=raw` under RAW_SCHEMA and RAW_SELECT."""
    name, place = user["name"], user["location"]
    return [
        user["login"]["uuid"],
        trimmed(name["first"]),
        trimmed(name["last"]),
        str(place["street"]["number"]),
        trimmed(place["street"]["name"]),
        trimmed(place["city"]),
        trimmed(str(place["postcode"])),
        place["coordinates"]["latitude"],
        user["email"],
        user["nat"],
    ]
