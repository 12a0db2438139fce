"""Topics to drain, generated from a seed: the same bytes on every machine."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer

from tests.support import KafkaClient

DISTINCT = 2000  # different records; they repeat with another id


@dataclass(frozen=True)
class Corpus:
    """One kind of record: topic, how many records, schema and select list."""

    name: str
    records: int
    partitions: int
    schema: str
    select: str


FLAT = Corpus(
    "flat",
    1_000_000,
    4,
    "id STRING, full_name STRING, gender STRING, street STRING, city STRING, "
    "state STRING, country STRING, postcode STRING, latitude DOUBLE, longitude DOUBLE, "
    "email STRING, dob STRING, registered STRING, phone STRING, nat STRING, n BIGINT",
    "*",
)
NESTED = Corpus(
    "nested",
    300_000,
    4,
    "name STRUCT<first: STRING, last: STRING>, gender STRING, location STRUCT<"
    "street: STRUCT<number: INT, name: STRING>, city: STRING, postcode: STRING, "
    "coordinates: STRUCT<latitude: STRING>>, email STRING",
    "name.first AS first, name.last AS last, gender, location.street.name AS street, "
    "location.city AS city, location.postcode AS postcode, email",
)


def _user(chance: random.Random, number: int) -> dict[str, Any]:
    """A made-up user in the API's shape."""
    first = chance.choice(["Ana", "Björn", "Chloé", "Дарья", "Emre", "فاطمه"])
    last = chance.choice(["Concepción", "Müller", "O'Neill", "Jagodića", "Smith"])
    return {
        "gender": chance.choice(["male", "female"]),
        "name": {"title": "Mx", "first": first, "last": last},
        "location": {
            "street": {"number": chance.randrange(9999), "name": "Circuito Malasia"},
            "city": "Ciudad Valles",
            "state": "Tamaulipas",
            "country": "Mexico",
            "postcode": chance.choice([chance.randrange(99999), "K1A 0B1"]),
            "coordinates": {
                "latitude": f"{chance.uniform(-90, 90):.4f}",
                "longitude": f"{chance.uniform(-180, 180):.4f}",
            },
            "timezone": {"offset": "+9:00", "description": "Tokyo, Seoul, Osaka"},
        },
        "email": f"user{number}@example.com",
        "login": {
            "uuid": str(uuid.UUID(int=chance.getrandbits(128))),
            "username": "bluemouse963",
            "password": "whatever",
            "salt": "huJcinJ8",
            "md5": f"{chance.getrandbits(128):032x}",
            "sha1": f"{chance.getrandbits(160):040x}",
            "sha256": f"{chance.getrandbits(256):064x}",
        },
        "dob": {"date": "1987-07-05T12:57:37.442Z", "age": 39},
        "registered": {"date": "2007-02-15T08:56:47.440Z", "age": 19},
        "phone": "(662) 657 3983",
        "cell": "(622) 895 0841",
        "id": {"name": "NSS", "value": "42 08 20 9328 8"},
        "picture": {
            size: f"https://example.com/api/portraits/{size}/men/62.jpg"
            for size in ("large", "medium", "thumbnail")
        },
        "nat": "MX",
    }


def _flat(user: dict[str, Any], number: int) -> dict[str, Any]:
    """16 fields, about 390 bytes."""
    place = user["location"]
    return {
        "id": user["login"]["uuid"],
        "full_name": f"{user['name']['first']} {user['name']['last']}",
        "gender": user["gender"],
        "street": f"{place['street']['number']} {place['street']['name']}",
        "city": place["city"],
        "state": place["state"],
        "country": place["country"],
        "postcode": str(place["postcode"]),
        "latitude": float(place["coordinates"]["latitude"]),
        "longitude": float(place["coordinates"]["longitude"]),
        "email": user["email"],
        "dob": user["dob"]["date"],
        "registered": user["registered"]["date"],
        "phone": user["phone"],
        "nat": user["nat"],
        "n": number,
    }


def values(corpus: Corpus, seed: int = 1) -> list[bytes]:
    """DISTINCT record values of a corpus."""
    chance = random.Random(seed)
    users = [_user(chance, number) for number in range(DISTINCT)]
    shapes = (
        users if corpus.name == "nested" else [_flat(u, i) for i, u in enumerate(users)]
    )
    return [
        json.dumps(s, ensure_ascii=False, separators=(",", ":")).encode() for s in shapes
    ]


def fill(client: KafkaClient, bootstrap: str, corpus: Corpus, records: int) -> int:
    """Make the corpus's topic and fill it. Returns the bytes of its values."""
    client.create_topic(corpus.name, corpus.partitions)
    client.wait_topic(corpus.name, corpus.partitions)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 500_000,
            "acks": 1,
        }
    )
    pool, total = values(corpus), 0
    for number in range(records):
        value = pool[number % DISTINCT]
        total += len(value)
        while True:
            try:
                producer.produce(corpus.name, value, partition=number % corpus.partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()
    return total
