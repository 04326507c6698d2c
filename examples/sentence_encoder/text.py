"""Technical prose from the Python installation, cut into sentences of one length in tokens."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

FIRST, LAST, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
LONGEST_WORD = 100
# What share of a text has to be letters and spaces: prose, not tables and examples.
PROSE = 0.92


@cache
def docstrings() -> tuple[str, ...]:
    """Return the docstrings of the standard library that are prose, in the order of their files."""
    return tuple(_docstrings())


def _docstrings() -> Iterator[str]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted([*folder.glob("*.py"), *folder.glob("*/*.py")]):
        if {"site-packages", "dist-packages", "test"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):  # samples of broken files
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = " ".join((ast.get_docstring(node) or "").split())
                letters = sum(each.isalpha() or each == " " for each in text)
                if text.isascii() and letters >= PROSE * len(text):
                    yield text


def wordpieces(text: str, numbers: dict[str, int]) -> list[int]:
    """Return the numbers of the pieces of an ASCII text: of every word the longest, from the left."""
    tokens: list[int] = []
    for word in WORD.findall(text.lower()):
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in numbers), None)
            if end is None or len(word) > LONGEST_WORD:
                pieces = [numbers[UNKNOWN]]
                break
            pieces.append(numbers[mark + word[start:end]])
            start = end
        tokens += pieces
    return tokens


def sentences(vocabulary: Sequence[str], count: int, length: int, seed: int = 0) -> list[list[int]]:
    """Return the token numbers of `count` different texts, each cut to `length` tokens with its two marks.

    Raises: ValueError if the installation has fewer texts of that length.
    """
    numbers = {token: number for number, token in enumerate(vocabulary)}
    found: dict[tuple[int, ...], None] = {}
    texts = docstrings()
    for text in Random(seed).sample(texts, len(texts)):
        tokens = wordpieces(text, numbers)
        if len(tokens) >= length - 2:
            found[numbers[FIRST], *tokens[: length - 2], numbers[LAST]] = None
        if len(found) == count:
            return [list(each) for each in found]
    raise ValueError(f"found {len(found)} texts of {length} tokens, allowed {count} or more")
