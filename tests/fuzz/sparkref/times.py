"""Dates and times: Spark's lenient ISO 8601, time zones, and how they are printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

MICROS = 1_000_000
DAY = 86_400
LONG_MAX, LONG_MIN = 2**63 - 1, -(2**63)
SHORT_IDS = {
    "EST": "-05:00", "MST": "-07:00", "HST": "-10:00", "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka", "CAT": "Africa/Harare", "CNT": "America/St_Johns",
    "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo", "MIT": "Pacific/Apia", "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland", "PLT": "Asia/Karachi", "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
}  # fmt: skip
REGIONS = available_timezones()


class TimeError(Exception):
    """No date or time, or one beyond what a long holds."""


class Unknowable(Exception):
    """Depends on the day it is read on."""


# ---- the calendar ----


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; any year, Gregorian."""
    lengths = (31, 29 if is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        raise TimeError
    cycles, rest = divmod(year, 400)
    start = datetime(rest + 400, 1, 1).toordinal() + sum(lengths[: month - 1]) + day - 1
    return start + (cycles - 1) * 146_097 - 719_163


def is_leap(year: int) -> bool:
    """The Gregorian rule, for all years."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month, day."""
    cycles, rest = divmod(days + 719_163 - 146_098, 146_097)
    day = datetime.fromordinal(rest + 146_098)
    return day.year + cycles * 400, day.month, day.day


def rebase_julian(days: int) -> int:
    """Days counted in the hybrid calendar: the same date in the Gregorian one."""
    if days >= -141_427:
        return days
    number = days + 2_440_588  # the Julian day's number
    c = number + 32_082
    d = (4 * c + 3) // 1461
    e = c - 1461 * d // 4
    m = (5 * e + 2) // 153
    day, month = e - (153 * m + 2) // 5 + 1, m + 3 - 12 * (m // 10)
    return days_of(d - 4800 + m // 10, month, 1) + day - 1


# ---- zones ----


@dataclass
class Zone:
    """A fixed offset or a region of the tz database."""

    fixed: int | None
    region: ZoneInfo | None = None
    name: str = ""

    def offset_at(self, seconds: int) -> int:
        """At an instant."""
        if self.region is None:
            return self.fixed or 0
        when = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(
            seconds=into_range(seconds)
        )
        return whole(when.astimezone(self.region))

    def offset_of_local(self, seconds: int) -> int:
        """For a wall clock: a gap moves forward, of an overlap the first one counts."""
        if self.region is None:
            return self.fixed or 0
        local = datetime(1970, 1, 1) + timedelta(seconds=into_range(seconds))
        return whole(local.replace(tzinfo=self.region, fold=0))


def whole(when: datetime) -> int:
    """The UTC offset in seconds."""
    offset = when.utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds


def into_range(seconds: int) -> int:
    """An instant of the years 2…9997 that is in the same place of its 400 years."""
    cycle = 146_097 * DAY
    high, low = days_of(9997, 1, 1) * DAY, days_of(2, 1, 1) * DAY
    if seconds >= high:
        seconds -= ((seconds - high) // cycle + 1) * cycle
    return max(seconds, low)


OFFSET = re.compile(
    r"([+-])(\d\d?)$|([+-])(\d\d):?(\d\d)$|([+-])(\d\d)(:?)(\d\d)\8(\d\d)$"
)


def offset_of(text: str) -> int:
    """ZoneOffset.of."""
    if text == "Z":
        return 0
    m = OFFSET.match(text)
    if not m or not text.isascii() or text.endswith("\n"):
        raise TimeError
    sign = m[1] or m[3] or m[6]
    hours, minutes, seconds = (
        int(m[2] or m[4] or m[7]),
        int(m[5] or m[9] or 0),
        int(m[10] or 0),
    )
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > 18 * 3600:
        raise TimeError
    return -total if sign == "-" else total


def offset_id(offset: int) -> str:
    """ZoneOffset.getId()."""
    if not offset:
        return "Z"
    h, rest = divmod(abs(offset), 3600)
    text = f"{'-' if offset < 0 else '+'}{h:02d}:{rest // 60:02d}"
    return text + (f":{rest % 60:02d}" if rest % 60 else "")


def zone_of(name: str) -> Zone:
    """Spark's getZoneId."""
    name = re.sub(r"([+-])(\d):", r"\g<1>0\2:", name, count=1, flags=re.A)
    name = re.sub(r"([+-])(\d\d):(\d)$", r"\1\2:0\3", name, count=1, flags=re.A)
    name = SHORT_IDS.get(name, name)
    if len(name) <= 1 or name[0] in "+-":
        offset = offset_of(name)
        return Zone(offset, name=offset_id(offset))
    for prefix in ("UTC", "GMT", "UT"):
        if name == prefix:
            return Zone(0, name=name)
        if name.startswith(prefix) and name[len(prefix)] in "+-":
            offset = offset_of(name[len(prefix) :])
            return Zone(offset, name=prefix + (offset_id(offset) if offset else ""))
        if name.startswith(prefix) and prefix != "UT":
            break
    if name not in REGIONS:
        raise TimeError
    return Zone(None, ZoneInfo(name), name)


# ---- reading ----


def trimmed(data: bytes) -> tuple[int, int]:
    """Where the text begins and ends without blanks and control characters."""
    start, end = 0, len(data)
    while start < end and (data[start] <= 0x20 or data[start] == 0x7F):
        start += 1
    while end > start and (data[end - 1] <= 0x20 or data[end - 1] == 0x7F):
        end -= 1
    return start, end


def parse_date(text: bytes) -> int:
    """stringToDate: days."""
    at, end = trimmed(text)
    if at == end:
        raise TimeError
    sign = -1 if text[at : at + 1] == b"-" else 1
    at += text[at : at + 1] in (b"-", b"+")
    parts = [""]
    while at < end and text[at] not in b" T":
        c = chr(text[at])
        if c == "-" and len(parts) < 3:
            parts.append("")
        elif "0" <= c <= "9":
            parts[-1] += c
        else:
            raise TimeError
        at += 1
    if not 4 <= len(parts[0]) <= 7 or any(not 1 <= len(p) <= 2 for p in parts[1:]):
        raise TimeError
    if len(parts) < 3 and at < end:
        raise TimeError
    year, month, day = (*map(int, parts), 1, 1)[:3]
    return check_int(days_of(sign * year, month, day))


def check_int(value: int) -> int:
    """Days are 32 bits."""
    if not -(2**31) <= value < 2**31:
        raise TimeError
    return value


STAMP = re.compile(
    rb"(?:(?P<sign>[+-])?(?P<y>\d{4,6})(?:-(?P<mo>\d{1,2})(?:-(?P<d>\d{1,2})"
    rb"(?:[ T](?P<h>\d{1,2})(?::(?P<mi>\d{1,2})(?::(?P<s>\d{1,2})"
    rb"(?:\.(?P<f>\d*))?(?P<z>[^\d.].*)?)?)?)?)?)?)\Z",
    re.S,
)
JUST_TIME = re.compile(rb"T?\d{1,2}:|T\d{1,2}\Z|T\d{1,2}:")


@dataclass
class Stamp:
    """A wall clock, as micros since 1970, and the zone that was named."""

    local: int
    zone: Zone | None


def parse_stamp(text: bytes) -> Stamp:
    """parseTimestampString."""
    start, end = trimmed(text)
    m = STAMP.match(text[start:end])
    if not m:
        if JUST_TIME.match(text[start:end]):
            raise Unknowable
        raise TimeError
    part = {
        k: int(v) for k, v in m.groupdict().items() if v and k not in ("sign", "f", "z")
    }
    year = part["y"] * (-1 if m["sign"] == b"-" else 1)
    days = days_of(year, part.get("mo", 1), part.get("d", 1))
    hour, minute, second = part.get("h", 0), part.get("mi", 0), part.get("s", 0)
    if hour > 23 or minute > 59 or second > 59:
        raise TimeError
    micros = int(((m["f"] or b"") + b"000000")[:6])
    local = ((days * 24 + hour) * 60 + minute) * 60 + second
    zone = None
    if m["z"]:
        name = m["z"].decode("utf-8", "replace").strip("".join(map(chr, range(0x21))))
        zone = zone_of(name)
    return Stamp(local * MICROS + micros, zone)


def check_long(value: int) -> int:
    """Micros are 64 bits."""
    if not LONG_MIN <= value <= LONG_MAX:
        raise TimeError
    return value


def parse_timestamp(text: bytes, session: Zone) -> int:
    """stringToTimestamp: micros."""
    stamp = parse_stamp(text)
    offset = (stamp.zone or session).offset_of_local(stamp.local // MICROS)
    return check_long(stamp.local - offset * MICROS)


def parse_ntz(text: bytes, allow_zone: bool) -> int:
    """stringToTimestampWithoutTimeZone: micros."""
    stamp = parse_stamp(text)
    if stamp.zone and not allow_zone:
        raise TimeError
    return check_long(stamp.local)


# ---- printing ----


def year_text(year: int) -> str:
    """uuuu: at least four digits, a sign beyond."""
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04d}"


def date_text(days: int) -> str:
    """yyyy-MM-dd."""
    year, month, day = date_of(days)
    return f"{year_text(year)}-{month:02d}-{day:02d}"


def clock(micros: int, sep: str) -> tuple[str, int]:
    """Date and time to the second, and the micros left."""
    seconds, rest = divmod(micros, MICROS)
    days, s = divmod(seconds, DAY)
    return f"{date_text(days)}{sep}{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}", rest


def offset_text(offset: int) -> str:
    """XXX: seconds are cut off."""
    minutes = abs(offset) // 60
    if not minutes:
        return "Z"
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def csv_timestamp(micros: int, zone: Zone) -> str:
    """yyyy-MM-dd'T'HH:mm:ss.SSSXXX."""
    offset = zone.offset_at(micros // MICROS)
    return csv_ntz(micros + offset * MICROS) + offset_text(offset)


def csv_ntz(micros: int) -> str:
    """yyyy-MM-dd'T'HH:mm:ss.SSS."""
    text, rest = clock(micros, "T")
    return f"{text}.{rest // 1000:03d}"


def cast_text(micros: int, zone: Zone | None) -> str:
    """CAST AS STRING: as much of the fraction as there is."""
    if zone:
        micros += zone.offset_at(micros // MICROS) * MICROS
    text, rest = clock(micros, " ")
    return text + (f".{rest:06d}".rstrip("0") if rest else "")
