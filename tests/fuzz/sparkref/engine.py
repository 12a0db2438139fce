"""Settings, as a user types them, and a record's value: the CSV row that Spark writes."""

from __future__ import annotations

from typing import Any

from . import csvtext, numbers, row, times, tokens

KAFKA = {
    "key": (row.Type("STRING"), "ké".encode()),
    "topic": (row.Type("STRING"), b"users"),
    "partition": (row.Type("INT"), 3),
    "offset": (row.Type("BIGINT"), 42),
    "timestamp": (row.Type("TIMESTAMP"), 1_626_228_905_564_000),
    "timestamptype": (row.Type("INT"), 0),
}
STRING = row.Type("STRING")
Typed = tuple[row.Type, Any]


class Unsupported(Exception):
    """A setting or expression that this reference does not know."""


def flag(settings: dict[str, str], name: str, default: bool) -> bool:
    """A boolean setting."""
    return settings.get(name, str(default)).lower() == "true"


class Reference:
    """One group's reader and writer."""

    def __init__(self, settings: dict[str, str]) -> None:
        for name in settings:
            if name.lower().endswith("format") and name != "number.format":
                raise Unsupported(name)
        self.schema = row.read_schema(settings["value.schema"])
        self.items = row.read_select(settings.get("select", "*"), self.schema)
        self.corrupt = settings.get("json.columnNameOfCorruptRecord", "_corrupt_record")
        self.session = times.zone_of(settings.get("spark.sql.session.timeZone", "UTC"))
        self.sensitive = flag(settings, "spark.sql.caseSensitive", False)
        fallback = settings.get("json.enableDateTimeParsingFallback", "true") != "false"
        self.converter = row.Converter(
            session=self.session,
            features=tokens.Features(
                single_quotes=flag(settings, "json.allowSingleQuotes", True),
                non_numeric=flag(settings, "json.allowNonNumericNumbers", True),
                comments=flag(settings, "json.allowComments", False),
                unquoted_names=flag(settings, "json.allowUnquotedFieldNames", False),
                leading_zeros=flag(settings, "json.allowNumericLeadingZeros", False),
                any_backslash=flag(
                    settings, "json.allowBackslashEscapingAnyCharacter", False
                ),
                control_chars=flag(settings, "json.allowUnquotedControlChars", False),
            ),
            partial=flag(settings, "spark.sql.json.enablePartialResults", True),
            date_fallback=fallback,
            stamp_fallback=fallback,
        )
        csv = {k[4:]: v for k, v in settings.items() if k.startswith("csv.")}
        legacy = "spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv"
        self.writer = csvtext.Writer.from_options(csv, flag(settings, legacy, False))
        self.prune(settings)

    def prune(self, settings: dict[str, str]) -> None:
        """Spark's optimizer reads nothing but the one column that is selected, unless
        from_json has options."""
        used = set().union(*(row.roots(item) for _, item in self.items))
        known = {self.same(n) for n, _ in self.schema.fields}
        used = {self.same(n) for n in used} & known
        if len(used) == 1 and not any(k.startswith("json.") for k in settings):
            self.schema.fields = [
                f for f in self.schema.fields if self.same(f[0]) in used
            ]

    def same(self, name: str) -> str:
        """Names of the select list differ by case only where that is asked for."""
        return name if self.sensitive else name.lower()

    def header(self) -> bytes:
        """What an object starts with."""
        if not self.writer.header:
            return b""
        return self.writer.row([name for name, _ in self.items]).encode()

    # ---- a record ----

    def line(self, value: bytes | None) -> bytes:
        """Its row."""
        parsed = self.parse(value)
        fields = [self.text(self.evaluate(item, parsed)) for _, item in self.items]
        return self.writer.row(fields).encode("utf-8", "surrogatepass")

    def parse(self, value: bytes | None) -> row.Row:
        """from_json under PERMISSIVE; a column that is not there is null."""
        if value is None:
            return {}
        inner = row.Type(
            "STRUCT", fields=[f for f in self.schema.fields if f[0] != self.corrupt]
        )
        parser = tokens.Parser(tokens.utf16_units(value), self.converter.features)
        kept: row.Row = {}
        try:
            if parser.next() is None:
                return {}
            if parser.token != tokens.OBJECT:
                raise row.Bad
            return self.converter.object(parser, inner, root=True)
        except row.Partial as partial:
            kept = partial.value
        except row.NON_FATAL:
            pass
        kept[self.corrupt] = value
        return kept

    # ---- expressions ----

    def evaluate(self, item: row.Item, parsed: row.Row) -> Typed:
        """Type and value; None is null."""
        if item.kind == "literal":
            return STRING, item.name.encode()
        if item.kind == "call":
            return self.call(item, parsed)
        for name, t in self.schema.fields:
            if self.same(name) == self.same(item.name):
                return self.walk(t, parsed.get(name), item.steps)
        found = KAFKA.get(item.name.lower())
        if not found:
            raise Unsupported(item.name)
        return found

    def walk(self, t: row.Type, value: Any, steps: list[Any]) -> Typed:
        """Fields, elements, keys."""
        for step in steps:
            if isinstance(step, str):
                name, t = next(f for f in t.fields if self.same(f[0]) == self.same(step))
                value = None if value is None else value[name]
                continue
            assert t.item
            t = t.item
            if value is None:
                continue
            if step[0] == "index":
                value = value[step[1]] if 0 <= step[1] < len(value) else None
            else:
                value = next((v for k, v in value if k == step[1]), None)
        return t, value

    def call(self, item: row.Item, parsed: row.Row) -> Typed:
        """Functions of texts."""
        args = [self.evaluate(a, parsed) for a in item.args]
        name = item.name
        if name == "substring":
            args, bounds = args[:1], [int(a.name) for a in item.args[1:]]
        texts = [self.string(a) for a in args]
        if name == "coalesce":
            return STRING, next((t for t in texts if t is not None), None)
        if name == "concat_ws":
            sep, *parts = texts
            kept = [p for p in parts if p is not None]
            return STRING, None if sep is None else sep.join(kept)
        if any(t is None for t in texts):
            return STRING, None
        known = [t for t in texts if t is not None]
        if name == "concat":
            return STRING, b"".join(known)
        if name == "cast":
            return STRING, known[0]
        if name == "trim":
            return STRING, known[0].strip(b" ")
        if name == "substring":
            return STRING, substring(decode(known[0]), *bounds).encode()
        raise Unsupported(name)

    def string(self, typed: Typed) -> bytes | None:
        """CAST AS STRING."""
        t, value = typed
        if value is None or t.kind == "STRING":
            return value
        if t.kind == "TIMESTAMP":
            return times.cast_text(value, self.session).encode()
        if t.kind == "TIMESTAMP_NTZ":
            return times.cast_text(value, None).encode()
        text = self.text(typed)
        assert text is not None
        return text.encode()

    def text(self, typed: Typed) -> str | None:
        """What the writer gets."""
        t, value = typed
        if value is None:
            return None
        if t.kind == "STRING":
            return decode(value)
        if t.kind == "BOOLEAN":
            return "true" if value else "false"
        if t.kind in ("FLOAT", "DOUBLE"):
            return numbers.real_text(value, t.kind == "FLOAT")
        if t.kind == "DATE":
            return times.date_text(value)
        if t.kind == "TIMESTAMP":
            return times.csv_timestamp(value, self.session)
        if t.kind == "TIMESTAMP_NTZ":
            return times.csv_ntz(value)
        return str(value)


def decode(value: bytes) -> str:
    """UTF8String.toString."""
    return (
        tokens.utf16_units(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    )


def substring(text: str, pos: int, length: int) -> str:
    """UTF8String.substringSQL."""
    start = pos - 1 if pos > 0 else len(text) + pos if pos < 0 else 0
    end = start + length
    return text[max(start, 0) : max(end, 0)] if end > start else ""
