"""Tables replace what stood between their marks, and nothing else."""

from pathlib import Path

import pytest

from bench.accuracy.ablation import ABLATION
from bench.accuracy.measure import Figures
from bench.accuracy.sources import SOURCES
from bench.accuracy.tables import DOCUMENT, Row, Study, table, write_table


def test_the_table_replaces_what_stood_between_the_marks(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    begin, end = "<!-- one: begin -->", "<!-- one: end -->"
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    write_table("one", "new", document)
    assert document.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    with pytest.raises(AssertionError, match="lost the marks around the table other"):
        write_table("other", "new", document)


@pytest.mark.parametrize("study", [ABLATION, SOURCES])
def test_the_document_has_a_place_for_every_table(study: Study) -> None:
    text = DOCUMENT.read_text()
    assert text.count(f"<!-- {study.name}: begin -->") == text.count(f"<!-- {study.name}: end -->") == 1


def test_table() -> None:
    one = Figures(48, 50.04, 33.0, 97.9167, 1, 0.01, 90.0, 90.0)
    text = table([Row("`default`", (one, one)), Row("`a=b`", (None, one))], ("x", "y"), 48)
    assert text.splitlines() == [
        "| 48 windows | x: logit dB | x: token dB | x: agreement "
        "| y: logit dB | y: token dB | y: agreement |",
        "|---|---|---|---|---|---|---|",
        "| `default` | 50.0 | 33.0 | 97.9 % | 50.0 | 33.0 | 97.9 % |",
        "| `a=b` | refused |  |  | 50.0 | 33.0 | 97.9 % |",
    ]
