"""CAST without ANSI mode, and the type that COALESCE's arguments share."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from . import numbers, times, tokens
from .row import Type

BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}
REALS = ("FLOAT", "DOUBLE")
NUMERIC = (*BITS, "FLOAT", "DOUBLE", "DECIMAL")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ")
INT_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INT": 10, "BIGINT": 20}
CONTROLS = "".join(map(chr, range(0x21)))
YES, NO = ("t", "true", "y", "yes", "1"), ("f", "false", "n", "no", "0")
INT_TEXT = re.compile(r"([+-]?)(\d*)(\.\d*)?\Z", re.A)
REAL_TEXT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?\Z", re.A)


def wrap(value: int, kind: str) -> int:
    """A Java integer of this many bits."""
    size = 1 << BITS[kind]
    return (value + size // 2) % size - size // 2


def decode(value: bytes) -> str:
    """UTF8String.toString."""
    return (
        tokens.utf16_units(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    )


def to_text(value: Any, t: Type, zone: times.Zone) -> str:
    """CAST AS STRING."""
    if t.kind in ("STRING", "BINARY"):
        return decode(value)
    if t.kind == "BOOLEAN":
        return "true" if value else "false"
    if t.kind in REALS:
        return numbers.real_text(value, t.kind == "FLOAT")
    if t.kind == "DATE":
        return times.date_text(value)
    if t.kind == "TIMESTAMP":
        return times.cast_text(value, zone)
    if t.kind == "TIMESTAMP_NTZ":
        return times.cast_text(value, None)
    return str(value)


# ---- from text ----


def int_of_text(text: str, kind: str) -> int | None:
    """UTF8String.toLong(allowDecimal): what is behind the point must be digits only."""
    m = INT_TEXT.match(text.strip(CONTROLS + "\x7f"))
    if not m or not (m[2] or m[3]):
        return None
    value = int(m[2] or "0") * (-1 if m[1] == "-" else 1)
    return value if wrap(value, kind) == value else None


def real_of_text(text: str, kind: str) -> float | None:
    """Double.parseDouble, then the words that Spark knows beside it."""
    text = text.strip(CONTROLS)
    if REAL_TEXT.match(text):
        digits = text.rstrip("dDfF")
        return numbers.float_of(digits) if kind == "FLOAT" else float(digits)
    if text in ("NaN", "+NaN", "-NaN") or text.lower() == "nan":
        return math.nan
    sign = -1 if text.startswith("-") else 1
    word = text[1:] if text[:1] in ("+", "-") else text
    return sign * math.inf if word.lower() in ("inf", "infinity") else None


def of_text(value: bytes, to: Type, zone: times.Zone) -> Any:
    """A STRING as something else."""
    kind, text = to.kind, decode(value)
    if kind == "BINARY":
        return value
    if kind == "BOOLEAN":
        word = text.strip(CONTROLS + "\x7f").lower()
        return word in YES if word in YES + NO else None
    if kind in BITS:
        return int_of_text(text, kind)
    if kind in REALS:
        return real_of_text(text, kind)
    if kind == "DECIMAL":
        return decimal(text.strip(CONTROLS), to)
    try:
        if kind == "DATE":
            return times.parse_date(value)
        if kind == "TIMESTAMP":
            return times.parse_timestamp(value, zone)
        return times.parse_ntz(value, allow_zone=True)
    except times.TimeError:
        return None


def decimal(text: str, to: Type) -> str | None:
    """HALF_UP; null beyond the precision."""
    try:
        return numbers.decimal_of(text, to.precision, to.scale)
    except numbers.NumberError:
        return None


# ---- numbers and times ----


def int_of_real(value: float, kind: str) -> int:
    """Java's casts: to long or int, which saturate, and then to what is smaller."""
    if value != value:
        return 0
    bound = 2 ** (63 if kind == "BIGINT" else 31)
    whole = -bound if value <= -bound else bound - 1 if value >= bound else int(value)
    return wrap(whole, kind)


def to_real(value: float | Fraction | int, kind: str) -> float:
    """Rounded once."""
    if kind == "FLOAT":
        return numbers.to_float(value if isinstance(value, float) else Fraction(value))
    return float(value)


