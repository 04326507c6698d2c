"""Compare texts with the ones under tests/golden, NAME.golden each; --update-golden writes them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.repository import ROOT

FOLDER = ROOT / "tests" / "golden"


def check_golden(config: pytest.Config, folder: str, texts: Mapping[str, bytes]) -> None:
    """Compare files with the golden ones in a folder, byte by byte."""
    if config.getoption("--update-golden"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            (FOLDER / folder / f"{name}.golden").write_bytes(content)
    for name, content in texts.items():
        golden = (FOLDER / folder / f"{name}.golden").read_bytes()
        assert content.decode() == golden.decode(), f"{folder}/{name}: write it again with --update-golden"
