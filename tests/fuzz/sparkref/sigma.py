"""Lower case as Java's String has it: a final sigma by what BreakIterator calls a word.

Java asks where words end, Unicode's own rule does not: a digit, a hyphen or a point
between two letters belongs to the word. Categories stand for Java's tables here; they
agree for all characters that cases.py knows.
"""

from __future__ import annotations

import unicodedata

SIGMA, FINAL = "\u03a3", "\u03c2"
MID_LETTER, MID_NUMBER = "-_\"'.\u00ad\u2010\u2027", "\"'.,\u066b"


def _cased(char: str) -> bool:
    letter = unicodedata.category(char) in ("Lu", "Ll", "Lt")
    return letter or char.lower() != char.upper()


def _letter(char: str) -> bool:
    """A letter, a mark or a format character; an ideograph is a word of its own."""
    category = unicodedata.category(char)
    alone = unicodedata.name(char, "").startswith("CJK")
    return (category[0] in "LM" or category == "Cf") and not alone and char != "\u00ad"


def _inside(text: str, at: int) -> bool:
    """Does the character at `at` belong to the word that goes on around it?"""
    char = text[at]
    if _letter(char) or char.isdigit():
        return True
    if at == 0 or at + 1 == len(text):
        return False
    before, after = text[at - 1], text[at + 1]
    letters = char in MID_LETTER and _letter(before) and _letter(after)
    return letters or (char in MID_NUMBER and before.isdigit() and after.isdigit())


def _final(text: str, at: int) -> bool:
    first, last = at, at + 1
    while first > 0 and _inside(text, first - 1):
        first -= 1
    while last < len(text) and _inside(text, last):
        last += 1
    return any(map(_cased, text[first:at])) and not any(map(_cased, text[at + 1 : last]))


def lower(text: str) -> str:
    """Lower case, as String.toLowerCase(Locale.ROOT)."""
    return "".join(
        (FINAL if _final(text, at) else "\u03c3") if char == SIGMA else char.lower()
        for at, char in enumerate(text)
    )
