"""Random groups for diff.py: a schema, options, a select list, and records for them.

All comes from one seeded random.Random. Values are mostly of the right kind, often at an
edge of it, sometimes of another kind; texts of records are damaged now and then.
"""

# ruff: noqa: E501, RUF001 (tables of values are read along the line)

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sparkref import patterns, times
from sparkref.engine import Message

# ("INT",), ("DECIMAL", p, s), ("STRUCT", [(name, Type)…]), ("ARRAY", Type), ("MAP", Type)
Type = tuple[Any, ...]

SCALARS = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING",
    "STRING", "STRING", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "DECIMAL", "BINARY",
)  # fmt: skip
NAMES = (
    "a", "b", "c", "d", "e", "id", "Id", "name", "first", "last", "ts", "x1", "x_y",
    "a b", "é", "ключ", "a.b", "#c", "ratio", "k\U0001f600",
)  # fmt: skip
ZONES = (
    "UTC", "UTC", "UTC", "Europe/Istanbul", "America/New_York", "Asia/Kolkata", "+03:00",
    "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "-08:30", "GMT+1",
    "Europe/London", "Asia/Tokyo",
)  # fmt: skip


@dataclass
class Group:
    """What one reader and one writer are made of, and the records they get."""

    schema: list[tuple[str, Type]]
    settings: dict[str, str]
    records: list[Message] = field(default_factory=list)


# ---- schema ----


def quoted(name: str) -> str:
    """A name as DDL and select lists take it."""
    plain = name.isascii() and name.replace("_", "a").isalnum() and name[0].isalpha()
    return name if plain else "`" + name.replace("`", "``") + "`"


def random_type(rng: random.Random, depth: int = 0) -> Type:
    """Scalars mostly, containers while they are not too deep."""
    kind = rng.random()
    if depth < 3 and kind < 0.16:
        return ("STRUCT", random_fields(rng, depth + 1))
    if depth < 3 and kind < 0.2:
        return ("ARRAY", random_type(rng, depth + 1))
    if depth < 3 and kind < 0.23:
        return ("MAP", random_type(rng, depth + 1))
    name = rng.choice(SCALARS)
    if name != "DECIMAL":
        return (name,)
    precision = rng.choice((1, 5, 10, 10, 18, 20, 38))
    return (name, precision, rng.randint(0, min(precision, rng.choice((0, 2, 6, 38)))))


def random_fields(rng: random.Random, depth: int) -> list[tuple[str, Type]]:
    """Names that differ in any case."""
    fields: list[tuple[str, Type]] = []
    for name in rng.sample(NAMES, rng.randint(1, 8 if depth == 0 else 3)):
        if name.lower() not in (n.lower() for n, _ in fields):
            fields.append((name, random_type(rng, depth)))
    return fields


def ddl(t: Type) -> str:
    """The type's text."""
    if t[0] == "STRUCT":
        return "STRUCT<" + ", ".join(f"{quoted(n)}: {ddl(f)}" for n, f in t[1]) + ">"
    if t[0] == "ARRAY":
        return f"ARRAY<{ddl(t[1])}>"
    if t[0] == "MAP":
        return f"MAP<STRING, {ddl(t[1])}>"
    return f"DECIMAL({t[1]},{t[2]})" if t[0] == "DECIMAL" else t[0]


def leaves(name: str, t: Type, rng: random.Random) -> list[tuple[str, Type]]:
    """Paths of columns that a CSV can hold."""
    if t[0] == "STRUCT":
        return [leaf for n, f in t[1] for leaf in leaves(f"{name}.{quoted(n)}", f, rng)]
    if t[0] == "ARRAY":
        return leaves(f"{name}[{rng.choice((0, 0, 1, 2))}]", t[1], rng)
    if t[0] == "MAP":
        return leaves(f"{name}['{rng.choice('kab')}']", t[1], rng)
    return [(name, t)]


