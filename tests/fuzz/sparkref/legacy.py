"""spark.sql.legacy.timeParserPolicy=LEGACY: how Spark 2 read and printed dates and times.

Fast is commons-lang's FastDateFormat over a lenient java.util.GregorianCalendar, for
from_json and the CSV writer; Simple is SimpleDateFormat, for functions. Texts may go on
behind what the pattern reads, fields beyond their ranges roll over, and before October
1582 the calendar is the Julian one.
"""

from __future__ import annotations

import re

from . import patterns, times
from .patterns import DAYS, MONTHS, Op
from .times import TimeError

GREGORIAN = times.days_of(1582, 10, 15)
NUMBERS = "yMdDHhKkmsS"
OFFSETS = (r"Z|[+-]\d{2}", r"Z|[+-]\d{4}", r"Z|[+-]\d{2}:\d{2}")


def compile_legacy(pattern: str) -> list[Op]:
    """Brackets mean nothing."""
    ops = patterns.compile_pattern(pattern.replace("[", "\ue000").replace("]", "\ue001"))
    for op in ops:
        op.text = op.text.replace("\ue000", "[").replace("\ue001", "]")
    return ops


# ---- the calendar ----


def julian_days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a Julian date; any day."""
    a = (14 - month) // 12
    y, m = year + 4800 - a, month + 12 * a - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - 32_083 - 2_440_588


def hybrid_days(year: int, month: int, day: int) -> int:
    """GregorianCalendar.computeTime: fields may be beyond their ranges."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    gregorian = times.days_of(year, month, 1) + day - 1
    julian = julian_days(year, month, 1) + day - 1
    if year > 1582:
        return gregorian if gregorian >= GREGORIAN else julian
    if year < 1582:
        return julian
    return gregorian if gregorian >= GREGORIAN and julian >= GREGORIAN else julian


def to_hybrid(days: int) -> tuple[int, int, int, int]:
    """What java.util shows for a date: year, month, day, and the day's number."""
    year, month, day = times.date_of(days)
    if days >= GREGORIAN:
        return year, month, day, days
    if julian_days(year, month, day) >= GREGORIAN:  # the ten days that were skipped
        return 1582, 10, 15, GREGORIAN
    return year, month, day, julian_days(year, month, day)


def wall_offset(zone: times.Zone, seconds: int) -> int:
    """java.util takes the second one of two."""
    first = zone.offset_of_local(seconds)
    if zone.region is None:
        return first
    second = zone.offset_at(seconds - first + 3 * 3600)
    later = zone.offset_at(seconds - second)
    return later if later == second and later < first else first


def cast_text(days: int) -> str:
    """CAST(date AS STRING)."""
    year, month, day, _ = to_hybrid(days)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}"


# ---- FastDateFormat ----


