"""Expressions of the select list, bound once to types: calls, casts, literals, paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import casts, legacy, patterns, sigma, times
from .row import Type
from .select import Item

STRING, INT, BIGINT = Type("STRING"), Type("INT"), Type("BIGINT")
TIMESTAMP, DATE = Type("TIMESTAMP"), Type("DATE")
HEADER = Type("STRUCT", fields=[("key", STRING), ("value", Type("BINARY"))])
KAFKA = {
    "key": STRING, "topic": STRING, "partition": INT, "offset": BIGINT,
    "timestamp": TIMESTAMP, "timestamptype": INT, "headers": Type("ARRAY", item=HEADER),
}  # fmt: skip
SYNONYMS = {"nvl": "coalesce", "ifnull": "coalesce", "ucase": "upper", "lcase": "lower",
            "substr": "substring"}  # fmt: skip
Row = dict[str, Any]
Run = Callable[[Row, Row], Any]  # (from_json's row, Kafka's columns)


class Unsupported(Exception):
    """A setting or expression that this reference does not know."""


@dataclass
class Bound:
    """None is NULL, which has no type of its own."""

    type: Type | None
    run: Run


@dataclass
class Binder:
    """Names and types of one select list."""

    schema: Type
    sensitive: bool
    zone: times.Zone
    legacy: bool = False

    def same(self, a: str, b: str) -> bool:
        """Names differ by case only where that is asked for."""
        return a == b if self.sensitive else a.lower() == b.lower()

    def bind(self, item: Item) -> Bound:
        """Any expression."""
        if item.kind == "literal":
            return Bound(item.type, lambda row, kafka: item.value)
        if item.kind == "cast":
            assert item.type
            return self.convert(self.bind(item.args[0]), item.type)
        if item.kind == "call":
            return self.call(SYNONYMS.get(item.name, item.name), item.args)
        return self.path(item)

    def convert(self, arg: Bound, to: Type) -> Bound:
        """CAST; NULL fits all."""
        t, run = arg.type, arg.run
        if t is None:
            return Bound(to, lambda row, kafka: None)
        if self.legacy and t.kind == "DATE" and to.kind == "STRING":
            return Bound(to, lambda row, kafka: old_date(run(row, kafka)))
        return Bound(to, lambda row, kafka: casts.cast(run(row, kafka), t, to, self.zone))

    # ---- columns ----

    def field(self, t: Type, name: str) -> tuple[str, Type] | None:
        """A struct's, with its name in the schema."""
        return next((f for f in t.fields if self.same(f[0], name)), None)

    def path(self, item: Item) -> Bound:
        """A column of the record, then data.column, then a column of Kafka."""
        name, steps = item.name, item.steps
        found = self.field(self.schema, name)
        if not found and self.same(name, "data") and steps:
            name, *steps = steps
            found = self.field(self.schema, name)
        if found:
            column = found[0]
            return self.walk(found[1], steps, lambda row, kafka: row.get(column))
        for known, t in KAFKA.items():
            if self.same(name, "timestampType" if known == "timestamptype" else known):
                return self.walk(t, steps, lambda row, kafka, known=known: kafka[known])
        raise Unsupported(name)

    def walk(self, t: Type, steps: list[Any], run: Run) -> Bound:
        """Fields, elements, keys; a field of an array is the array of the fields."""
        for step in steps:
            if isinstance(step, str) and t.kind == "MAP":
                step = ("key", step)
            if isinstance(step, str):
                struct = t.item if t.kind == "ARRAY" else t
                assert struct
                found = self.field(struct, step)
                assert found
                name = found[0]
                if t.kind == "ARRAY":
                    t = Type("ARRAY", item=found[1])
                    run = each_field(run, name)
                else:
                    t, run = found[1], one_field(run, name)
                continue
            assert t.item
            t = t.item
            run = element(run, step[1]) if step[0] == "index" else entry(run, step[1])
        return Bound(t, run)

    # ---- functions ----

    def call(self, name: str, args: list[Item]) -> Bound:
        """By its kind."""
        if name in ("to_date", "to_timestamp"):
            return self.parse(name, args)
        if name in ("date_format", "from_unixtime"):
            return self.format(name, args)
        bound = [self.bind(a) for a in args]
        if name == "coalesce":
            return self.coalesce(bound)
        texts = [self.convert(b, STRING) for b in bound]
        if name == "substring":
            texts[1:] = [self.convert(b, INT) for b in bound[1:]]
        if name == "concat_ws":
            return Bound(
                STRING, lambda row, kafka: joined([t.run(row, kafka) for t in texts])
            )
        plain = PLAIN.get(name)
        if not plain:
            raise Unsupported(name)

        def run(row: Row, kafka: Row) -> Any:
            values = [t.run(row, kafka) for t in texts]
            return None if any(v is None for v in values) else plain(*values)

        return Bound(INT if name == "length" else STRING, run)

    def coalesce(self, args: list[Bound]) -> Bound:
        """The first that is not null, as the type of all."""
        types = [a.type for a in args if a.type is not None]
        t = types[0] if types else STRING
        for other in types[1:]:
            t = casts.common(t, other)
        same = [self.convert(a, t) for a in args]

        def run(row: Row, kafka: Row) -> Any:
            values = (a.run(row, kafka) for a in same)
            return next((v for v in values if v is not None), None)

        return Bound(t, run)

    def parse(self, name: str, args: list[Item]) -> Bound:
        """to_date and to_timestamp. With a pattern, a date is that of the timestamp."""
        arg = self.bind(args[0])
        kind = arg.type.kind if arg.type else "STRING"
        accepted = ("STRING", *casts.TIMES)
        if len(args) == 1:
            numeric = name == "to_timestamp" and kind in casts.NUMERIC
            arg = arg if kind in accepted or numeric else self.convert(arg, STRING)
            return self.convert(arg, DATE if name == "to_date" else TIMESTAMP)
        if kind == "TIMESTAMP_NTZ":  # taken for UTC
            stamp = Bound(TIMESTAMP, arg.run)
        elif kind in casts.TIMES:
            stamp = self.convert(arg, TIMESTAMP)
        else:
            stamp = self.by_pattern(self.convert(arg, STRING), args[1].value.decode())
        return self.convert(stamp, DATE) if name == "to_date" else stamp

    def by_pattern(self, text: Bound, pattern: str) -> Bound:
        """GetTimestamp."""
        reader = legacy.Simple(pattern) if self.legacy else patterns.Pattern(pattern)

        def run(row: Row, kafka: Row) -> int | None:
            value = text.run(row, kafka)
            if value is None:
                return None
            try:
                return reader.parse_timestamp(casts.decode(value), self.zone)
            except times.TimeError:
                return None

        return Bound(TIMESTAMP, run)

    def format(self, name: str, args: list[Item]) -> Bound:
        """date_format and from_unixtime."""
        text = args[1].value.decode() if len(args) > 1 else "yyyy-MM-dd HH:mm:ss"
        pattern = legacy.Simple(text) if self.legacy else patterns.Pattern(text)
        arg = self.convert(
            self.bind(args[0]), TIMESTAMP if name == "date_format" else BIGINT
        )

        def run(row: Row, kafka: Row) -> bytes | None:
            value = arg.run(row, kafka)
            if value is None:
                return None
            if name == "from_unixtime":
                value = casts.wrap(value * times.MICROS, "BIGINT")
            return pattern.timestamp(value, self.zone).encode()

        return Bound(STRING, run)


