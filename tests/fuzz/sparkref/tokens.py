"""Jackson 2.15's ReaderBasedJsonParser, step by step.

What Spark does after a broken value depends on where the parser stands then, so each
error leaves `at` where Jackson leaves it. Works on a str whose characters are UTF-16
units, as Java's are.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

NAME, STRING, INT, FLOAT = "NAME", "STRING", "INT", "FLOAT"
TRUE, FALSE, NULL = "TRUE", "FALSE", "NULL"
OBJECT, OBJECT_END, ARRAY, ARRAY_END = "{", "}", "[", "]"
DEPTH_MAX = NUMBER_MAX = 1000
WORDS = {"t": ("true", TRUE), "f": ("false", FALSE), "n": ("null", NULL)}
ESCAPES = {
    "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "/": "/", "\\": "\\",
}  # fmt: skip


class JsonError(Exception):
    """JsonParseException and its like."""


@dataclass(frozen=True)
class Features:
    """Jackson's switches, with Spark's defaults."""

    single_quotes: bool = True
    non_numeric: bool = True
    comments: bool = False
    unquoted_names: bool = False
    leading_zeros: bool = False
    any_backslash: bool = False
    control_chars: bool = False


@dataclass
class Context:
    """An open container; the root is one too."""

    kind: str
    index: int = -1
    name: str | None = None

    def expect_comma(self) -> bool:
        """Counts the elements."""
        self.index += 1
        return self.kind != "root" and self.index > 0


def identifier_start(c: str) -> bool:
    """Character.isJavaIdentifierStart."""
    return unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc")


def identifier_part(c: str) -> bool:
    """Character.isJavaIdentifierPart."""
    code = ord(c)
    ignorable = code <= 8 or 0xE <= code <= 0x1B or 0x7F <= code <= 0x9F
    return (
        identifier_start(c)
        or ignorable
        or unicodedata.category(c) in ("Nd", "Mc", "Mn", "Cf")
    )


def name_part(c: str) -> bool:
    """CharTypes.getInputCodeLatin1JsNames: digits may be first, some signs as well."""
    return c in "@#*-+" or (c > " " and identifier_part(c))


def utf16_units(data: bytes) -> str:
    """Java's UTF-8 decoder: what is malformed becomes U+FFFD, by its counts."""
    out: list[str] = []
    i = 0
    while i < len(data):
        code, n = decode_one(data, i)
        i += n
        if code >= 0x10000:
            code -= 0x10000
            out.append(chr(0xD800 + (code >> 10)))
            code = 0xDC00 + (code & 0x3FF)
        out.append(chr(code))
    return "".join(out)


def decode_one(data: bytes, i: int) -> tuple[int, int]:
    """A code point and how many bytes it took."""
    first = data[i]
    if first < 0x80:
        return first, 1
    for low, high, n, smallest in (
        (0xC2, 0xDF, 2, 0x80), (0xE0, 0xEF, 3, 0x800), (0xF0, 0xF4, 4, 0x10000),
    ):  # fmt: skip
        if not low <= first <= high:
            continue
        code = first & (0xFF >> (n + 1))
        for k in range(1, n):
            if i + k >= len(data) or data[i + k] & 0xC0 != 0x80:
                return 0xFFFD, k
            code = code << 6 | data[i + k] & 0x3F
            if k == 1 and not second_fits(code, n, smallest):
                return 0xFFFD, 1
        return (0xFFFD, 3) if 0xD800 <= code < 0xE000 else (code, n)
    return 0xFFFD, 1


def second_fits(code: int, n: int, smallest: int) -> bool:
    """Is there a code point that begins with these two of n bytes?"""
    low = code << 6 * (n - 2)
    high = low | (1 << 6 * (n - 2)) - 1
    return high >= smallest and low < 0x110000


def to_utf8(text: str) -> bytes:
    """String.getBytes: a surrogate without its other half is a question mark."""
    out = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return "".join("?" if 0xD800 <= ord(c) < 0xE000 else c for c in out).encode()