class Fast:
    """A pattern."""

    def __init__(self, pattern: str) -> None:
        self.ops = compile_legacy(pattern)
        self.digits = pattern.count("S")

    # ---- printing ----

    def print(self, days: int, micros: int, offset: int) -> str:
        """Days and micros of the day are the wall clock's."""
        year, month, day, number = to_hybrid(days)
        fields = {"M": month, "d": day, "year": year, "weekday": number % 7}
        seconds, rest = divmod(micros, times.MICROS)
        hour = seconds // 3600
        fields |= {"H": hour, "k": hour or 24, "K": hour % 12, "h": hour % 12 or 12,
                   "m": seconds // 60 % 60, "s": seconds % 60,
                   "S": rest * 10**self.digits // times.MICROS}  # fmt: skip
        return "".join(self.print_op(op, fields, offset) for op in self.ops)

    def print_op(self, op: Op, fields: dict[str, int], offset: int) -> str:
        """One of them."""
        letter, n = op.letter, op.count
        if letter == "'":
            return op.text
        if letter == "y":
            year = fields["year"] if fields["year"] > 0 else 1 - fields["year"]
            return f"{year % 100:02d}" if n == 2 else str(year).rjust(max(n, 4), "0")
        if letter == "M" and n > 2:
            return MONTHS[fields["M"] - 1][: 3 if n == 3 else None]
        if letter == "E":
            return DAYS[fields["weekday"]][: None if n > 3 else 3]
        if letter == "a":
            return "AM" if fields["H"] < 12 else "PM"
        if letter == "X":
            return offset_text(n, offset)
        return str(fields[letter]).rjust(n, "0")

    def date(self, days: int) -> str:
        """A DATE's text."""
        return self.print(days, 0, 0)

    def timestamp(self, micros: int, zone: times.Zone) -> str:
        """A TIMESTAMP's text."""
        offset = zone.offset_at(micros // times.MICROS)
        local = micros + offset * times.MICROS
        days, rest = divmod(local, times.DAY * times.MICROS)
        if zone.region and days < times.days_of(1900, 1, 2):
            raise times.Unknowable
        return self.print(days, rest, offset)

    # ---- reading ----

    def read(self, text: str) -> tuple[int, int, times.Zone | None]:
        """Days in the calendar of java.util, micros of the day, zone."""
        found: dict[str, int] = {}
        zone, at = None, 0
        for i, op in enumerate(self.ops):
            if op.letter == "'":
                if not text.startswith(op.text, at):
                    raise TimeError
                at += len(op.text)
            elif op.letter == "X":
                m = re.compile(OFFSETS[op.count - 1], re.A).match(text, at)
                if not m:
                    raise TimeError
                at, zone = m.end(), times.Zone(gmt_offset(m[0]))
            elif self.is_number(op):
                behind = self.ops[i + 1] if i + 1 < len(self.ops) else None
                limit = op.count if behind and self.is_number(behind) else 0
                found[op.letter], at = self.number(text, at, limit)
                if op.letter == "y" and op.count <= 2 and found["y"] < 100:
                    raise times.Unknowable
            else:
                names = {"a": ["AM", "PM"], "M": MONTHS}[op.letter]
                found[op.letter], at = name_at(text, at, names)
        return (*self.resolve(found), zone)

    def is_number(self, op: Op) -> bool:
        """Letters that stand for digits."""
        return op.letter in NUMBERS and not (op.letter == "M" and op.count > 2)

    def number(self, text: str, at: int, limit: int) -> tuple[int, int]:
        """Any digits; blanks in front, unless a number follows directly."""
        while not limit and at < len(text) and is_blank(text[at]):
            at += 1
        end = at
        while end < len(text) and (not limit or end < at + limit):
            if not (text[end] <= "\uffff" and text[end].isdecimal()):
                break
            end += 1
        if end == at or int(text[at:end]) > 2**31 - 1:
            raise TimeError
        return int(text[at:end]), end

    def resolve(self, found: dict[str, int]) -> tuple[int, int]:
        """What is beyond its range goes on into the next field."""
        hour = found.get("H", found.get("k", 0))
        if "k" in found:
            hour = 0 if hour == 24 else hour
        half = found.get("h", found.get("K", 0))
        hour += (0 if half == 12 and "h" in found else half) + 12 * found.get("a", 0)
        seconds = hour * 3600 + found.get("m", 0) * 60 + found.get("s", 0)
        micros = seconds * times.MICROS
        micros += found.get("S", 0) * times.MICROS // 10**self.digits
        more, rest = divmod(micros, times.DAY * times.MICROS)
        day = found.get("d", found.get("D", 1))
        month = 1 if "D" in found else found.get("M", 1)
        return hybrid_days(found.get("y", 1970), month, day + more), rest

    def parse_date(self, text: str) -> int:
        """Days."""
        return times.check_int(times.rebase_julian(self.read(text)[0]))

    def parse_timestamp(self, text: str, session: times.Zone) -> int:
        """Micros."""
        days, rest, own = self.read(text)
        local = days * times.DAY + rest // times.MICROS
        if (own or session).fixed != 0 and days < times.days_of(1900, 1, 2):
            raise times.Unknowable
        local = times.rebase_julian(days) * times.DAY + rest // times.MICROS
        seconds = local - wall_offset(own or session, local)
        times.check_long(seconds * times.MICROS)
        return times.check_long(seconds * times.MICROS + rest % times.MICROS)


SIMPLE = {"y": (1, 2**31 - 1), "M": (1, 12), "d": (1, 31), "H": (0, 23), "k": (1, 24),
          "h": (1, 12), "K": (0, 11), "m": (0, 59), "s": (0, 59),
          "S": (0, 999)}  # fmt: skip


class Simple(Fast):
    """SimpleDateFormat, not lenient: the functions of the select list. Blanks are skipped
    before each field, S counts milliseconds, and all fields must exist."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.digits = 3

    def print_op(self, op: Op, fields: dict[str, int], offset: int) -> str:
        """As many digits of a year as letters."""
        if op.letter == "y" and op.count != 2:
            year = fields["year"] if fields["year"] > 0 else 1 - fields["year"]
            return str(year).rjust(op.count, "0")
        return super().print_op(op, fields, offset)

    def read(self, text: str) -> tuple[int, int, times.Zone | None]:
        """A prefix of the text, strictly."""
        found: dict[str, int] = {}
        zone, at = None, 0
        for i, op in enumerate(self.ops):
            if op.letter == "'":
                if not text.startswith(op.text, at):
                    raise TimeError
                at += len(op.text)
                continue
            while text[at : at + 1] in (" ", "\t"):
                at += 1
            if op.letter == "X":
                m = re.compile(OFFSETS[op.count - 1], re.A).match(text, at)
                if not m:
                    raise TimeError
                at, zone = m.end(), times.Zone(gmt_offset(m[0]))
            elif self.is_number(op):
                if is_blank(text[at : at + 1] or "x"):
                    raise TimeError
                direct = i + 1 < len(self.ops) and self.ops[i + 1].letter != "'"
                start = at
                value, at = self.number(text, at, op.count if direct else 0)
                if op.letter == "y" and op.count <= 2 and at - start == 2:
                    raise times.Unknowable
                low, high = SIMPLE[op.letter]
                if not low <= value <= high:
                    raise TimeError
                found[op.letter] = value
            else:
                names = {"a": ["AM", "PM"], "M": MONTHS}[op.letter]
                found[op.letter], at = name_at(text, at, names)
        self.check_date(found.get("y", 1970), found.get("M", 1), found.get("d", 1))
        return (*self.resolve(found), zone)

    def check_date(self, year: int, month: int, day: int) -> None:
        """In the calendar of java.util."""
        if (year, month) == (1582, 10) and 4 < day < 15:
            raise TimeError
        if (year, month, day) < (1582, 10, 15):
            following = julian_days(year + month // 12, month % 12 + 1, 1)
            if day > following - julian_days(year, month, 1):
                raise TimeError
        else:
            times.days_of(year, month, day)

    def parse_timestamp(self, text: str, session: times.Zone) -> int:
        """A time that the clocks skip does not exist."""
        micros = super().parse_timestamp(text, session)
        _, rest, own = self.read(text)
        zone = own or session
        seen = micros + zone.offset_at(micros // times.MICROS) * times.MICROS
        if seen % (times.DAY * times.MICROS) != rest:
            raise TimeError
        return micros


def is_blank(c: str) -> bool:
    """Character.isWhitespace."""
    return c in "\t\n\v\f\r\x1c\x1d\x1e\x1f" or (
        c in " \u1680\u2028\u2029\u205f\u3000" or "\u2000" <= c <= "\u200a" != "\u2007"
    )


def name_at(text: str, at: int, names: list[str]) -> tuple[int, int]:
    """A name, or its first three letters, in any case; AM and January count from 0, 1."""
    for size in (None, 3):
        for i, name in enumerate(names):
            word = name[:size]
            if text[at : at + len(word)].lower() == word.lower():
                return i + (len(names) == 12), at + len(word)
    raise TimeError


def gmt_offset(text: str) -> int:
    """FastTimeZone.getGmtTimeZone."""
    digits = text.replace(":", "")
    hours, minutes = int(digits[1:3] or 0), int(digits[3:5] or 0)
    if hours > 23 or minutes > 59:
        raise TimeError
    return (hours * 3600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def offset_text(n: int, offset: int) -> str:
    """X, XX, XXX."""
    if not offset:
        return "Z"
    minutes = abs(offset) // 60
    text = f"{'-' if offset < 0 else '+'}{minutes // 60:02d}"
    return text if n == 1 else f"{text}{':' if n == 3 else ''}{minutes % 60:02d}"