def real_of(value: Any, t: Type, kind: str) -> float:
    """A number as FLOAT or DOUBLE."""
    if t.kind == "DECIMAL":
        return numbers.float_of(value) if kind == "FLOAT" else float(value)
    return to_real(float(value) if t.kind == "BOOLEAN" else value, kind)


def of_number(value: Any, t: Type, to: Type) -> Any:
    """BOOLEAN counts as one."""
    kind = to.kind
    if kind == "BOOLEAN":
        return Decimal(value) != 0 if t.kind == "DECIMAL" else value != 0
    if kind in REALS:
        return real_of(value, t, kind)
    if kind == "DECIMAL":
        if t.kind in REALS:
            return None if math.isnan(value) or math.isinf(value) else decimal(
                numbers.real_text(value), to
            )  # fmt: skip
        return decimal(str(int(value) if t.kind != "DECIMAL" else value), to)
    if kind == "TIMESTAMP":
        return micros_of_number(value, t)
    if t.kind in REALS:
        return int_of_real(value, kind)
    return wrap(int(Decimal(value) if t.kind == "DECIMAL" else value), kind)


def micros_of_number(value: Any, t: Type) -> int | None:
    """Seconds; Java's multiplication wraps. true is one microsecond."""
    if t.kind == "BOOLEAN":
        return int(value)
    if t.kind in REALS:
        if math.isnan(value) or math.isinf(value):
            return None
        return int_of_real(value * 1e6, "BIGINT")
    if t.kind == "DECIMAL":
        return wrap(int(Fraction(Decimal(value)) * times.MICROS), "BIGINT")
    return wrap(int(value) * times.MICROS, "BIGINT")


def of_time(value: int, t: Type, to: Type, zone: times.Zone) -> Any:
    """Between dates and times, and what a TIMESTAMP is as a number."""
    kind, day = to.kind, times.DAY * times.MICROS
    if kind in BITS:
        return wrap(value // times.MICROS, kind)
    if kind in REALS:
        return to_real(value / 1e6, kind)
    if kind == "DECIMAL":
        return decimal(numbers.real_text(value / 1e6), to)
    local = value
    if t.kind == "DATE":
        local = value * day
    elif t.kind == "TIMESTAMP":
        local = value + zone.offset_at(value // times.MICROS) * times.MICROS
    if kind == "DATE":
        return local // day
    if kind == "TIMESTAMP":
        local -= zone.offset_of_local(local // times.MICROS) * times.MICROS
    return local if times.LONG_MIN <= local <= times.LONG_MAX else None


def cast(value: Any, t: Type, to: Type, zone: times.Zone) -> Any:
    """None where it can't be."""
    same = t.kind == to.kind and t.kind != "DECIMAL"
    if value is None or same:
        return value
    if to.kind == "STRING":
        return value if t.kind == "BINARY" else to_text(value, t, zone).encode()
    if t.kind == "STRING":
        return of_text(value, to, zone)
    if t.kind in TIMES:
        return of_time(value, t, to, zone)
    return of_number(value, t, to)


# ---- types in common ----


def common(a: Type, b: Type) -> Type:
    """The type that two arguments of COALESCE get."""
    kinds = {a.kind, b.kind}
    if len(kinds) == 1 and a.kind != "DECIMAL":
        return a
    if "STRING" in kinds:
        return Type("STRING")
    if "DECIMAL" in kinds:
        return Type("DOUBLE") if kinds & set(REALS) else wider_decimal(a, b)
    if kinds <= set(NUMERIC):
        return Type(max(kinds, key=NUMERIC.index))
    if kinds == {"DATE", "TIMESTAMP"}:
        return Type("TIMESTAMP")
    raise ValueError(f"{a.kind} and {b.kind} have no type in common")


def wider_decimal(a: Type, b: Type) -> Type:
    """All digits of both, as far as 38 go."""
    sizes = [(t.precision, t.scale) if t.kind == "DECIMAL" else (INT_DIGITS[t.kind], 0)
             for t in (a, b)]  # fmt: skip
    scale = max(s for _, s in sizes)
    whole = max(p - s for p, s in sizes)
    return Type("DECIMAL", min(whole + scale, 38), min(scale, 38))
