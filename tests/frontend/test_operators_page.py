"""The page of operators says what the tables say."""

from __future__ import annotations

import pytest

from tests.repository import ROOT
from tests.tmc.command import call, succeeded
from tmc.frontend.importers.table import IMPORTERS

PAGE = ROOT / "docs" / "operators.md"


def test_the_page_is_what_the_tables_say(pytestconfig: pytest.Config) -> None:
    answer = call("operators", "--markdown")
    assert answer.status == 0
    if pytestconfig.getoption("--update-golden"):
        PAGE.write_text(answer.out, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == answer.out, "write it again with --update-golden"


def test_operators_are_listed() -> None:
    rows = {row["operator"]: row["takes"] for row in succeeded("operators")["operators"]}
    assert set(rows) > set(IMPORTERS) and rows["If"] == "a constant condition"
    assert rows["Gather"] == IMPORTERS["Gather"].limits and rows["Exp"] == "all of it"
