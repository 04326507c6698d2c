"""Tables replace what stood between their marks, and nothing else."""

from pathlib import Path

import pytest

from bench.accuracy import ablation, sources
from bench.accuracy.document import DOCUMENT, write_table


def test_the_table_replaces_what_stood_between_the_marks(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    begin, end = "<!-- one: begin -->", "<!-- one: end -->"
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    write_table("one", "new", document)
    assert document.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    with pytest.raises(AssertionError, match="lost the marks around the table other"):
        write_table("other", "new", document)


@pytest.mark.parametrize("name", [ablation.TABLE, sources.TABLE])
def test_the_document_has_a_place_for_every_table(name: str) -> None:
    text = DOCUMENT.read_text()
    assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
