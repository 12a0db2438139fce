"""Java's numbers: reading, and the text of floats and decimals."""

from __future__ import annotations

import re
import struct
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction


class NumberError(Exception):
    """NumberFormatException, or a value beyond its type."""


def to_float(value: Fraction | float) -> float:
    """Rounded once to 32 bits, to nearest, ties to even."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")) or value == 0:
            return value
        value = Fraction(value)
    if value == 0:
        return 0.0
    sign, size = (-1 if value < 0 else 1), abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    while Fraction(2) ** exponent > size:
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = round(size / unit) * unit  # Python rounds ties to even
    if rounded >= Fraction(2) ** 128:
        return sign * float("inf")
    return sign * float(rounded)


def fraction_of(text: str) -> Fraction | float:
    """A number's text exactly; a float where the exponent is out of all bounds."""
    digits, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) > 9:  # beyond Decimal's own limits
        exponent = "-999999" if exponent[0] == "-" else "999999"
    value = Decimal(f"{digits}e{exponent or 0}")
    if value == 0:
        return -0.0 if text.startswith("-") else 0.0
    if value.adjusted() > 400:
        return float("-inf") if value < 0 else float("inf")
    if value.adjusted() < -400:
        return -0.0 if value < 0 else 0.0
    return Fraction(value)


def float_of(text: str) -> float:
    """Float.parseFloat."""
    result = to_float(fraction_of(text))
    return -0.0 if result == 0 and text.startswith("-") else result


def shortest_digits(value: float, is_float: bool) -> tuple[str, int]:
    """Digits and exponent: value = 0.digits * 10**exponent."""
    for places in range(1, 9 if is_float else 17):  # Java shows two digits at least
        text = f"{value:.{places}e}"
        above = f"{Decimal(text).next_plus(Context(prec=places + 1)):.{places}e}"
        found = [
            t for t in (text, above) if (float_of(t) if is_float else float(t)) == value
        ]
        if found:
            text = found[0]
            break
    mantissa, exponent = text.split("e")
    digits = mantissa.replace(".", "").rstrip("0") or "0"
    return digits, int(exponent) + 1


def real_text(value: float, is_float: bool = False) -> str:
    """Double.toString and Float.toString as of JDK 19."""
    if value != value:
        return "NaN"
    sign = "-" if struct.pack(">d", value)[0] & 0x80 else ""
    value = abs(value)
    if value == float("inf"):
        return sign + "Infinity"
    if value == 0:
        return sign + "0.0"
    digits, point = shortest_digits(value, is_float)
    if 1e-3 <= value < 1e7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return f"{sign}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


BIG_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,10})?\Z")


def decimal_of(text: str, precision: int, scale: int) -> str:
    """Decimal(new BigDecimal(text), precision, scale).toString."""
    if not BIG_DECIMAL.match(text):
        raise NumberError
    value = Decimal(text)
    if value != 0 and value.adjusted() + 1 > precision - scale + 1:
        raise NumberError
    context = Context(prec=2000, Emin=-99999999, Emax=99999999, rounding=ROUND_HALF_UP)
    if value == 0 or value.adjusted() < -scale - 2:
        units = 0
    else:
        units = int(
            value.scaleb(scale, context).to_integral_value(ROUND_HALF_UP, context)
        )
    if len(str(abs(units))) > precision:
        raise NumberError
    return big_decimal_text(units, scale)


def big_decimal_text(units: int, scale: int) -> str:
    """BigDecimal.toString of units * 10**-scale."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units))
    adjusted = len(digits) - 1 - scale
    if adjusted >= -6:
        if scale == 0:
            return sign + digits
        digits = digits.rjust(scale + 1, "0")
        return f"{sign}{digits[:-scale]}.{digits[-scale:]}"
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}E{adjusted:+d}"
