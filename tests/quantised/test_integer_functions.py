"""Integer functions of single codes in networks with RequantShift: exact, on every platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tests.tmc.command import succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import UnsupportedModel

Array = NDArray[Any]
GELU: dict[str, float] = {"b": -61.0, "one": 4_813.0}
HARD_SWISH: dict[str, float] = {"one_over_six": 11.0, "three": 40.0, "six": 80.0}
SHIFT = {"div": 2.0**14, "n_levels": 256.0, "signed": 1.0}


def gelu(x: int) -> int:
    """Return the integer GELU of one code, in Python integers."""
    b, one = int(GELU["b"]), int(GELU["one"])
    distance = min(abs(x), -b) + b
    side = (x > 0) - (x < 0)
    return x * ((one + side * (one - distance * distance)) >> 1)


def hard_swish(x: int) -> int:
    """Return the integer hard swish of one code, in Python integers."""
    three, six = int(HARD_SWISH["three"]), int(HARD_SWISH["six"])
    return x * max(0, min(six, x + three)) * int(HARD_SWISH["one_over_six"])


FUNCTIONS = {"iGELU": (gelu, GELU), "iHardswish": (hard_swish, HARD_SWISH)}


def shifted(sums: Array, factor: int, added: int) -> Array:
    """Return the codes that a RequantShift makes of integers."""
    half = int(SHIFT["div"]) // 2
    codes = [(int(each) * factor + added + half) // (2 * half) for each in sums.reshape(-1)]
    return np.clip(np.array(codes).reshape(sums.shape), -128, 127)


def write_network(path: Path, kind: str, domain: str = "", **changes: Any) -> Path:
    """Write a linear op, a function and another linear op, all of integers."""
    random = np.random.default_rng(3)
    attributes = {**FUNCTIONS[kind][1], **changes}
    name = f"{domain}.{kind}" if domain else kind
    shift = f"{domain}.RequantShift" if domain else "RequantShift"
    nodes = [
        node("MatMul", "x w", "s"),
        node(shift, "s m0 a0", "c", **SHIFT),
        node(name, "c", "f", **{key: value for key, value in attributes.items() if value is not None}),
        node(shift, "f m1 a1", "d", **SHIFT),
        node("MatMul", "d v", "t"),
        node(shift, "t m0 a1", "y", **SHIFT),
    ]
    constants: dict[str, Array] = {
        "w": random.integers(-90, 91, (16, 24)),
        "v": random.integers(-90, 91, (24, 8)),
        "m0": np.array(55),
        "a0": np.array(900),
        "m1": np.array(9),
        "a1": np.array(-77),
    }
    made = {key: array.astype(np.float32) for key, array in constants.items()}
    return write(path, nodes, {"x": (6, 16)}, constants=made, opset=13)


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("domain", ["", "PACTOps", "ai.onnx.contrib"])
def test_codes_are_those_of_python_integers(kind: str, domain: str, tmp_path: Path) -> None:
    path = write_network(tmp_path / "m.onnx", kind, domain)
    facts = succeeded("compile", path, "-o", tmp_path / "out", "--input-range=-128:127")
    assert facts["declared"]["exact"] is True and facts["oracle"] == "ONNX's reference evaluator"
    inputs = np.random.default_rng(0).integers(-128, 128, (4, 6, 16))
    random = np.random.default_rng(3)
    w, v = random.integers(-90, 91, (16, 24)), random.integers(-90, 91, (24, 8))
    codes = shifted(inputs @ w, 55, 900)
    assert len(np.unique(codes)) > 150
    function = FUNCTIONS[kind][0]
    values = np.array([function(int(each)) for each in codes.reshape(-1)]).reshape(codes.shape)
    hidden = shifted(values, 9, -77)
    assert len(np.unique(hidden)) > 40
    expected = shifted(hidden @ v, 55, -77)
    for run in (run_host, run_iss):
        result = run(tmp_path / "out", {"x": inputs.astype(np.int8)})
        assert result.bit_exact
        assert np.array_equal(result.outputs["y"].reshape(expected.shape), expected)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_import_is_checked_by_the_formula(kind: str, tmp_path: Path) -> None:
    path = write_network(tmp_path / "m.onnx", kind)
    inputs = [
        {"x": np.random.default_rng(seed).integers(-128, 128, (6, 16)).astype(np.float32)}
        for seed in range(3)
    ]
    assert check_against_onnxruntime(path, load_model(path).graph, inputs) == 0.0


@pytest.mark.parametrize(
    ("kind", "changes", "found"),
    [
        ("iGELU", {"one": None}, "found no attribute one, allowed b and one"),
        ("iGELU", {"b": 3.0}, "found b 3, allowed at most 0"),
        ("iGELU", {"b": -1.5}, "found b -1.5, allowed an integer"),
        ("iGELU", {"one": 1e6}, "found results of up to"),
        ("iHardswish", {"six": -1.0}, "found six -1, allowed 0 or more"),
        ("iHardswish", {"one_over_six": 1e5}, "found results of up to"),
    ],
)
def test_refused_functions(kind: str, changes: dict[str, Any], found: str, tmp_path: Path) -> None:
    path = write_network(tmp_path / "m.onnx", kind, **changes)
    with pytest.raises(UnsupportedModel) as error:
        load_model(path)
    assert error.value.where == f"node_f ({kind})" and found in error.value.what


def test_a_function_without_a_shift_before_it_is_refused(tmp_path: Path) -> None:
    constants = {"w": np.eye(8, dtype=np.float32)}
    nodes = [node("MatMul", "x w", "h"), node("iGELU", "h", "y", **GELU)]
    path = write(tmp_path / "m.onnx", nodes, {"x": (4, 8)}, constants=constants, opset=13)
    with pytest.raises(UnsupportedModel) as error:
        load_model(path)
    assert error.value.where == "node_y (iGELU)"
    assert error.value.what.startswith("found an integer function without a RequantShift before it, allowed")
