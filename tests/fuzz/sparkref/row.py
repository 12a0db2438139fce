"""Spark's JacksonParser: a record's value becomes a row of values."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from . import numbers, times, tokens
from .tokens import ARRAY, ARRAY_END, FLOAT, INT, NAME, NULL, OBJECT, OBJECT_END, STRING

Row = dict[str, Any]
RANGES = {"TINYINT": (-128, 255), "SMALLINT": (-(2**15), 2**15 - 1),
          "INT": (-(2**31), 2**31 - 1), "BIGINT": (-(2**63), 2**63 - 1)}  # fmt: skip
SPECIAL_TEXTS = {"NaN": "NaN", "+INF": "inf", "+Infinity": "inf", "Infinity": "inf",
                 "-INF": "-inf", "-Infinity": "-inf"}  # fmt: skip


class Bad(Exception):
    """A value that does not fit: NonFatal, in Spark's words."""


class Partial(Exception):
    """A value with something bad inside, and what can be kept of it."""

    def __init__(self, value: Any) -> None:
        super().__init__("partial")
        self.value = value


NON_FATAL = (Bad, Partial, tokens.JsonError, times.TimeError, numbers.NumberError)

# ---- schema ----


@dataclass
class Type:
    """A DDL type."""

    kind: str
    precision: int = 0
    scale: int = 0
    fields: list[tuple[str, Type]] = field(default_factory=list)
    item: Type | None = None


WORDS = re.compile(
    r"\s*(`(?:[^`]|``)*`|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[A-Za-z_]\w*"
    r"|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[lLdD]?|\|\||.)",
    re.S | re.A,
)


class Lexer:
    """Words, back-quoted names, numbers, single characters."""

    def __init__(self, text: str) -> None:
        self.words = [m[1] for m in WORDS.finditer(text) if m[1].strip()]
        self.at = 0

    def peek(self) -> str:
        """The next word, or nothing."""
        return self.words[self.at] if self.at < len(self.words) else ""

    def next(self) -> str:
        """The word after it."""
        return self.words[self.at + 1] if self.at + 1 < len(self.words) else ""

    def take(self, expected: str = "") -> str:
        """Goes on."""
        word = self.peek()
        assert not expected or word.upper() == expected, (expected, self.words[self.at :])
        self.at += 1
        return word

    def name(self) -> str:
        """Without back quotes."""
        word = self.take()
        return word[1:-1].replace("``", "`") if word[0] == "`" else word


def read_fields(lex: Lexer, end: str) -> list[tuple[str, Type]]:
    """name[:] type, …"""
    fields = []
    while lex.peek() != end:
        name = lex.name()
        if lex.peek() == ":":
            lex.take()
        fields.append((name, read_type(lex)))
        if lex.peek() == ",":
            lex.take()
    return fields


def read_type(lex: Lexer) -> Type:
    """One type."""
    kind = lex.take().upper()
    if kind == "DECIMAL":
        lex.take("(")
        precision = int(lex.take())
        lex.take(",")
        scale = int(lex.take())
        lex.take(")")
        return Type(kind, precision, scale)
    if kind in ("STRUCT", "ARRAY", "MAP"):
        lex.take("<")
        out = Type(kind)
        if kind == "STRUCT":
            out.fields = read_fields(lex, ">")
        else:
            if kind == "MAP":
                read_type(lex)
                lex.take(",")
            out.item = read_type(lex)
        lex.take(">")
        return out
    return Type(kind)


def read_schema(ddl: str) -> Type:
    """The columns as one STRUCT."""
    return Type("STRUCT", fields=read_fields(Lexer(ddl), ""))


# ---- values ----


class Format(Protocol):
    """What patterns.py and legacy.py have."""

    def parse_date(self, text: str) -> int:
        """Days."""

    def parse_timestamp(self, text: str, session: times.Zone) -> int:
        """Micros."""

    def parse_ntz(self, text: str) -> int:
        """Micros."""