@dataclass
class Parser:
    """nextToken() and skipChildren(); `token` None is Java's null."""

    text: str
    features: Features
    at: int = 0
    token: str | None = None
    after_name: str | None = None
    incomplete: bool = False
    closed: bool = False
    value: str = ""  # of STRING when complete, of INT and FLOAT
    contexts: list[Context] = field(default_factory=lambda: [Context("root")])

    @property
    def context(self) -> Context:
        """The innermost open container."""
        return self.contexts[-1]

    def name(self) -> str | None:
        """getCurrentName()."""
        outer = self.token in (OBJECT, ARRAY) and len(self.contexts) > 1
        return self.contexts[-2 if outer else -1].name

    # ---- characters ----

    def take(self) -> str:
        """The next character; the end of the input is an error."""
        if self.at >= len(self.text):
            raise JsonError("unexpected end of input")
        self.at += 1
        return self.text[self.at - 1]

    def skip_comment(self) -> None:
        """Behind a slash."""
        if not self.features.comments:
            raise JsonError("comments are not enabled")
        kind = self.take()
        if kind == "/":
            while self.at < len(self.text) and self.text[self.at] not in "\r\n":
                self.at += 1
            return
        if kind != "*":
            raise JsonError("no comment")
        end = self.text.find("*/", self.at)
        if end < 0:
            self.at = len(self.text)
            raise JsonError("unexpected end of input in a comment")
        self.at = end + 2

    def blank_or_end(self) -> str:
        """The next character that is no blank; "" at the end of a root."""
        while self.at < len(self.text):
            c = self.take()
            if c == "/":
                self.skip_comment()
            elif c > " ":
                return c
            elif c not in " \t\r\n":
                raise JsonError("an illegal control character")
        if self.context.kind != "root":
            raise JsonError("unexpected end of input")
        return ""

    def blank(self) -> str:
        """The same where more must come."""
        c = self.blank_or_end()
        if not c:
            raise JsonError("unexpected end of input")
        return c

    # ---- tokens ----

    def next(self) -> str | None:
        """nextToken()."""
        if self.token == NAME:
            return self.leave_name()
        if self.incomplete:
            self.skip_string()
        if self.closed:
            self.token = None
            return None
        c = self.blank_or_end()
        if not c:
            self.closed = True
            self.token = None
            return None
        if c in "]}":
            return self.close_scope(c)
        if self.context.expect_comma():
            if c != ",":
                raise JsonError("expected a comma")
            c = self.blank()
        in_object = self.context.kind == OBJECT
        if in_object:
            self.context.name = self.read_name() if c == '"' else self.odd_name(c)
            self.token = NAME
            c = self.colon()
        token = self.read_value(c, in_object)
        if in_object:
            self.after_name = token
            return NAME
        self.token = token
        return token

    def leave_name(self) -> str | None:
        """The value's first token was read together with its name."""
        self.token, self.after_name = self.after_name, None
        if self.token in (OBJECT, ARRAY):
            self.open_scope(self.token)
        return self.token

    def open_scope(self, kind: str) -> None:
        """Spark is limited to Jackson's 1,000 levels."""
        self.contexts.append(Context(kind))
        if len(self.contexts) - 1 > DEPTH_MAX:
            raise JsonError("too deep")

    def close_scope(self, c: str) -> str:
        """] or }."""
        if self.context.kind != {"]": ARRAY, "}": OBJECT}[c]:
            raise JsonError("mismatched end marker")
        self.contexts.pop()
        self.token = ARRAY_END if c == "]" else OBJECT_END
        return self.token

    def colon(self) -> str:
        """The character behind a name's colon."""
        c = self.blank()
        if c != ":":
            raise JsonError("expected a colon")
        return self.blank()

    def read_value(self, c: str, in_object: bool) -> str:
        """Its first token."""
        if c == '"':
            self.incomplete = True
            return STRING
        if c in "[{":
            kind = ARRAY if c == "[" else OBJECT
            if not in_object:
                self.open_scope(kind)
            return kind
        if c in WORDS:
            return self.match(*WORDS[c])
        if c == "-":
            return self.signed_number()
        if "0" <= c <= "9":
            return self.unsigned_number(c)
        return self.odd_value(c)

    def match(self, word: str, token: str, done: int = 1) -> str:
        """The rest of a word, and nothing that would make it longer."""
        for expected in word[done:]:
            if self.at >= len(self.text) or self.text[self.at] != expected:
                self.invalid_token()
            self.at += 1
        if self.at < len(self.text):
            c = self.text[self.at]
            if c >= "0" and c not in "]}" and identifier_part(c):
                self.invalid_token()
        return token

    def invalid_token(self, length: int = 0) -> None:
        """_reportInvalidToken reads to the word's end, for its message."""
        while self.at < len(self.text) and length < 256:
            if not identifier_part(self.text[self.at]):
                break
            self.at += 1
            length += 1
        raise JsonError("unknown word")

    def odd_value(self, c: str) -> str:
        """_handleOddValue."""
        if c == "'" and self.features.single_quotes:
            self.value = self.quoted("'")
            self.incomplete = False
            return STRING
        if c == "N":
            return self.special("NaN", "NaN", 1)
        if c == "I":
            return self.special("Infinity", "Infinity", 1)
        if c == "+":
            return self.odd_number(self.take(), negative=False)
        if identifier_start(c):
            self.invalid_token(1)
        raise JsonError("expected a value")

    def special(self, word: str, value: str, done: int) -> str:
        """NaN and the infinities."""
        self.match(word, FLOAT, done)
        if not self.features.non_numeric:
            raise JsonError("a non-standard number")
        self.value = value
        return FLOAT

    def odd_number(self, c: str, negative: bool) -> str:
        """_handleInvalidNumberStart."""
        if c == "I":
            c = self.take()
            sign = "-" if negative else "+"
            value = "-Infinity" if negative else "Infinity"
            if c == "N":
                return self.special(sign + "INF", value, 3)
            if c == "n":
                return self.special(sign + "Infinity", value, 3)
        raise JsonError("expected a digit")

    # ---- numbers ----

    def signed_number(self) -> str:
        """Behind a minus."""
        start = self.at - 1
        if self.at < len(self.text) and not "0" <= self.text[self.at] <= "9":
            self.at += 1
            return self.odd_number(self.text[self.at - 1], negative=True)
        return self.number(start, self.at)

    def unsigned_number(self, c: str) -> str:
        """From its first digit on."""
        return self.number(self.at - 1, self.at - 1)

    def number(self, start: int, digits: int) -> str:
        """[-]digits[.digits][e[+-]digits]."""
        at, text = digits, self.text
        end = len(text)
        if at >= end:
            raise JsonError("unexpected end of input in a number")
        quick = text[at] != "0"
        if not quick:
            at = self.leading_zeros(at)
        first = at
        while at < end and "0" <= text[at] <= "9":
            at += 1
        length, token, mark = at - first, INT, at + 1
        if at < end and text[at] == ".":
            at, n = self.digits_behind(at + 1, mark if quick else 0)
            length, token = length + n, FLOAT
        if at < end and text[at] in "eE":
            at += 1
            if at < end and text[at] in "+-":
                at += 1
            at, n = self.digits_behind(at, mark if quick else 0)
            length, token = length + n, FLOAT
        self.at = at
        if length > NUMBER_MAX:
            raise JsonError("a number too long")
        self.value = ("-" if start < digits else "") + text[first:at]
        return token

    def digits_behind(self, at: int, mark: int) -> tuple[int, int]:
        """At least one digit behind a point or an exponent. A number that does not start
        with 0 is tried first without moving the parser beyond its point or e."""
        start = at
        while at < len(self.text) and "0" <= self.text[at] <= "9":
            at += 1
        if at == start:
            more = at < len(self.text)
            self.at = mark if mark and more else at + more
            raise JsonError("expected a digit")
        return at, at - start

    def leading_zeros(self, at: int) -> int:
        """Where the digits that count begin."""
        text, end = self.text, len(self.text)
        if at + 1 >= end or not "0" <= text[at + 1] <= "9":
            return at
        if not self.features.leading_zeros:
            self.at = at + 1
            raise JsonError("leading zeros")
        while at + 1 < end and text[at] == "0" and "0" <= text[at + 1] <= "9":
            at += 1
        return at

    # ---- strings and names ----

    def escape(self) -> str:
        """Behind a backslash."""
        c = self.take()
        if c in ESCAPES:
            return ESCAPES[c]
        if c == "u":
            code = 0
            for _ in range(4):
                digit = self.take()
                if digit not in "0123456789abcdefABCDEF":
                    raise JsonError("no hex digit")
                code = code * 16 + int(digit, 16)
            return chr(code)
        if self.features.any_backslash or (c == "'" and self.features.single_quotes):
            return c
        raise JsonError("an unknown escape")

    def quoted(self, quote: str) -> str:
        """Up to the closing quote."""
        out: list[str] = []
        while True:
            c = self.take()
            if c == quote:
                return "".join(out)
            if c == "\\":
                c = self.escape()
            elif c < " " and not self.features.control_chars:
                raise JsonError("a control character in a string")
            out.append(c)

    def read_name(self) -> str:
        """Names are read at once."""
        return self.quoted('"')

    def odd_name(self, c: str) -> str:
        """_handleOddName."""
        if c == "'" and self.features.single_quotes:
            return self.quoted("'")
        if not self.features.unquoted_names:
            raise JsonError("expected a quoted name")
        if not name_part(c):
            raise JsonError("expected a name")
        start = self.at - 1
        while self.at < len(self.text) and name_part(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def string(self) -> str:
        """getText() of a STRING: read when first asked for."""
        if self.incomplete:
            self.incomplete = False
            self.value = self.quoted('"')
        return self.value

    def skip_string(self) -> None:
        """_skipString: escapes are not looked into, control characters are."""
        self.incomplete = False
        while True:
            c = self.take()
            if c == '"':
                return
            if c == "\\":
                self.escape()
            elif c < " " and not self.features.control_chars:
                raise JsonError("a control character in a string")

    # ---- structures ----

    def skip_children(self) -> None:
        """skipChildren(): to the end of the container that was just opened."""
        if self.token not in (OBJECT, ARRAY):
            return
        depth = 1
        while depth:
            token = self.next()
            if token is None:
                if self.context.kind != "root":
                    raise JsonError("unexpected end of input")
                return
            depth += (token in (OBJECT, ARRAY)) - (token in (OBJECT_END, ARRAY_END))
