"""An outline of a prototxt without a schema: what stands where, with its line.

Standard library alone, since the runtime loads this file by its path in an interpreter that has no package of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Union

_TOKEN = re.compile(
    r"""(?P<space>(?:[\s;,]|\#[^\n]*)+)|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<word>[\w.+-]+)|(?P<mark>[:{}<>\[\]])"""
)
_CLOSING = {"{": "}", "<": ">"}
_DEEPEST = 50


class Entry(NamedTuple):
    """A field: its name, its scalar as written (quotes taken off) or its fields, its line."""

    name: str
    value: Union[str, list[Entry]]  # noqa: UP007 (evaluated when the class is made)
    line: int

    @property
    def children(self) -> list[Entry]:
        """The fields of a message, none of a scalar."""
        return self.value if isinstance(self.value, list) else []


class Malformed(ValueError):
    """The text is not protobuf text; the message names the line."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def _tokens(text: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise Malformed(f"line {line}: unexpected character {text[position]!r}")
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group(), line)
        line += match.group().count("\n")
        position = match.end()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next: _Token | None = next(self._tokens, None)
        self._last_line = 1

    def _take(self) -> _Token:
        token = self._next
        if token is None:
            raise Malformed(f"line {self._last_line}: the text ends within a message")
        self._last_line = token.line
        self._next = next(self._tokens, None)
        return token

    def _at(self, mark: str) -> bool:
        return self._next is not None and self._next.kind == "mark" and self._next.text == mark

    def fields(self, closing: str, depth: int = 0) -> list[Entry]:
        found: list[Entry] = []
        while self._next is not None and not (closing and self._at(closing)):
            name = self._take()
            if name.kind != "word" or depth > _DEEPEST:
                raise Malformed(f"line {name.line}: expected a field name, received {name.text!r}")
            if self._at(":"):
                self._take()
            found.extend(Entry(name.text, value, name.line) for value in self._values(depth))
        if closing:
            self._take()
        return found

    def _values(self, depth: int) -> list[str | list[Entry]]:
        if not self._at("["):
            return [self._value(depth)]
        self._take()
        values: list[str | list[Entry]] = []
        while not self._at("]"):
            values.append(self._value(depth))
        self._take()
        return values

    def _value(self, depth: int) -> str | list[Entry]:
        token = self._take()
        if token.kind == "mark":
            if token.text not in _CLOSING:
                raise Malformed(f"line {token.line}: expected a value, received {token.text!r}")
            return self.fields(_CLOSING[token.text], depth + 1)
        if token.kind == "word":
            return token.text
        text = token.text[1:-1]
        while self._next is not None and self._next.kind == "string":
            text += self._take().text[1:-1]
        return text


def outline(text: str) -> list[Entry]:
    """The top-level fields of a prototxt; a list `[1, 3]` gives one entry a value.

    Raises:
        Malformed: the text is not protobuf text.
    """
    return _Reader(text).fields("")


def flat(entries: list[Entry], path: str = "") -> dict[str, str]:
    """The scalars of a message by dotted path, the last of repeated ones."""
    found: dict[str, str] = {}
    for entry in entries:
        here = f"{path}.{entry.name}" if path else entry.name
        found |= flat(entry.children, here) if isinstance(entry.value, list) else {here: entry.value}
    return found
