"""Tokens of the text form, and a cursor over them that knows its line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from tmc.ir.errors import ParseError

T = TypeVar("T")

BARE_NAME = re.compile(r"[A-Za-z0-9_./$-]+")
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    | (?P<name>[%@](?:{BARE_NAME.pattern}|{_STRING}))
    | (?P<string>{_STRING})
    | (?P<type>\w+\[[^\s\],)]*\]?)
    | sha256:(?P<hash>[0-9a-f]+)
    | (?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<mark>[(){{}},:=])""",
    re.VERBOSE | re.ASCII,
)


class Tokens:
    """The tokens of one text and the place of the next one. Every method raises ParseError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        offset = 0
        while offset < len(text):
            match = _TOKEN.match(text, offset)
            if match is None:
                self.fail(f"found {text[offset]!r}, allowed a name, a type, a number or a mark", offset)
            kind = str(match.lastgroup)
            if kind != "space":
                self._tokens.append((kind, match[kind], offset))
            offset = match.end()
        self._tokens.append(("end", "the end of the text", len(text)))

    @property
    def offset(self) -> int:
        """Return where the next token starts."""
        return self._tokens[self._next][2]

    @property
    def kind(self) -> str:
        """Return the kind of the next token: name, string, type, hash, number, word, mark or end."""
        return self._tokens[self._next][0]

    def fail(self, what: str, offset: int | None = None) -> NoReturn:
        """Report a problem at an offset, or at the next token."""
        offset = self.offset if offset is None else offset
        line = self._text.count("\n", 0, offset) + 1
        column = offset - self._text.rfind("\n", 0, offset)
        raise ParseError(f"line {line}, column {column}", what)

    def unexpected(self, allowed: str) -> NoReturn:
        """Report the next token."""
        self.fail(f"found {self._tokens[self._next][1]}, allowed {allowed}")

    def at(self, text: str) -> bool:
        """Tell whether a given word or mark is next."""
        return self.kind in ("mark", "word") and self._tokens[self._next][1] == text

    def skip(self, text: str) -> bool:
        """Go past a given word or mark if it is next, and tell."""
        found = self.at(text)
        self._next += found
        return found

    def expect(self, text: str) -> None:
        """Go past a given word or mark."""
        if not self.skip(text):
            self.unexpected(text)

    def take(self, kind: str, allowed: str) -> str:
        """Return the next token, which has to be of one kind."""
        if self.kind != kind:
            self.unexpected(allowed)
        self._next += 1
        return self._tokens[self._next - 1][1]

    def string(self) -> str:
        """Return a JSON string."""
        offset = self.offset
        return self._decode(self.take("string", "a string"), offset)

    def name(self, sigil: str) -> str:
        """Return the name of a value (%) or of a graph (@)."""
        offset = self.offset
        allowed = f"a name that starts with {sigil}"
        text = self.take("name", allowed)
        if text[0] != sigil:
            self.fail(f"found {text}, allowed {allowed}", offset)
        return self._decode(text[1:], offset + 1) if text[1] == '"' else text[1:]

    def items(self, opening: str, closing: str, item: Callable[[], T]) -> list[T]:
        """Return items between two marks with commas between them; a comma after the last is allowed."""
        self.expect(opening)
        found: list[T] = []
        while not self.skip(closing):
            found.append(item())
            if not self.at(closing):
                self.expect(",")
        return found

    def _decode(self, text: str, offset: int) -> str:
        try:
            return str(json.loads(text))
        except ValueError:
            self.fail(f"found {text}, allowed a JSON string", offset)
