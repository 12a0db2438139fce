"""Settings, as a user types them, and a record: the CSV row that Spark writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import casts, csvtext, functions, legacy, patterns, row, select, times, tokens
from .functions import Unsupported
from .row import Type

__all__ = ["Message", "Reference", "Refused", "Unsupported"]
TIMED = {"DATE": "dateFormat", "TIMESTAMP": "timestampFormat",
         "TIMESTAMP_NTZ": "timestampNTZFormat"}  # fmt: skip


class Refused(Exception):
    """FAILFAST and the record is bad."""


@dataclass
class Message:
    """A Kafka record; headers None are none at all."""

    value: bytes | None
    key: bytes | None = "ké".encode()
    timestamp_ms: int = 1_626_228_905_564
    headers: list[tuple[bytes, bytes | None]] | None = None

    def columns(self) -> dict[str, Any]:
        """Those that the select list knows."""
        return {
            "key": self.key,
            "topic": b"users",
            "partition": 3,
            "offset": 42,
            "timestamp": self.timestamp_ms * 1000,
            "timestamptype": 0,
            "headers": self.headers
            and [{"key": casts.decode(k).encode(), "value": v} for k, v in self.headers],
        }


@dataclass
class Session:
    """What all parts look up."""

    settings: dict[str, str]
    zone: times.Zone = field(init=False)
    legacy: bool = field(init=False)

    def __post_init__(self) -> None:
        self.zone = times.zone_of(self.settings.get("spark.sql.session.timeZone", "UTC"))
        policy = self.settings.get("spark.sql.legacy.timeParserPolicy", "EXCEPTION")
        self.legacy = policy == "LEGACY"

    def flag(self, name: str, default: bool) -> bool:
        """A boolean setting."""
        return self.settings.get(name, str(default)).lower() == "true"

    def format(self, name: str, default: str = "") -> Any:
        """A pattern that is set, or, of old, the one that holds unless another is."""
        text = self.settings.get(name)
        if self.legacy and "NTZ" not in name:
            return legacy.Fast(text or default)
        return patterns.Pattern(text) if text else None


class Reference:
    """One group's reader and writer."""

    def __init__(self, settings: dict[str, str]) -> None:
        session = Session(settings)
        self.session, self.zone = session, session.zone
        self.schema = row.read_schema(settings["value.schema"])
        self.items = select.read_select(settings.get("select", "*"), self.schema)
        self.corrupt = settings.get("json.columnNameOfCorruptRecord", "_corrupt_record")
        self.failfast = settings.get("json.mode", "PERMISSIVE") == "FAILFAST"
        self.sensitive = session.flag("spark.sql.caseSensitive", False)
        self.converter = self.make_converter()
        binder = functions.Binder(self.schema, self.sensitive, self.zone, session.legacy)
        self.bound = [binder.bind(item) for _, item in self.items]
        csv = {k[4:]: v for k, v in settings.items() if k.startswith("csv.")}
        name = "spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv"
        self.writer = csvtext.Writer.from_options(csv, session.flag(name, False))
        self.guard = session.flag("csv.formula.guard", False)
        self.encoding = csv.get("encoding", "UTF-8")
        self.formats = {
            "DATE": session.format("csv.dateFormat", "yyyy-MM-dd"),
            "TIMESTAMP": session.format(
                "csv.timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
            ),
            "TIMESTAMP_NTZ": session.format("csv.timestampNTZFormat"),
        }
        self.prune(settings)

    def make_converter(self) -> row.Converter:
        """from_json's options."""
        flag, settings = self.session.flag, self.session.settings
        fallback = settings.get("json.enableDateTimeParsingFallback", "auto")

        def falls_back(name: str) -> bool:
            if fallback != "auto":
                return fallback == "true"
            return self.session.legacy or name not in settings

        return row.Converter(
            session=self.zone,
            features=tokens.Features(
                single_quotes=flag("json.allowSingleQuotes", True),
                non_numeric=flag("json.allowNonNumericNumbers", True),
                comments=flag("json.allowComments", False),
                unquoted_names=flag("json.allowUnquotedFieldNames", False),
                leading_zeros=flag("json.allowNumericLeadingZeros", False),
                any_backslash=flag("json.allowBackslashEscapingAnyCharacter", False),
                control_chars=flag("json.allowUnquotedControlChars", False),
            ),
            partial=flag("spark.sql.json.enablePartialResults", True),
            date_fallback=falls_back("json.dateFormat"),
            stamp_fallback=falls_back("json.timestampFormat"),
            date_format=self.session.format("json.dateFormat", "yyyy-MM-dd"),
            stamp_format=self.session.format(
                "json.timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
            ),
            ntz_format=self.session.format("json.timestampNTZFormat"),
        )

    def prune(self, settings: dict[str, str]) -> None:
        """Spark's optimizer reads nothing but the one column that is selected, unless
        from_json has options."""
        used = set().union(*(select.roots(item) for _, item in self.items))
        known = {self.same(n) for n, _ in self.schema.fields}
        used = {self.same(n) for n in used} & known
        if len(used) == 1 and not any(k.startswith("json.") for k in settings):
            self.schema.fields = [
                f for f in self.schema.fields if self.same(f[0]) in used
            ]

    def same(self, name: str) -> str:
        """Names of the select list differ by case only where that is asked for."""
        return name if self.sensitive else name.lower()

    def encoded(self, text: str) -> bytes:
        """String.getBytes: what the character set lacks becomes a question mark."""
        data = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return data.encode(self.encoding, "replace")

    def header(self) -> bytes:
        """What an object starts with."""
        if not self.writer.header:
            return b""
        return self.encoded(self.writer.row([name for name, _ in self.items]))

    # ---- a record ----

    def line(self, message: Message) -> bytes:
        """Its row."""
        parsed, kafka = self.parse(message.value), message.columns()
        fields = [self.text(b.run(parsed, kafka), b.type) for b in self.bound]
        return self.encoded(self.writer.row(fields))

    def parse(self, value: bytes | None) -> row.Row:
        """from_json; under PERMISSIVE a column that is not there is null."""
        if value is None:
            return {}
        inner = Type(
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
        if self.failfast:
            raise Refused
        kept[self.corrupt] = value
        return kept

    def text(self, value: Any, t: Type | None) -> str | None:
        """What the writer gets."""
        if value is None or t is None:
            return None
        pattern = self.formats.get(t.kind)
        if t.kind == "DATE" and pattern:
            return str(pattern.date(value))
        if t.kind == "TIMESTAMP":
            if pattern:
                return str(pattern.timestamp(value, self.zone))
            return times.csv_timestamp(value, self.zone)
        if t.kind == "TIMESTAMP_NTZ":
            return str(pattern.ntz(value)) if pattern else times.csv_ntz(value)
        text = casts.to_text(value, t, self.zone)
        guarded = self.guard and t.kind == "STRING" and text[:1] in tuple("=+-@\t\r")
        return "'" + text if guarded else text
