"""The select list: its text becomes a tree. Types are found in functions.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .row import Lexer, Type, read_type

ESCAPES = {"0": "\0", "'": "'", '"': '"', "b": "\b", "n": "\n", "r": "\r", "t": "\t",
           "Z": "\x1a", "\\": "\\", "%": "\\%", "_": "\\_"}  # fmt: skip
INT_MAX = 2**31 - 1


@dataclass
class Item:
    """path, literal, call, cast, or star."""

    kind: str
    name: str = ""
    steps: list[Any] = field(default_factory=list)
    args: list[Item] = field(default_factory=list)
    type: Type | None = None
    value: Any = None


def unescaped(text: str) -> str:
    """What stands in a string literal's quotes."""

    def one(m: re.Match[str]) -> str:
        code = m[1] or m[2]
        if code:
            return chr(int(code, 16))
        return chr(int(m[3], 8)) if m[3] else ESCAPES.get(m[4], m[4])

    units = re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([01][0-7]{2})|(.))",
        one,
        text,
        flags=re.S,
    )
    pairs = units.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "surrogatepass"
    )
    return "".join("?" if "\ud800" <= c < "\ue000" else c for c in pairs)


def number(word: str, negative: bool) -> Item:
    """5, 5L, 1.5 (DECIMAL), 1e3 and 1.5D (DOUBLE)."""
    text = ("-" if negative else "") + word
    if word[-1] in "dD" or "e" in word.lower():
        return Item("literal", type=Type("DOUBLE"), value=float(text.rstrip("dD")))
    if word[-1] in "lL":
        return Item("literal", type=Type("BIGINT"), value=int(text[:-1]))
    if "." in word:
        whole, _, rest = word.partition(".")
        digits = (whole + rest).lstrip("0") or "0"
        t = Type("DECIMAL", max(len(digits), len(rest)), len(rest))
        plain = f"{whole.lstrip('0') or '0'}.{rest}" if rest else whole
        return Item("literal", type=t, value=("-" if negative else "") + plain)
    value = int(text)
    return Item(
        "literal", type=Type("INT" if value <= INT_MAX else "BIGINT"), value=value
    )


def strings(lex: Lexer) -> Item:
    """'a' 'b' is one."""
    text = ""
    while lex.peek()[:1] in ("'", '"'):
        text += unescaped(lex.take()[1:-1])
    return Item("literal", type=Type("STRING"), value=text.encode())


def read_primary(lex: Lexer) -> Item:
    """Up to its indexes."""
    word = lex.peek()
    upper = word.upper()
    if word == "(":
        lex.take()
        item = read_item(lex)
        lex.take(")")
        return item
    if word[0] in "'\"":
        return strings(lex)
    if word == "-" or word[0].isdigit():
        negative = word == "-"
        if negative:
            lex.take()
        return number(lex.take(), negative)
    if upper in ("TRUE", "FALSE", "NULL") and lex.next() not in (".", "("):
        lex.take()
        if upper == "NULL":
            return Item("literal", type=None)
        return Item("literal", type=Type("BOOLEAN"), value=upper == "TRUE")
    if lex.next() == "(" and word[0] != "`":
        return read_call(lex)
    item = Item("path", lex.name())
    while lex.peek() == ".":
        lex.take()
        if lex.peek() == "*":
            lex.take()
            return Item("star", item.name, item.steps)
        item.steps.append(lex.name())
    return item


def read_call(lex: Lexer) -> Item:
    """A function, or CAST."""
    item = Item("call", lex.take().lower())
    lex.take("(")
    if item.name == "cast":
        item.kind = "cast"
        item.args.append(read_item(lex))
        lex.take("AS")
        item.type = read_type(lex)
    while lex.peek() != ")":
        item.args.append(read_item(lex))
        if lex.peek() == ",":
            lex.take()
    lex.take(")")
    return item


def read_postfix(lex: Lexer) -> Item:
    """[index], ['key'], and fields of elements."""
    item = read_primary(lex)
    while lex.peek() in (".", "["):
        if lex.take() == ".":
            item.steps.append(lex.name())
            continue
        key = read_item(lex)
        text = isinstance(key.value, bytes)
        item.steps.append(("key", key.value.decode()) if text else ("index", key.value))
        lex.take("]")
    return item


def read_item(lex: Lexer) -> Item:
    """a || b is concat(a, b)."""
    item = read_postfix(lex)
    while lex.peek() == "||":
        lex.take()
        item = Item("call", "concat", args=[item, read_postfix(lex)])
    return item


def star(schema: Type, item: Item) -> list[tuple[str, Item]]:
    """The fields of a struct, or of all."""
    t, path = schema, [*([item.name] if item.name else []), *item.steps]
    if path and path[0].lower() == "data" and all(n != "data" for n, _ in schema.fields):
        path = path[1:]
    for step in path:
        t = next(f for n, f in t.fields if n.lower() == step.lower())
    return [(n, Item("path", [*path, n][0], [*path, n][1:])) for n, _ in t.fields]


def read_select(text: str, schema: Type) -> list[tuple[str, Item]]:
    """Names and expressions."""
    lex, out = Lexer(text), []
    while lex.peek():
        if lex.peek() == "*":
            lex.take()
            item = Item("star")
        else:
            item = read_item(lex)
        name = str(item.steps[-1]) if item.steps else item.name
        if lex.peek() not in (",", ""):
            if lex.peek().upper() == "AS":
                lex.take()
            name = lex.name()
        out += star(schema, item) if item.kind == "star" else [(name, item)]
        if lex.peek() == ",":
            lex.take()
    return out


def roots(item: Item) -> set[str]:
    """The columns that an expression uses; behind data. it is the next name."""
    own: set[str] = set()
    if item.kind == "path":
        own = {item.name}
        if item.name.lower() == "data" and item.steps and isinstance(item.steps[0], str):
            own.add(item.steps[0])
    return own.union(*(roots(a) for a in item.args))
