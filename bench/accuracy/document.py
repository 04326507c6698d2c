"""Tables that commands write into docs/numerics.md, between two marks, so that nobody edits them by hand."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"


def write_table(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a table between the marks of its name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found_begin, rest = document.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    assert found_begin and found_end, f"{document.name} has lost the marks around the table {name}"
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