Leaf = tuple[str, Type]
CONTAINERS = ("STRUCT", "ARRAY", "MAP")
NUMBERS = ("TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")
CASTS = {
    "STRING": ("BOOLEAN", *NUMBERS, "DATE", "TIMESTAMP", "TIMESTAMP_NTZ"),
    **dict.fromkeys(("BOOLEAN", *NUMBERS), ("BOOLEAN", *NUMBERS, "TIMESTAMP")),
    "DATE": ("TIMESTAMP", "TIMESTAMP_NTZ"),
    "TIMESTAMP": ("DATE", "TIMESTAMP_NTZ", *NUMBERS),
    "TIMESTAMP_NTZ": ("DATE", "TIMESTAMP"),
}
READ = (
    "yyyy-MM-dd", "dd/MM/yyyy", "yyyyMMdd", "d MMM yyyy", "MM-dd-yyyy", "MMM d, yyyy",
    "yyyy-MM-dd HH:mm:ss", "yyyy/MM/dd HH:mm", "dd.MM.yyyy hh:mm a", "yyyyMMddHHmmss",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "yyyy-DDD", "yy-MM-dd", "MMMM yyyy", "HH:mm", "K:mm a",
    "yyyy-MM-dd['T'HH:mm:ss]", "y-M-d H:m:s", "yyyy-MM-dd HH:mm:ss X", "yyyy-MM-dd kk:mm",
    "yyyy-MM-dd HH:mm:ss.SSSSSS", "d/M/y", "yyyy-MM-dd HH:mm:ssxx", "G yyyy-MM-dd", "a",
)  # fmt: skip
PRINT = (
    *READ, "EEE d MMM yyyy", "EEEE", "Q QQ QQQ QQQQ", "D", "DDD", "F", "VV", "O OOOO",
    "x xx xxx xxxx xxxxx", "X XX XXX XXXX XXXXX", "Z ZZZZ ZZZZZ", "SSSSSSSSS", "S", "yyy",
    "''yyyy''", "yyyy[ HH:mm]", "GGGG y", "yyyyy", "LLL LLLL", "k K h", "'it''s' yyyy", "",
)  # fmt: skip
SIMPLE = set("yMdHhKkmsSaEX -/.:,'T")  # what a pattern may hold under LEGACY
PIECES = ("'-'", "''", "' '", "'é'", "'x'", '"q"', "7", "-1.50", "TRUE", "NULL", "1e3",
          "'a' 'b'", "'it\\'s'", "'\\t'", "5L", "'\\u00e9\\101\\ud83d\\ude00\\ud83d'", "'\\%\\U0001F600\\_\\q'", "'2021-07-14'")  # fmt: skip


def called(rng: random.Random, name: str, *args: str) -> str:
    """Functions have no case."""
    name = rng.choice((name, name, name.upper(), name.capitalize()))
    return f"{name}({rng.choice((', ', ',')).join(args)})"


def target(rng: random.Random, kind: str) -> Type:
    """What a value of this kind can be cast to."""
    to = rng.choice(CASTS.get(kind, ("STRING",)))
    if to != "DECIMAL":
        return (to,)
    return ("DECIMAL", *rng.choice(((10, 2), (5, 2), (12, 3), (38, 18), (20, 0), (1, 1))))


