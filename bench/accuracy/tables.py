"""Studies of one network and its stressed variants: each writes its table into docs/numerics.md.

The table stands between two marks, so that it is never edited by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.measure import Figures
from bench.accuracy.subject import Subject
from bench.accuracy.workers import Workers

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"


@dataclass(frozen=True, slots=True)
class Row:
    """What is compared, in Markdown, and its figures per network: None where a recipe is refused."""

    name: str
    figures: tuple[Figures | None, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A table by its name; rows(workers, subjects) measures the trained network and it under the stresses."""

    name: str
    windows: int
    stresses: tuple[str, ...]
    rows: Callable[[Workers, tuple[Subject, ...]], Iterator[Row]]


def table(rows: list[Row], names: tuple[str, ...], windows: int) -> str:
    """Return the table in Markdown; its figures are those of the subjects of these names."""
    columns = [f"{name}: {figure}" for name in names for figure in ("logit dB", "token dB", "agreement")]
    lines = [f"| {windows} windows | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for row in rows:
        cells = [cell for one in row.figures for cell in _cells(one)]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(one: Figures | None) -> tuple[str, str, str]:
    if one is None:
        return "refused", "", ""
    return f"{one.logit_db:.1f}", f"{one.token_db:.1f}", f"{one.agreement:.1f} %"


def write_table(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a table between the marks of its name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found_begin, rest = document.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    assert found_begin and found_end, f"{document.name} has lost the marks around the table {name}"
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