def base64_of(text: str) -> bytes:
    """Jackson's MIME variant: groups of four, blanks between them, padding needed."""
    out, at = b"", 0
    while True:
        while at < len(text) and text[at] <= " ":
            at += 1
        group = text[at : at + 4]
        if not group:
            return out
        if len(group) == 1:  # Jackson takes the quote behind it for its second letter
            raise times.Unknowable
        if not re.fullmatch(r"[A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/][A-Za-z0-9+/=])", group):
            raise Bad
        out += base64.b64decode(group)
        at += 4


@dataclass
class Converter:
    """JacksonParser: tokens to values of the schema's types."""

    session: times.Zone
    features: tokens.Features
    partial: bool
    date_fallback: bool = True
    stamp_fallback: bool = True
    date_format: Format | None = None  # None: Spark's default
    stamp_format: Format | None = None
    ntz_format: Format | None = None

    def value(self, p: tokens.Parser, t: Type) -> Any:
        """parseJsonToken and the type's converter."""
        if p.token == NAME:
            p.next()
        if p.token in (None, NULL):
            return None
        if t.kind == "STRUCT" and p.token == OBJECT:
            return self.object(p, t, root=False)
        if t.kind == "ARRAY" and p.token == ARRAY:
            return self.array(p, t)
        if t.kind == "MAP" and p.token == OBJECT:
            return self.map(p, t)
        if t.kind == "STRING":
            return tokens.to_utf8(p.string()) if p.token == STRING else copy_value(p)
        if p.token == STRING:
            return self.of_text(p.string(), t)
        if p.token in (INT, FLOAT):
            return self.of_number(p.value, p.token, t)
        if t.kind == "BOOLEAN" and p.token in (tokens.TRUE, tokens.FALSE):
            return p.token == tokens.TRUE
        raise Bad

    def object(self, p: tokens.Parser, t: Type, root: bool) -> Row:
        """convertObject."""
        row: Row = {name: None for name, _ in t.fields}
        types, bad = dict(t.fields), False
        while p.next() not in (None, OBJECT_END):
            name = p.name()
            key = "" if name is None else to_text(name)
            if name is None or key not in types:
                p.skip_children()
                continue
            try:
                row[key] = self.value(p, types[key])
            except Partial as partial:
                if not (root or self.partial):
                    raise
                bad = True
                if self.partial:
                    row[key] = partial.value
                else:
                    p.skip_children()
            except NON_FATAL:
                if not (root or self.partial):
                    raise
                bad = True
                p.skip_children()
        if bad:
            raise Partial(row)
        return row

    def array(self, p: tokens.Parser, t: Type) -> list[Any]:
        """convertArray."""
        values, bad = [], False
        assert t.item
        while p.next() not in (None, ARRAY_END):
            try:
                values.append(self.value(p, t.item))
            except Partial as partial:
                if not self.partial:
                    raise
                bad = True
                values.append(partial.value)
        if bad:
            raise Partial(values)
        return values

    def map(self, p: tokens.Parser, t: Type) -> list[tuple[str, Any]]:
        """convertMap: keys and values that don't match in number are an error."""
        keys, values, bad = [], [], False
        assert t.item
        while p.next() not in (None, OBJECT_END):
            keys.append(to_text(p.name() or ""))
            try:
                values.append(self.value(p, t.item))
            except Partial as partial:
                if not self.partial:
                    raise
                bad = True
                if t.item.kind == "STRUCT":
                    values.append(partial.value)
            except NON_FATAL:
                if not self.partial:
                    raise
                bad = True
                p.skip_children()
        if len(keys) != len(values):
            raise Bad
        pairs = list(zip(keys, values, strict=True))
        if bad:
            raise Partial(pairs)
        return pairs

    def of_number(self, text: str, token: str, t: Type) -> Any:
        """An INT or FLOAT token."""
        special = text in SPECIAL_TEXTS
        if t.kind in ("FLOAT", "DOUBLE"):
            if special:
                return float(SPECIAL_TEXTS[text])
            if token == FLOAT:
                return numbers.float_of(text) if t.kind == "FLOAT" else float(text)
            value = int(text)
            if t.kind == "DOUBLE":
                return float(text) + 0.0
            exact = -(2**63) <= value < 2**63
            return numbers.to_float(Fraction(value) if exact else float(text)) + 0.0
        if t.kind == "DECIMAL" and not special:
            return numbers.decimal_of(text, t.precision, t.scale)
        if token == INT and t.kind in RANGES:
            low, high = RANGES[t.kind]
            if not low <= int(text) <= high:
                raise Bad
            value = int(text)
            return value - 256 if t.kind == "TINYINT" and value > 127 else value
        if token == INT and t.kind == "TIMESTAMP":
            if not -(2**63) <= int(text) < 2**63:
                raise Bad
            return (int(text) * times.MICROS + 2**63) % 2**64 - 2**63
        raise Bad

    def of_text(self, text: str, t: Type) -> Any:
        """A STRING token for another type."""
        if t.kind == "BINARY":
            return base64_of(text)
        if not text:
            raise Bad
        if t.kind in ("FLOAT", "DOUBLE"):
            if text not in SPECIAL_TEXTS or not self.features.non_numeric:
                raise Bad
            return float(SPECIAL_TEXTS[text])
        if t.kind == "DECIMAL":
            return numbers.decimal_of(text.replace(",", ""), t.precision, t.scale)
        raw = tokens.to_utf8(text)
        if t.kind == "DATE":
            return self.date(raw)
        if t.kind == "TIMESTAMP":
            return self.timestamp(raw)
        if t.kind == "TIMESTAMP_NTZ":
            if self.ntz_format:
                return self.ntz_format.parse_ntz(raw.decode())
            return times.parse_ntz(raw, allow_zone=False)
        raise Bad

    def timestamp(self, raw: bytes) -> int:
        """By the pattern or Spark's own way, then by that of Spark 2."""
        try:
            if self.stamp_format:
                return self.stamp_format.parse_timestamp(raw.decode(), self.session)
            return times.parse_timestamp(raw, self.session)
        except times.TimeError:
            if not self.stamp_fallback:
                raise
        return times.parse_timestamp(raw.replace(b"GMT", b""), self.session)

    def date(self, raw: bytes) -> int:
        """Spark 1.5 wrote days."""
        try:
            if self.date_format:
                return self.date_format.parse_date(raw.decode())
            return times.parse_date(raw)
        except times.TimeError:
            if not self.date_fallback:
                raise
        try:
            return times.parse_date(raw.replace(b"GMT", b""))
        except times.TimeError:
            text = raw.decode("utf-8", "replace")
            if not re.fullmatch(r"[+-]?\d+", text):
                raise
            return times.rebase_julian(times.check_int(int(text)))


