"""The table of docs/networks.md has every encoder, in the order of the tests."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.zoo.encoders import ENCODERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


def test_every_encoder_has_its_line() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text("utf-8").splitlines()]
    first = rows.index(ENCODERS[0].name)
    assert rows[first : first + len(ENCODERS)] == [shape.name for shape in ENCODERS]
