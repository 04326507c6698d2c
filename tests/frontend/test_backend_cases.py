"""Every operator that is imported, held to ONNX's own tests of it: right, or refused, and never wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frontend.backend_cases import outcomes
from tmc.frontend.importers.table import IMPORTERS

# Operators of which ONNX has no test on floats that fits: what it tests is boolean, codes as inputs, images.
UNTESTED = {"And", "Or", "Not", "Equal", "DequantizeLinear", "QuantizeLinear", "Resize"}
UNTESTED |= {"RequantShift", "Round", "SimplifiedLayerNormalization", "iGELU", "iHardswish"}
OPERATORS = [kind for kind in IMPORTERS if "." not in kind]


@pytest.mark.parametrize("kind", OPERATORS)
def test_no_case_is_wrong(kind: str, tmp_path: Path) -> None:
    found = list(outcomes(kind, tmp_path))
    wrong = [(each.name, each.excess) for each in found if each.refused is None and not each.excess <= 0]
    assert not wrong
    assert any(each.refused is None for each in found) == (kind not in UNTESTED)


def test_so_many_cases_pass(tmp_path: Path) -> None:
    """What was right stays right: a refusal is no way out."""
    passed = sum(each.refused is None for kind in OPERATORS for each in outcomes(kind, tmp_path))
    assert passed >= 486