def to_text(units: str) -> str:
    """UTF-16 units as a str."""
    return tokens.to_utf8(units).decode()


JSON_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n",
                "\f": "\\f", "\r": "\\r"}  # fmt: skip


def json_text(units: str) -> str:
    """UTF8JsonGenerator.writeString: surrogates are escaped."""
    out = []
    for c in units:
        if c in JSON_ESCAPES:
            out.append(JSON_ESCAPES[c])
        elif c < " " or 0xD800 <= ord(c) < 0xE000:
            out.append(f"\\u{ord(c):04X}")
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def number_text(text: str, token: str) -> str:
    """Integers as they are, all else through double."""
    if token == INT:
        return str(int(text))
    value = float(SPECIAL_TEXTS.get(text, text))
    shown = numbers.real_text(value)
    return f'"{shown}"' if value != value or abs(value) == float("inf") else shown


def copy_value(p: tokens.Parser) -> bytes:
    """copyCurrentStructure: the value as compact JSON."""
    if p.token in (OBJECT_END, ARRAY_END):
        raise Bad
    out: list[str] = []
    depth, first = 0, True
    while True:
        token = p.token
        if token is None:
            raise tokens.JsonError("no current event to copy")
        if token in (OBJECT_END, ARRAY_END):
            depth -= 1
            out.append(token)
            first = False
        else:
            if not first and depth:
                out.append(",")
            first = token in (OBJECT, ARRAY, NAME)
            if token == NAME:
                out.append(json_text(p.name() or "") + ":")
            elif token == STRING:
                out.append(json_text(p.string()))
            elif token in (INT, FLOAT):
                out.append(number_text(p.value, token))
            elif token in (OBJECT, ARRAY):
                out.append(token)
                depth += 1
            else:
                out.append(token.lower())
        if depth == 0:
            return "".join(out).encode()
        p.next()