def old_date(days: int | None) -> bytes | None:
    """CAST of Spark 2."""
    return None if days is None else legacy.cast_text(days).encode()


def one_field(run: Run, name: str) -> Run:
    """Of a struct."""

    def get(row: Row, kafka: Row) -> Any:
        value = run(row, kafka)
        return None if value is None else value[name]

    return get


def each_field(run: Run, name: str) -> Run:
    """Of each struct of an array."""

    def get(row: Row, kafka: Row) -> Any:
        value = run(row, kafka)
        if value is None:
            return None
        return [None if v is None else v[name] for v in value]

    return get


def element(run: Run, index: int) -> Run:
    """Of an array."""

    def get(row: Row, kafka: Row) -> Any:
        value = run(row, kafka)
        return value[index] if value is not None and 0 <= index < len(value) else None

    return get


def entry(run: Run, key: str) -> Run:
    """Of a map: the first of this key."""

    def get(row: Row, kafka: Row) -> Any:
        value = run(row, kafka)
        return None if value is None else next((v for k, v in value if k == key), None)

    return get


def joined(values: list[bytes | None]) -> bytes | None:
    """CONCAT_WS: nulls are left out, but not a null separator."""
    sep, *parts = values
    return None if sep is None else sep.join(p for p in parts if p is not None)


def substring(value: bytes, pos: int, length: int = 2**31 - 1) -> bytes:
    """UTF8String.substringSQL."""
    text = casts.decode(value)
    start = pos - 1 if pos > 0 else len(text) + pos if pos < 0 else 0
    end = start + length
    return (text[max(start, 0) : max(end, 0)] if end > start else "").encode()


PLAIN: dict[str, Callable[..., Any]] = {
    "concat": lambda *values: b"".join(values),
    "upper": lambda v: casts.decode(v).upper().encode(),
    "lower": lambda v: sigma.lower(casts.decode(v)).encode(),
    "trim": lambda v: v.strip(b" "),
    "ltrim": lambda v: v.lstrip(b" "),
    "rtrim": lambda v: v.rstrip(b" "),
    "length": lambda v: len(casts.decode(v)),
    "substring": substring,
}
