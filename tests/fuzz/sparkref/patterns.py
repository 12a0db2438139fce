"""Date and time patterns of Spark 3: DateTimeFormatter as Spark builds it, in English.

Spark reads y as u unless there is a G, takes fractions of any length up to the letters'
number, names in any case, and fills in 1970-01-01 00:00 for what a pattern lacks.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from . import times
from .times import TimeError

MONTHS = ("January February March April May June July August September October November "
          "December").split()  # fmt: skip
DAYS = "Thursday Friday Saturday Sunday Monday Tuesday Wednesday".split()  # of 1970-01-01
QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")
DIGITS = "0123456789"


@dataclass
class Op:
    """Letters, a literal (letter is ') or an optional part (letter is [)."""

    letter: str
    count: int = 0
    text: str = ""
    ops: list[Op] = field(default_factory=list)
    subsequent: int = 0  # digits that the numbers directly behind this one need


def compile_pattern(pattern: str) -> list[Op]:
    """Its operations."""
    stack: list[list[Op]] = [[]]
    i = 0
    while i < len(pattern):
        c, n = pattern[i], 1
        if c == "'":
            end = pattern.index("'", i + 1)
            while pattern[end : end + 2] == "''" and end > i + 1:
                end = pattern.index("'", end + 2)
            text = pattern[i + 1 : end].replace("''", "'") or "'"
            stack[-1].append(Op("'", text=text))
            n = end + 1 - i
        elif c == "[":
            stack.append([])
        elif c == "]":
            part = stack.pop()
            stack[-1].append(Op("[", ops=part))
        elif c.isascii() and c.isalpha():
            while pattern[i + n : i + n + 1] == c:
                n += 1
            stack[-1].append(Op(c, n))
        else:
            stack[-1].append(Op("'", text=c))
        i += n
    while len(stack) > 1:
        part = stack.pop()
        stack[-1].append(Op("[", ops=part))
    return stack[0]


def letters(ops: list[Op]) -> set[str]:
    """Those that occur."""
    return {op.letter for op in ops}.union(*(letters(op.ops) for op in ops))


# ---- printing ----


@dataclass
class Moment:
    """What there is to print; None where the column's type has it not."""

    days: int
    micros: int | None = None  # of the day
    offset: int | None = None
    zone: str | None = None


class Missing(Exception):
    """A letter asks for what is not there."""


def padded(value: int, width: int) -> str:
    """A minus stands before the zeros."""
    return ("-" if value < 0 else "") + str(abs(value)).rjust(width, "0")


def render(ops: list[Op], moment: Moment, era: bool) -> str:
    """An optional part that can't be printed is left out."""
    out = ""
    for op in ops:
        if op.letter == "[":
            with contextlib.suppress(Missing):
                out += render(op.ops, moment, era)
        else:
            out += render_op(op, moment, era)
    return out


def render_op(op: Op, moment: Moment, era: bool) -> str:
    """One of them."""
    if op.letter == "'":
        return op.text
    if op.letter in "GyMLdDQqEF":
        return render_date(op, moment.days, era)
    if op.letter in "XxZOV":
        if moment.offset is None or moment.zone is None:
            raise Missing
        return moment.zone if op.letter == "V" else offset_text(op, moment.offset)
    if moment.micros is None:
        raise Missing
    return render_time(op, moment.micros)


def render_date(op: Op, days: int, era: bool) -> str:
    """Fields of a date."""
    year, month, day = times.date_of(days)
    letter, n = op.letter, op.count
    if letter == "G":
        names = ("Before Christ", "Anno Domini") if n == 4 else ("BC", "AD")
        return names[year > 0]
    if letter == "y":
        return year_text(year if year > 0 or not era else 1 - year, n)
    if letter in "ML":
        return padded(month, n) if n < 3 else MONTHS[month - 1][: 3 if n == 3 else None]
    if letter == "d":
        return padded(day, n)
    if letter == "D":
        return padded(days - times.days_of(year, 1, 1) + 1, n)
    if letter in "Qq":
        quarter = (month - 1) // 3
        if n == 4:
            return QUARTERS[quarter]
        return f"Q{quarter + 1}" if n == 3 else padded(quarter + 1, n)
    if letter == "F":
        return str((day - 1) % 7 + 1)
    return DAYS[days % 7][: None if n == 4 else 3]


def year_text(year: int, n: int) -> str:
    """yy is cut; yyyy and more get a plus where they don't suffice."""
    if n == 2:
        return padded(abs(year) % 100, 2)
    return ("+" if n >= 4 and year >= 10**n else "") + padded(year, n)


def render_time(op: Op, micros: int) -> str:
    """Fields of a time of day."""
    seconds, micro = divmod(micros, times.MICROS)
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    if op.letter == "a":
        return "AM" if hour < 12 else "PM"
    if op.letter == "S":
        return f"{micro:06d}000"[: op.count]
    value = {
        "H": hour, "k": hour or 24, "K": hour % 12, "h": hour % 12 or 12,
        "m": minute, "s": second,
    }[op.letter]  # fmt: skip
    return padded(value, op.count)


def offset_text(op: Op, offset: int) -> str:
    """X, x, Z and O."""
    sign = "-" if offset < 0 else "+"
    h, rest = divmod(abs(offset), 3600)
    m, s = divmod(rest, 60)
    letter, n = op.letter, op.count
    if letter == "O" or (letter == "Z" and n == 4):
        if not offset:
            return "GMT"
        if letter == "Z" or n == 4:
            return f"GMT{sign}{h:02d}:{m:02d}" + (f":{s:02d}" if s else "")
        tail = f":{m:02d}" if m or s else ""
        return f"GMT{sign}{h}{tail}" + (f":{s:02d}" if s else "")
    if letter == "Z":
        n = 5 if n == 5 else 2
    zero = "Z" if letter == "X" or (letter == "Z" and n == 5) else (
        {1: "+00", 2: "+0000", 3: "+00:00", 4: "+0000", 5: "+00:00"}[n]
    )  # fmt: skip
    colon = ":" if n in (3, 5) else ""
    shown_s = s if n > 3 else 0
    if not (h or m or shown_s):
        return zero
    text = f"{sign}{h:02d}"
    if n > 1 or m:
        text += f"{colon}{m:02d}"
    return text + (f"{colon}{s:02d}" if shown_s else "")


# ---- reading ----


@dataclass
class Reader:
    """A text and the fields found in it."""

    text: str
    at: int = 0
    found: dict[str, int] = field(default_factory=dict)
    zone: times.Zone | None = None

    def put(self, name: str, value: int) -> None:
        """The same field twice must have the same value."""
        if self.found.setdefault(name, value) != value:
            raise TimeError

    def literal(self, text: str) -> None:
        """In any case."""
        if self.text[self.at : self.at + len(text)].lower() != text.lower():
            raise TimeError
        self.at += len(text)

    def digits(self, most: int) -> int:
        """How many there are."""
        n = 0
        while n < most and self.at + n < len(self.text):
            if self.text[self.at + n] not in DIGITS:
                break
            n += 1
        return n

    def number(self, least: int, most: int, sign: str, subsequent: int) -> int:
        """NumberPrinterParser.parse, strict."""
        mark = self.text[self.at : self.at + 1]
        negative = mark == "-" and sign != "never"
        plus = mark == "+" and sign == "exceeds"
        self.at += negative or plus
        n = self.digits(most + subsequent)
        if subsequent:
            n = max(least, n - subsequent)
        if n < least or self.digits(n) < n or n > 18:
            raise TimeError
        value = int(self.text[self.at : self.at + n])
        self.at += n
        if negative:
            if not value:
                raise TimeError
            return -value
        if sign == "exceeds" and plus != (n > least):
            raise TimeError
        return value

    def name(self, names: list[str]) -> int:
        """Which of them stands here."""
        for i in sorted(range(len(names)), key=lambda i: -len(names[i])):
            word = names[i]
            if self.text[self.at : self.at + len(word)].lower() == word.lower():
                self.at += len(word)
                return i
        raise TimeError

    def two(self) -> int:
        """dd."""
        if self.digits(2) < 2:
            raise TimeError
        self.at += 2
        return int(self.text[self.at - 2 : self.at])


def width(op: Op) -> tuple[int, int, str]:
    """Digits at least and at most, and what a sign may be."""
    n = op.count
    if op.letter == "y":
        if n == 2:
            return 2, 2, "never"
        return n, 19, "exceeds" if n >= 4 else "normal"
    if op.letter == "D" and n > 1:
        return n, 3, "never"
    return (1, 19, "normal") if n == 1 else (n, n, "never")


def is_number(op: Op) -> bool:
    """Is it read by number()?"""
    return op.letter in "ydDHkKhms" or (op.letter in "ML" and op.count < 3)


def mark_adjacent(ops: list[Op]) -> None:
    """DateTimeFormatterBuilder.appendValue: numbers of a fixed width, directly behind
    another, keep their digits from it."""
    first: Op | None = None
    for op in ops:
        mark_adjacent(op.ops)
        if not is_number(op):
            first = None
            continue
        least, most, sign = width(op)
        if first and least == most and sign == "never":
            first.subsequent += most
        else:
            first = op


def read_ops(r: Reader, ops: list[Op]) -> None:
    """Optional parts are left out where they don't fit."""
    for op in ops:
        if op.letter != "[":
            read_op(r, op)
            continue
        trial = Reader(r.text, r.at, dict(r.found), r.zone)
        try:
            read_ops(trial, op.ops)
        except TimeError:
            continue
        r.at, r.found, r.zone = trial.at, trial.found, trial.zone


def read_op(r: Reader, op: Op) -> None:
    """One of them."""
    letter, n = op.letter, op.count
    if letter == "'":
        r.literal(op.text)
    elif letter == "S":
        digits = r.digits(n)
        if not digits:
            raise TimeError
        r.put("S", int(r.text[r.at : r.at + digits].ljust(9, "0")))
        r.at += digits
    elif is_number(op):
        value = r.number(*width(op), op.subsequent)
        r.put("M" if letter == "L" else letter,
              value + 2000 if letter == "y" and n == 2 else value)  # fmt: skip
    elif letter in "ML":
        r.put("M", 1 + r.name([m[: 3 if n == 3 else None] for m in MONTHS]))
    elif letter == "a":
        r.put("a", r.name(["AM", "PM"]))
    elif letter == "G":
        r.put("G", r.name(["Before Christ", "Anno Domini"] if n == 4 else ["BC", "AD"]))
    elif letter in "XxZ":
        r.zone = times.Zone(read_offset(r, letter, n))
    else:
        raise NotImplementedError(letter)


def read_offset(r: Reader, letter: str, n: int) -> int:
    """+hh, +hhmm, +hh:mm, and with seconds; Z for X."""
    if letter == "Z":
        assert n < 4
        n = 2
    if letter == "X" and r.text[r.at : r.at + 1] in ("Z", "z"):
        r.at += 1
        return 0
    mark = r.text[r.at : r.at + 1]
    if mark not in ("+", "-"):
        raise TimeError
    r.at += 1
    colon = n in (3, 5)
    total = r.two() * 3600
    minutes = read_part(r, colon, 59)
    if minutes is None and n > 1:
        raise TimeError
    seconds = read_part(r, colon, 59) if n > 3 and minutes is not None else None
    total += (minutes or 0) * 60 + (seconds or 0)
    if total > 18 * 3600:
        raise TimeError
    return -total if mark == "-" else total


def read_part(r: Reader, colon: bool, most: int) -> int | None:
    """[:]dd if it is there."""
    start = r.at
    try:
        if colon:
            r.literal(":")
        value = r.two()
        if value > most:
            raise TimeError
        return value
    except TimeError:
        r.at = start
        return None


RANGES = {"M": (1, 12), "d": (1, 31), "D": (1, 366), "H": (0, 23), "k": (1, 24),
          "h": (1, 12), "K": (0, 11), "m": (0, 59), "s": (0, 59)}  # fmt: skip


def read(ops: list[Op], text: str) -> tuple[int, int, times.Zone | None]:
    """Days, micros of the day, zone."""
    r = Reader(text)
    read_ops(r, ops)
    if r.at != len(text):
        raise TimeError
    found = r.found
    for name, (low, high) in RANGES.items():
        if name in found and not low <= found[name] <= high:
            raise TimeError
    year = found.get("y", 1970)
    if "y" in found and "G" in letters(ops):
        if year < 1:
            raise TimeError
        year = year if found.get("G", 1) else 1 - year
    if abs(year) > 999_999_999:
        raise TimeError
    if "D" in found and "y" in found and "M" not in found:
        days = times.days_of(year, 1, 1) + found["D"] - 1
        if days >= times.days_of(year + 1, 1, 1):
            raise TimeError
    else:
        days = times.days_of(year, found.get("M", 1), found.get("d", 1))
    seconds = hour_of(found) * 3600 + found.get("m", 0) * 60 + found.get("s", 0)
    return days, seconds * times.MICROS + found.get("S", 0) // 1000, r.zone


def hour_of(found: dict[str, int]) -> int:
    """H or k, else h or K with a, else noon for PM alone."""
    if "H" in found or "k" in found:
        return found.get("H", found.get("k", 0) % 24)
    if "h" in found or "K" in found:
        return found.get("K", found.get("h", 0) % 12) + 12 * found.get("a", 0)
    return 12 * found.get("a", 0)


# ---- a pattern ----


class Pattern:
    """Compiled once."""

    def __init__(self, text: str) -> None:
        self.ops = compile_pattern(text)
        self.era = "G" in letters(self.ops)
        mark_adjacent(self.ops)

    def date(self, days: int) -> str:
        """A DATE's text."""
        return render(self.ops, Moment(days), self.era)

    def timestamp(self, micros: int, zone: times.Zone) -> str:
        """A TIMESTAMP's text."""
        offset = zone.offset_at(micros // times.MICROS)
        days, rest = divmod(micros + offset * times.MICROS, times.DAY * times.MICROS)
        return render(self.ops, Moment(days, rest, offset, zone.name), self.era)

    def ntz(self, micros: int) -> str:
        """A TIMESTAMP_NTZ's text."""
        days, rest = divmod(micros, times.DAY * times.MICROS)
        return render(self.ops, Moment(days, rest), self.era)

    def parse_date(self, text: str) -> int:
        """Days, whatever the time and zone."""
        return times.check_int(read(self.ops, text)[0])

    def parse_timestamp(self, text: str, session: times.Zone) -> int:
        """Micros; seconds for themselves must fit as well."""
        days, rest, own = read(self.ops, text)
        local = days * times.DAY + rest // times.MICROS
        seconds = local - (own or session).offset_of_local(local)
        times.check_long(seconds * times.MICROS)
        return times.check_long(seconds * times.MICROS + rest % times.MICROS)

    def parse_ntz(self, text: str) -> int:
        """Micros; a zone is too much."""
        days, rest, own = read(self.ops, text)
        if own:
            raise TimeError
        return times.check_long(days * times.DAY * times.MICROS + rest)
