"""Univocity's CsvWriter as Spark sets it up: a row's fields become its text."""

from __future__ import annotations

from dataclasses import dataclass

BLANKS = "".join(map(chr, range(0x21)))


def char_option(value: str) -> str:
    """CSVExprUtils and getChar: one character, empty is NUL."""
    if not value:
        return "\0"
    if len(value) == 1:
        return value
    known = {
        "\\t": "\t",
        "\\n": "\n",
        "\\r": "\r",
        "\\\\": "\\",
        "\\0": "\0",
        "\\u0000": "\0",
    }
    return known.get(value, value)


@dataclass
class Writer:
    """The writer's settings, by their names in univocity."""

    sep: str
    quote: str
    escape: str
    escape_escape: str
    comment: str
    line: str
    null_value: str
    empty_value: str
    quote_all: bool
    escape_quotes: bool
    ignore_leading: bool
    ignore_trailing: bool
    header: bool
    legacy_null: bool
    double_line: bool = True  # a line end in a value becomes a separator of two

    @classmethod
    def from_options(cls, csv: dict[str, str], legacy_null: bool) -> Writer:
        """Spark's CSVOptions.asWriterSettings."""

        def flag(name: str, default: bool) -> bool:
            return csv.get(name, str(default)).lower() == "true"

        if csv.get("dialect") == "rfc4180":
            return cls.rfc4180(csv, legacy_null)
        quote = char_option(csv.get("quote", '"'))
        escape = char_option(csv.get("escape", "\\"))
        own = (
            char_option(csv["charToEscapeQuoteEscaping"])
            if "charToEscapeQuoteEscaping" in csv
            else None
        )
        comment = char_option(csv["comment"]) if "comment" in csv else "#"
        escape_escape = "\0" if escape == quote else escape
        if own is not None:
            escape_escape = own
        return cls(
            sep=csv.get("sep", ","),
            quote=quote,
            escape=escape,
            escape_escape=escape_escape,
            comment=comment,
            line=csv.get("lineSep", "\n"),
            null_value=csv.get("nullValue", ""),
            empty_value=csv.get("emptyValue", '""'),
            quote_all=flag("quoteAll", False),
            escape_quotes=flag("escapeQuotes", True),
            ignore_leading=flag("ignoreLeadingWhiteSpace", True),
            ignore_trailing=flag("ignoreTrailingWhiteSpace", True),
            header=flag("header", False),
            legacy_null=legacy_null,
        )  # fmt: skip

    @classmethod
    def rfc4180(cls, csv: dict[str, str], legacy_null: bool) -> Writer:
        """csv.dialect: none of Spark's; docs/CONFIGURATION.md says what it is."""
        own = ("dialect", "quote", "escape", "charToEscapeQuoteEscaping", "lineSep",
               "comment", "escapeQuotes", "ignoreLeadingWhiteSpace",
               "ignoreTrailingWhiteSpace")  # fmt: skip
        left = {k: v for k, v in csv.items() if k not in own}
        left |= {"escape": '"', "lineSep": "\r\n", "ignoreLeadingWhiteSpace": "false",
                 "ignoreTrailingWhiteSpace": "false"}  # fmt: skip
        writer = cls.from_options(left, legacy_null)
        writer.comment = ""  # no character is
        writer.double_line = False
        return writer

    def row(self, fields: list[str | None]) -> str:
        """With its line separator; nothing for a row that is empty."""
        row = self.sep.join(self.field(i, text) for i, text in enumerate(fields))
        return row + self.line if row else ""

    # ---- a field ----

    def field(self, column: int, text: str | None) -> str:
        """processRow's steps for one of them."""
        if text is None and self.legacy_null:
            text = self.null_value
        blank = text is not None and not text.lstrip(BLANKS) and self.ignore_leading
        special = not text or blank
        value = text or ""
        if special:
            value = self.null_value if text is None else self.empty_value
        self.out: list[str] = []
        self.cut = 0
        quoted = self.append(column, self.quote_all, value, special)
        if self.length() == 0 and not special:
            self.append(column, quoted, self.empty_value, special)
        body = "".join(self.out)
        body = body[: len(body) - self.cut]
        return self.quote + body + self.quote if quoted else body

    def length(self) -> int:
        """What has been written, less the blanks to be cut."""
        return sum(map(len, self.out)) - self.cut

    def put(self, text: str) -> None:
        """WriterCharAppender.append(char): a line end becomes the separator."""
        double = text == "\n" and len(self.line) > 1 and self.double_line
        self.out.append(self.line if double else text)

    def trigger(self, c: str) -> bool:
        """Characters that call for quotes, the separator apart."""
        return c in "\n\r" or c in self.line or (self.escape_quotes and c == self.quote)

    def needs_quotes(self, text: str, start: int) -> bool:
        """quoteElement: from a quote or escape on."""
        return any(
            text.startswith(self.sep, i) or self.trigger(text[i])
            for i in range(start, len(text))
        )

    def append(self, column: int, quoted: bool, text: str, special: bool) -> bool:
        """Writes the text; answers whether quotes go around it."""
        start = 0
        if self.ignore_leading:
            while start < len(text) and text[start] <= " ":
                start += 1
        rest = start < len(text)
        if rest and (
            text[start] == self.quote or (column == 0 and text[0] == self.comment)
        ):
            quoted = True
        if quoted:
            both = len(text) >= 2 and text[0] == self.quote and text[-1] == self.quote
            if special and both:
                self.out.append(text)
                return False
            self.append_quoted(text, start)
            return True
        for i in range(start, len(text)):
            c = text[i]
            if c in (self.quote, self.escape):
                self.out.append(text[start:i])
                if self.needs_quotes(text, i):
                    self.append_quoted(text, i)
                    return True
                self.out.append(text[i:])
                if self.ignore_trailing and text[-1] <= " ":
                    self.update_blanks()
                return quoted
            if text.startswith(self.sep, i) or self.trigger(c):
                self.out.append(text[start:i])
                self.append_quoted(text, i)
                return True
        self.out.append(text[start:])
        if self.ignore_trailing and (not rest or text[-1] <= " "):
            self.update_blanks()
        return quoted

    def append_quoted(self, text: str, start: int) -> None:
        """Quotes and escapes get their escapes."""
        for c in text[start:]:
            if c == self.quote:
                self.put(self.escape)
            elif c == self.escape and self.escape_escape != "\0":
                self.put(self.escape_escape)
            self.put(c)
        if self.ignore_trailing and (start >= len(text) or text[-1] <= " "):
            self.update_blanks()

    def update_blanks(self) -> None:
        """Trailing blanks of all that has been written."""
        body = "".join(self.out)
        self.cut = len(body) - len(body.rstrip(BLANKS))