@dataclass
class Expressions:
    """Random expressions over leaves that both Spark and we take."""

    rng: random.Random
    leaves: list[Leaf]
    legacy: bool

    def pattern(self, choices: tuple[str, ...]) -> str:
        """As a literal. SimpleDateFormat knows fewer letters, and some otherwise."""
        if self.legacy:
            choices = tuple(p for p in choices if set(p) <= SIMPLE and "XXXX" not in p)
        return '"' + self.rng.choice(choices) + '"'

    def any(self, depth: int = 0) -> Leaf:
        """Of any scalar type."""
        kind = self.rng.random()
        if depth > 2 or kind < 0.3:
            return self.rng.choice(self.leaves)
        if kind < 0.6:
            return self.text(depth + 1), ("STRING",)
        if kind < 0.8:
            inner, t = self.any(depth + 1)
            if t[0] not in CASTS:
                return inner, t
            to = target(self.rng, t[0])
            return f"CAST({inner} AS {ddl(to)})", to
        if kind < 0.9:
            return self.coalesced(depth)
        if kind < 0.94:
            return called(self.rng, "length", self.any(depth + 1)[0]), ("INT",)
        return self.parsed(depth)

    def coalesced(self, depth: int) -> Leaf:
        """Arguments whose types go together."""
        first, t = self.any(depth + 1)
        name = self.rng.choice(("coalesce", "coalesce", "nvl", "ifnull"))
        if t[0] == "STRING":
            return called(self.rng, name, first, self.text(depth + 1)), t
        same = [leaf for leaf in self.leaves if leaf[1] == t]
        if t[0] in NUMBERS and self.rng.random() < 0.5:
            other, u = self.rng.choice(
                [leaf for leaf in self.leaves if leaf[1][0] in NUMBERS]
                or [("0", ("INT",))]
            )
            wide = t if t == u else ("?",)
            return called(self.rng, name, first, other), wide
        other = self.rng.choice([leaf[0] for leaf in same] or ["NULL"])
        return called(self.rng, name, first, other), t

    def parsed(self, depth: int) -> Leaf:
        """to_date and to_timestamp, of anything."""
        name = self.rng.choice(("to_date", "to_timestamp"))
        args = [self.any(depth + 1)[0]]
        if self.rng.random() < 0.6:
            args.append(self.pattern(READ))
        kind = "DATE" if name == "to_date" else "TIMESTAMP"
        return called(self.rng, name, *args), (kind,)

    def moment(self, depth: int) -> str:
        """What date_format takes."""
        inner, t = self.any(depth + 1)
        if t[0] in ("STRING", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ"):
            return inner
        return f"to_timestamp({inner})" if t[0] in ("INT", "BIGINT") else "timestamp"

    def text(self, depth: int = 0) -> str:
        """Of type STRING."""
        rng = self.rng
        pick = rng.random()
        some = [self.any(depth + 1)[0] for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.4:
            some.insert(rng.randint(0, len(some)), rng.choice(PIECES))
        if pick < 0.2:
            return f"CAST({some[0]} AS STRING)"
        if pick < 0.4:
            name = rng.choice(
                ("trim", "ltrim", "rtrim", "upper", "lower", "ucase", "lcase")
            )
            return called(rng, name, some[0])
        if pick < 0.5:
            return called(rng, "concat", *some)
        if pick < 0.58:
            return "(" + " || ".join(["''", *some]) + ")"
        if pick < 0.7:
            sep = rng.choice(("';'", "''", "', '", "topic", some[0], "NULL"))
            return called(rng, "concat_ws", sep, *some)
        if pick < 0.85:
            bounds = [str(rng.randint(-5, 5)), str(rng.randint(-1, 6))]
            name = rng.choice(("substring", "substr"))
            return called(rng, name, some[0], *bounds[: rng.randint(1, 2)])
        if pick < 0.93:
            return called(rng, "date_format", self.moment(depth), self.pattern(PRINT))
        ints = [
            n for n, t in self.leaves if t[0] in ("INT", "BIGINT", "SMALLINT", "STRING")
        ]
        args = [rng.choice(ints or ["1626228905"])]
        if rng.random() < 0.5:
            args.append(self.pattern(PRINT))
        return called(rng, "from_unixtime", *args)


def kafka_item(rng: random.Random, sensitive: bool) -> str:
    """Columns that are not the record's."""
    if not sensitive and rng.random() < 0.2:
        return rng.choice(("KEY", "CAST(Headers[0].Value AS STRING)", "HEADERS.Key[0]"))
    i = rng.choice((0, 0, 1, 2, 5, -1))
    return rng.choice((
        "topic", "partition", "offset", "timestamp", "key", "timestampType",
        "CAST(key AS STRING)", "CAST(timestamp AS DATE)", "topic || '-' || partition",
        f"headers[{i}].key", f"CAST(headers[{i}].value AS STRING)", f"headers.key[{i}]",
        f"upper(headers[{i}].key)", f"CAST(headers.value[{i}] AS STRING)",
        f"coalesce(headers[{i}].key, '-')", f"concat_ws(':', headers[{i}].key, offset)",
        f"CAST(CAST(headers[{i}].value AS STRING) AS INT)",
    ))  # fmt: skip


def path_of(rng: random.Random, path: str, sensitive: bool) -> str:
    """Perhaps behind data., perhaps in another case."""
    if path.isascii() and not sensitive and rng.random() < 0.05 and "'" not in path:
        path = path.swapcase()
    return f"data.{path}" if rng.random() < 0.04 else path


def random_select(
    rng: random.Random, schema: list[tuple[str, Type]], settings: dict[str, str]
) -> str:
    """`*` where the columns allow it, else some leaves and expressions, aliased."""
    plain = all(t[0] not in (*CONTAINERS, "BINARY") for _, t in schema)
    if plain and rng.random() < 0.4:
        return rng.choice(("*", "data.*"))
    sensitive = settings.get("spark.sql.caseSensitive") == "true"
    legacy = settings.get("spark.sql.legacy.timeParserPolicy") == "LEGACY"
    found = [leaf for n, t in schema for leaf in leaves(quoted(n), t, rng)]
    found = [(path_of(rng, path, sensitive), t) for path, t in found]
    found = [
        (f"CAST({path} AS STRING)", ("STRING",)) if t[0] == "BINARY" else (path, t)
        for path, t in found
    ]
    make = Expressions(rng, found or [("topic", ("STRING",))], legacy)
    items = [path for path, _ in found if rng.random() < 0.7]
    if rng.random() < 0.6:
        items += [make.any()[0] for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.25:
        items.append(kafka_item(rng, sensitive))
    rng.shuffle(items)
    aliased = [
        f"{item} {rng.choice(('AS ', 'AS ', 'as ', ''))}"
        + quoted(f"c{rng.choice(('', '', ' '))}{i}")
        for i, item in enumerate(items)
    ]
    for name, t in schema:
        flat = t[0] == "STRUCT" and all(
            f[0] not in (*CONTAINERS, "BINARY") for _, f in t[1]
        )
        if flat and rng.random() < 0.15:
            aliased.append(f"{quoted(name)}.*")
            break
    return ", ".join(aliased) or "topic"


# ---- options ----

FORMATS = (
    "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSX", "dd/MM/yyyy HH:mm",
    "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "yyyy-MM-dd hh:mm:ss a", "d MMM yyyy HH:mm:ss", "yyyyMMddHHmmss",
)  # fmt: skip
# FastDateFormat knows other letters, and these ones otherwise
NOT_LEGACY = ("EEEE", "'Q'Q yyyy DDD", "yyyy-MM-dd VV O", "Z ZZZZ x")


def random_options(rng: random.Random) -> dict[str, str]:
    """Each option rarely, so that most groups have one or two."""
    out: dict[str, str] = {}

    def maybe(name: str, *values: str, p: float = 0.06) -> None:
        if rng.random() < p:
            out[name] = rng.choice(values)

    for name in (
        "allowComments", "allowUnquotedFieldNames", "allowNumericLeadingZeros",
        "allowBackslashEscapingAnyCharacter", "allowUnquotedControlChars",
    ):  # fmt: skip
        maybe(f"json.{name}", "true")
    for name in ("allowSingleQuotes", "allowNonNumericNumbers"):
        maybe(f"json.{name}", "false")
    maybe("json.primitivesAsString", "true", p=0.02)
    random_formats(maybe)
    maybe("json.mode", "FAILFAST")
    maybe("json.enableDateTimeParsingFallback", "true", "false", p=0.03)
    maybe("spark.sql.session.timeZone", *ZONES, p=0.4)
    maybe("spark.sql.json.enablePartialResults", "false", p=0.12)
    maybe("spark.sql.legacy.timeParserPolicy", "CORRECTED", "LEGACY", "LEGACY", p=0.12)
    maybe("spark.sql.caseSensitive", "true")
    maybe("csv.sep", "|", "\t", ";", "||", ";;", "x", "^|", " ", "ab", p=0.15)
    maybe("csv.header", "true")
    maybe("csv.quote", "'", "|", "\x00", "", "~", p=0.1)
    maybe("csv.escape", '"', "'", "^", "\x00", "/", p=0.12)
    maybe("csv.charToEscapeQuoteEscaping", "\\", '"', "#", "\x00")
    maybe("csv.quoteAll", "true", p=0.12)
    maybe("csv.escapeQuotes", "false", p=0.1)
    maybe("csv.nullValue", "NULL", "\\N", "-", '""', " ", "a,b", 'q"', p=0.12)
    maybe("csv.emptyValue", "", "EMPTY", "''", " ", "a,b", '"', p=0.12)
    maybe("csv.lineSep", "\r\n", "\r", ";", "x", "\n", "||", p=0.1)
    maybe("csv.ignoreLeadingWhiteSpace", "false", p=0.15)
    maybe("csv.ignoreTrailingWhiteSpace", "false", p=0.15)
    maybe("csv.comment", "#", ";", "a", "\x00")
    maybe("csv.encoding", "ISO-8859-1", "US-ASCII", "UTF-16LE", "UTF-16BE", p=0.05)
    maybe("csv.dialect", "rfc4180", p=0.05)
    maybe("csv.formula.guard", "true", p=0.05)
    maybe("spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv", "true")
    if out.get("spark.sql.legacy.timeParserPolicy") == "LEGACY":
        for name in [n for n in out if out[n] in NOT_LEGACY]:
            del out[name]
    return out


def random_formats(maybe: Callable[..., None]) -> None:
    """Patterns."""
    dates = (
        "yyyy-MM-dd",
        "dd/MM/yyyy",
        "yyyyMMdd",
        "d MMM yyyy",
        "MM/dd/yyyy",
        "yyyy-M-d",
    )
    maybe("json.dateFormat", *dates, p=0.08)
    maybe("json.timestampFormat", *FORMATS, p=0.1)
    maybe("json.timestampNTZFormat", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd HH:mm:ss[.SSS]")
    maybe("csv.dateFormat", *dates, "EEEE", "'Q'Q yyyy DDD", p=0.08)
    maybe(
        "csv.timestampFormat",
        *FORMATS,
        "HH:mm:ss.SSS",
        "yyyy-MM-dd VV O",
        "Z ZZZZ x",
        p=0.1,
    )
    maybe("csv.timestampNTZFormat", "yyyy-MM-dd HH:mm:ss", "yyyyMMddHHmmssSSS")


# ---- values ----

TEXTS = (
    "", " ", "a", "abc", "a,b", 'say "hi"', "\\", "a\\b", "a\\\\", "é", "日本", "\U0001f600",
    "#x", "a\nb", "a\r\nb", "\tx", "x ", " x", "  ", "\u00a0x", "'", "''", '"', '""', ",",
    ";", "|", "||", "a||b", "null", "NULL", "true", "1", "-", "\\N", "x\x00y", "\x01",
    "\x7f", "^", "~", "a;b", "x\ty", "/", "a/b", "\u2028", "\ufeff", "ß", "İ", "=1+1",
    '"a"', "'a'", "a'b", 'a"', '\\"', 'a,"b\\', "#", ";x", "b\n", "\nb", "-,", "NaN",
    "12", " 12 ", "1.5", "+7", "1e3", "2147483648", "2021-07-14", "2021-07-14 02:15:05",
    "yes", "t", "0", "128", "1,5", "12x", "Infinity", "ΟΔΟΣ", "Σ", "αΣ.", "ǆ", "ŉ", "ﬁn", "ı",
    "\u2126", "ÿ", "ᾳ", "İI", "ЖЂ", "\U00010400", "ა", "Ა", "ﬀΐ", "ς", "A'Σ x", "ß'ΑΣ",
)  # fmt: skip
ESCAPES = (
    '"\\u0041"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00x"', '"\\n\\t\\r"',
    '"\\/\\b\\f"', '"\\u0000"', '"\\x"', '"\\u12"', '"\\uD83Dx"', "'it'", "'a\\'b'",
    "'\"'", '"\\\'"', '"a\tb"', '"a\nb"', '"\\ud83d\\ud83d"', '"\\u000a"', '"\\u20acx"',
)  # fmt: skip
INTS = (
    "0", "-0", "1", "-1", "42", "127", "128", "-128", "-129", "255", "256", "32767",
    "32768", "-32768", "65535", "2147483647", "2147483648", "-2147483648", "-2147483649",
    "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "123456789012345678901234567890", "1626228905", "16777217",
    "9007199254740993", "1626228905564", "-62135596800", "253402300800",
)  # fmt: skip
REALS = (
    "0.0", "-0.0", "1.0", "1.5", "1.50", "-2.5", "1e2", "1E5", "1e-5", "1.005", "0.1",
    "3.4028236e38", "1e309", "-1e309", "1e-400", "4.9e-324", "2e23", "8.41e21", "1.0e7",
    "9999999.0", "0.001", "0.0009999", "123456.789", "1e22", "1e23", "12345678901234.5",
    "1.17549435e-38", "16777217.0", "0.5", "2.675", "99999999.995", "1e10", "-1.5e-10",
    "123456789.123456789123", "0.30000001192092896", "1.4e-45", "7e-46", "1E+2", "33554433.5",
)  # fmt: skip
BROKEN = (
    "01", "+5", ".5", "5.", "1e", "-", "--1", "0x1", "1.e5", "1e+", "True", "nul", "INF",
    "+NaN", "tru", "00", "-01", "1_0", "undefined", "a", "@", "-a", "1a", "+INFx", "NaN1",
)  # fmt: skip
SPECIALS = ("NaN", "Infinity", "-Infinity", "+Infinity", "+INF", "-INF")
DATES = (
    "2021-07-14", "1990-02-30", "1990-13-01", "0000-00-00", "1-1-1", "2021-7-4", "2021",
    "2021-07", "2021-07-14T", "2021-07-14Tjunk", "2021-07-14 garbage", "12021-01-01",
    "-0044-03-15", "+2021-01-01", "20210714", "17/05/1990", "1582-10-10", "9999-12-31",
    "10000-01-01", "1970-01-01", "0001-01-01", " 2021-07-14 ", "2021-07-14Z", "7300", "-1",
    "2020-02-29", "2021-02-29", "1900-02-29", "epoch", "14 Jul 2021", "4 Jul 2021", "+5",
    "2021-07-14GMT", "294247-01-10", "5881580-07-11", "999999", "02021-01-01",
)  # fmt: skip
STAMPS = (
    "2021-07-14T02:15:05", "2021-07-14 02:15:05", "2021-07-14T02:15:05Z",
    "2021-07-14T02:15:05.564Z", "2021-07-14T02:15:05.123456789+02:00", "2021-07-14T02:15",
    "2021-07-14T02:15:05+0200", "2021-07-14T02:15:05+02", "2021-07-14 02:15:05.5",
    "2021-07-14T02:15:05 Europe/Paris", "2021-07-14T02:15:05GMT+3", "2021-07-14T24:00:00",
    "2021-03-14T02:30:00", "2021-11-07T01:30:00", "2021-03-28T01:30:00", "1850-01-01T00:00:00",
    "2021-07-14T02:15:60", "2021-7-4T2:5:9", "2021-07-14t02:15:05", "2021-07-14T02:15:05z",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "10000-01-01T00:00:00Z",
    "2021-07-14T02:15:05.1234567", "2021-07-14T02:15:05,5", "2021-07-14T02:15:05-18:00",
    "2021-07-14T02:15:05+18:01", "2021-07-14T02:15:05.564+03:00", "2021-07-14T02:15:05 UTC",
    "14/07/2021 02:15", "2021-07-14T02:15:05EST", "2021-07-14T02:15:05 +1:00", "1969-12-31T23:59:59.9999",
    "2021-07-14T02:15:05+02:00:30", "-0044-03-15T12:00:00", "294247-01-10T04:00:54.775807Z",
    "2021-07-14T02", "2021-07-14T2:15", "2021-07-14 02:15:05.000 ", "2021-07-14T02:15:05.",
    "2021-10-31T00:30:00", "2016-06-19T00:00:00", "1970-01-01", "2021-07-14T02:15:05[UTC]",
)  # fmt: skip
BASE64 = (
    "aGk=", "aGk", "YQ==", "aGk=aGk=", "", " aGk=", "aG k=", "aGk= ", "aGk=\n", "a*==",
    "====", "YQ= =", "aGkhaGkh", "aGk==", "_-8=", "YR==", "w6k=", "IA==", "8J+YgA==",
)  # fmt: skip
DECIMALS = (
    '"12.34"', '"1e2"', '"1,234.50"', '"9,9"', '" 12.34 "', '"abc"', '"-0.001"', '"+5"',
    '"1."', '".5"', '"1E-30"', '"99999999999999999999999999999999999999"', '","', '"0x1"',
    '"1e1000"', '"--1"', '"１２"', '"1e-2000"', '"-,1"', '"1,"', '"NaN"', '"$1"',
)  # fmt: skip


def json_string(rng: random.Random, text: str) -> str:
    """A JSON string of a text, some characters escaped without need."""
    out = []
    for c in text:
        if c in '"\\' or (c < " " and rng.random() < 0.9):
            out.append({"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}.get(c)
                       or f"\\u{ord(c):04x}")  # fmt: skip
        elif rng.random() < 0.03 and ord(c) < 0x10000:
            out.append(f"\\u{ord(c):04X}")
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def number(rng: random.Random) -> str:
    """A number of any size and form."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(INTS)
    if kind < 0.55:
        return rng.choice(REALS)
    if kind < 0.7:
        return str(rng.randint(-(10 ** rng.randint(1, 22)), 10 ** rng.randint(1, 22)))
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 20)))
    text = f"{rng.randint(0, 10 ** rng.randint(0, 8))}.{digits}"
    if rng.random() < 0.4:
        text += f"{rng.choice('eE')}{rng.choice(('', '-', '+'))}{rng.randint(0, rng.choice((9, 40, 330)))}"
    return rng.choice(("", "-")) + text


COMPILED = {p: patterns.Pattern(p) for p in (*READ, *FORMATS)}


def by_pattern(rng: random.Random) -> str:
    """As a pattern would print it, or a character off."""
    seconds = rng.choice((rng.randint(0, 2**31), rng.randint(-(2**37), 2**38)))
    micros = seconds * times.MICROS + rng.choice((0, 0, 564_000, rng.randint(0, 999_999)))
    text = COMPILED[rng.choice(list(COMPILED))].timestamp(micros, times.zone_of("+03:00"))
    if rng.random() < 0.15:
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(("", " ", "0", "-", "x", "9")) + text[at + 1 :]
    return text


def stamp(rng: random.Random) -> str:
    """A date or time, right or nearly so."""
    if rng.random() < 0.2:
        return by_pattern(rng)
    if rng.random() < 0.5:
        return rng.choice(STAMPS if rng.random() < 0.7 else DATES)
    year = rng.choice(
        (1, 1500, 1582, 1883, 1900, 1970, 1999, 2021, 2024, 2037, 2050, 9999)
    )
    day = f"{year:04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 31):02d}"
    if rng.random() < 0.2:
        return day
    time = f"{rng.randint(0, 24):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 60):02d}"
    frac = "." + "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 9)))
    zone = rng.choice(("", "", "Z", "+02:00", "-0530", "+14:00", " UTC", "-18:00"))
    return day + rng.choice("T T") + time + (frac if rng.random() < 0.5 else "") + zone


def scalar(rng: random.Random, t: Type) -> str:
    """A value for a column of this type; sometimes for another one."""
    kind = t[0]
    if rng.random() < 0.07:
        return rng.choice(("null", "true", "false", "{}", "[]", '""', "[1, 2]", '{"a":1}',
                           rng.choice(SPECIALS), rng.choice(BROKEN)))  # fmt: skip
    if rng.random() < 0.08:
        kind = rng.choice(SCALARS)
    if kind == "BOOLEAN":
        return rng.choice(("true", "false", "true", "false", '"true"', "1", "0"))
    if kind in ("TINYINT", "SMALLINT", "INT", "BIGINT"):
        return rng.choice(INTS) if rng.random() < 0.6 else number(rng)
    if kind in ("FLOAT", "DOUBLE"):
        special = rng.choice(SPECIALS)
        return (
            number(rng) if rng.random() < 0.9 else rng.choice((special, f'"{special}"'))
        )
    if kind == "DECIMAL":
        return number(rng) if rng.random() < 0.7 else rng.choice(DECIMALS)
    if kind == "DATE":
        return json_string(rng, rng.choice(DATES) if rng.random() < 0.7 else stamp(rng))
    if kind in ("TIMESTAMP", "TIMESTAMP_NTZ"):
        return json_string(rng, stamp(rng)) if rng.random() < 0.9 else number(rng)
    if kind == "BINARY":
        return json_string(rng, rng.choice(BASE64))
    pick = rng.random()
    if pick < 0.1:
        return json_string(rng, stamp(rng))
    if pick < 0.65:
        text = "".join(rng.choice(TEXTS) for _ in range(rng.choice((1, 1, 1, 2, 4, 12))))
        return json_string(rng, text)
    if pick < 0.8:
        return rng.choice(ESCAPES)
    return number(rng) if pick < 0.9 else any_value(rng)


def any_value(rng: random.Random, depth: int = 0) -> str:
    """Any JSON."""
    kind = rng.random()
    if depth > 3 or kind < 0.5:
        return scalar(rng, (rng.choice(SCALARS),))
    space = rng.choice(("", "", " ", "\n "))
    if kind < 0.75:
        items = (any_value(rng, depth + 1) for _ in range(rng.randint(0, 4)))
        return "[" + f",{space}".join(items) + "]"
    items = (
        f"{json_string(rng, rng.choice(NAMES))}:{space}{any_value(rng, depth + 1)}"
        for _ in range(rng.randint(0, 4))
    )
    return "{" + f",{space}".join(items) + "}"


def value(rng: random.Random, t: Type) -> str:
    """A value for a column."""
    if t[0] in ("STRUCT", "ARRAY", "MAP") and rng.random() < 0.06:
        return any_value(rng)
    if t[0] == "STRUCT":
        return object_of(rng, t[1])
    if t[0] == "ARRAY":
        return "[" + ",".join(value(rng, t[1]) for _ in range(rng.randint(0, 4))) + "]"
    if t[0] == "MAP":
        keys = rng.sample("kabc", rng.randint(0, 3))
        return "{" + ",".join(f'"{k}":{value(rng, t[1])}' for k in keys) + "}"
    return scalar(rng, t)


def object_of(rng: random.Random, fields: list[tuple[str, Type]]) -> str:
    """An object: in order mostly; some names missing, unknown, in another case, twice."""
    members = []
    for name, t in fields:
        if rng.random() < 0.08:
            continue
        key = name.swapcase() if rng.random() < 0.02 else name
        text = json_string(rng, key)
        if rng.random() < 0.02:
            text = rng.choice((f"'{key}'", key))
        members.append((text, value(rng, t)))
        if rng.random() < 0.04:
            members.insert(rng.randint(0, len(members)), (text, value(rng, t)))
    while rng.random() < 0.15:
        other = json_string(rng, rng.choice(("zzz", "", "unknown")))
        members.insert(rng.randint(0, len(members)), (other, any_value(rng)))
    if rng.random() < 0.15:
        rng.shuffle(members)
    space = rng.choice(("", "", " ", "\n  ", "\t", " \r\n"))
    colon = rng.choice((":", ": ", " : "))
    if rng.random() < 0.01:
        space = rng.choice(("/*c*/", "//c\n", "\v", "\f", "#c\n", "\u00a0"))
    return (
        "{" + space + f",{space}".join(f"{k}{colon}{v}" for k, v in members) + space + "}"
    )


DAMAGE = "{}[]\",:\\'0-+.eEtfn/*# \n\t\x00\x01\x7f\xc3\xa9\xff\xed\xa0\xe2\xf0\x80u"


def damaged(rng: random.Random, text: bytes) -> bytes:
    """Cut, changed, doubled or wrapped."""
    kind = rng.randint(0, 7)
    at = rng.randint(0, len(text))
    if kind == 0:
        return text[:at]
    if kind <= 2:
        return text[:at] + bytes([ord(rng.choice(DAMAGE))]) + text[at + (kind == 2) :]
    if kind == 3:
        return text + rng.choice((b" x", b"}", text, b"\x00", b"]", b",", b" \n"))
    if kind == 4:
        return rng.choice((b"\xef\xbb\xbf", b"[", b"x", b"\x00", b" ", b"\n\t ")) + text
    if kind == 5:
        return b"[" + text + b"]"
    if kind == 6:
        bad = rng.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\xbd", b"\xe2\x82", b"\xf4\x90\x80\x80",
                          b"\xf8\x88\x80\x80\x80", b"\xc3", b"\xf0\x9f\x98"))  # fmt: skip
        return text[:at] + bad + text[at:]
    return rng.choice((b"", b" ", b"null", b"1", b'"a"', b"[]", b"{}", b"true", b"NaN"))


HEADERS = (b"a", b"trace-id", b"", "ключ".encode(), b"b\xff", b"content type")
BYTES = (
    b"",
    b"1",
    b"application/json",
    "é".encode(),
    b"\xff\xfe",
    b" 12 ",
    b"2021-07-14",
)


def record(rng: random.Random, schema: list[tuple[str, Type]]) -> Message:
    """One record."""
    message = Message(None)
    if rng.random() < 0.2:
        message.key = rng.choice((None, *BYTES))
    if rng.random() < 0.2:
        message.timestamp_ms = rng.choice(
            (-1, 0, 1, 999, 1_700_000_000_123, 253_402_300_800_000)
        )
    if rng.random() < 0.6:
        message.headers = [
            (rng.choice(HEADERS), rng.choice((None, *BYTES)))
            for _ in range(rng.choice((0, 1, 1, 2, 3)))
        ] or None
    if rng.random() < 0.005:
        return message
    text = object_of(rng, schema).encode("utf-8", "surrogatepass")
    while rng.random() < 0.15:
        text = damaged(rng, text)
    message.value = text
    return message


def random_group(rng: random.Random, records: int) -> Group:
    """One group; its settings have the names that a user types."""
    schema = random_fields(rng, 0)
    settings = random_options(rng)
    fields = list(schema)
    if rng.random() < 0.12:
        fields.insert(rng.randint(0, len(fields)), ("_corrupt_record", ("STRING",)))
    elif rng.random() < 0.03:
        fields.append(("bad", ("STRING",)))
        settings["json.columnNameOfCorruptRecord"] = "bad"
    settings["value.schema"] = ", ".join(f"{quoted(n)} {ddl(t)}" for n, t in fields)
    settings["select"] = random_select(rng, fields, settings)
    group = Group(fields, settings)
    group.records = [record(rng, schema) for _ in range(records)]
    return group
