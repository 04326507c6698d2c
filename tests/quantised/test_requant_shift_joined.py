"""Sums, differences and products of two values in networks of integers: exact against the formula."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto

from tests.networks.onnx_files import node, write
from tests.quantised.test_requant_shift import requantised
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

Array = NDArray[Any]
SHAPE = (5, 16)
JOIN: dict[str, Callable[[Array, Array], Array]] = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}
SHIFT = 14
TO_8_BITS = {"div": 2.0**SHIFT, "n_levels_out": 256, "signed": 1}


def shifted(x: str, name: str, levels: int, signed: int) -> NodeProto:
    """Return a RequantShift whose factors have its result's name."""
    operands = f"{x} m{name} a{name}"
    return node("RequantShift", operands, name, div=2.0**SHIFT, n_levels_out=levels, signed=signed)


def write_network(
    path: Path, kind: str, levels: int, signed: int, mul: int = 0, with_input: bool = False
) -> tuple[Path, dict[str, Array]]:
    """Write two layers of the input, or one and the input, joined, with a layer behind; and its constants."""
    random = np.random.default_rng(levels)
    constants: dict[str, Array] = {
        **{name: random.integers(-127, 128, (16, 16)) for name in ("v", "w", "u")},
        **{name: random.integers(5, 9, 16) for name in ("mp", "mq", "my")},
        **{name: random.integers(-(2**18), 2**18, 16) for name in ("ap", "aq", "ay")},
        "mh": np.array(mul or {"Add": 9001, "Sub": -9001, "Mul": 301}[kind]),
        "ah": np.array(-123456),
    }
    other = "x" if with_input else "q"
    nodes = [
        node("MatMul", "x v", "s"),
        shifted("s", "p", 256, 0),
        node("MatMul", "x w", "t"),
        shifted("t", "q", 128, 1),
        node(kind, f"p {other}", "j"),
        shifted("j", "h", levels, signed),
        node("MatMul", "h u", "o"),
        shifted("o", "y", 256, 1),
    ]
    nodes = [each for each in nodes if not with_input or each.output[0] not in "tq"]
    used = {name for each in nodes for name in each.input}
    held = {name: array.astype(np.float32) for name, array in constants.items() if name in used}
    return write(path, nodes, {"x": SHAPE}, constants=held, opset=13), constants


def of(kind: str, x: Array, c: dict[str, Array], levels: int, signed: int, with_input: bool = False) -> Array:
    """Return the network, in Python integers."""
    p = requantised(x @ c["v"], c["mp"], c["ap"], 2**SHIFT, 256, False)
    q = x if with_input else requantised(x @ c["w"], c["mq"], c["aq"], 2**SHIFT, 128, True)
    h = requantised(JOIN[kind](p, q), c["mh"], c["ah"], 2**SHIFT, levels, bool(signed))
    return requantised(h @ c["u"], c["my"], c["ay"], 2**SHIFT, 256, True)


def lowered(path: Path) -> Graph:
    """Return the integer graph of a file."""
    return lower_declared(prepare_declared(load_model(path).graph), ())


@pytest.mark.parametrize("kind", JOIN)
@pytest.mark.parametrize(("levels", "signed"), [(256, 1), (256, 0), (64, 1)])
@pytest.mark.parametrize("with_input", [False, True])
def test_every_code_is_the_formula(
    tmp_path: Path, kind: str, levels: int, signed: int, with_input: bool
) -> None:
    path, constants = write_network(tmp_path / "m.onnx", kind, levels, signed, with_input=with_input)
    graph = lowered(path)
    assert (OpKind.QMUL if kind == "Mul" else OpKind.QADD) in {op.kind for op in graph.ops}
    random = np.random.default_rng(0)
    different = set()
    for _ in range(6):
        x = random.integers(-128, 128, SHAPE)
        (found,) = interpret(graph, {"x": x.astype(np.int8)}).values()
        assert np.array_equal(found, of(kind, x, constants, levels, signed, with_input))
        different |= set(found.reshape(-1).tolist())
    assert len(different) >= 8


def test_the_import_is_the_formula(tmp_path: Path) -> None:
    path, constants = write_network(tmp_path / "m.onnx", "Add", 64, 1)
    x = np.random.default_rng(1).integers(-128, 128, SHAPE)
    graph = load_model(path).graph
    assert check_against_onnxruntime(path, graph, [{"x": x.astype(np.float32)}]) == 0
    (found,) = interpret(graph, {"x": x.astype(np.float32)}).values()
    assert np.array_equal(found, of("Add", x, constants, 64, 1))


@pytest.mark.parametrize("kind", ["Add", "Mul"])
def test_it_runs(tmp_path: Path, kind: str) -> None:
    path, _ = write_network(tmp_path / "m.onnx", kind, 64, 1)
    ranges = {None: (-128, 127)}
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out", input_ranges=ranges))
    assert compiled.report.declared is not None and compiled.report.declared.exact
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact


def test_what_leaves_32_bits_is_refused(tmp_path: Path) -> None:
    path, _ = write_network(tmp_path / "m.onnx", "Mul", 256, 1, mul=10**6)
    with pytest.raises(
        QuantisationError, match="node_h: found mul of two values whose requantisation leaves"
    ):
        lowered(path)


def refused(tmp_path: Path, *nodes: NodeProto) -> str:
    """Return why nodes behind the sum j of two values of integers are refused."""
    numbers = {"v": np.ones((16, 16)), "mp": np.array(3.0), "ap": np.array(0.0), "my": np.arange(1.0, 17)}
    numbers |= {"ay": np.array(0.0), "mh": np.array(3.0), "ah": np.array(0.0), "s": np.array(0.5)}
    constants = {name: array.astype(np.float32) for name, array in numbers.items()}
    nodes = (node("MatMul", "x v", "o"), shifted("o", "p", 256, 1), node("Add", "p x", "j"), *nodes)
    used = {name for each in nodes for name in each.input}
    held = {name: array for name, array in constants.items() if name in used}
    with pytest.raises(QuantisationError) as error:
        lowered(write(tmp_path / "m.onnx", list(nodes), {"x": SHAPE}, constants=held, opset=13))
    return str(error.value)


def test_other_readers_of_a_sum_are_refused(tmp_path: Path) -> None:
    assert "without one RequantShift of the tensor behind it" in refused(tmp_path, shifted("j", "y", 256, 1))
    assert "tanh of two quantised values" in refused(tmp_path, node("Tanh", "j", "y"))
    assert "mul of two quantised values" in refused(tmp_path, node("Mul", "j s", "y"))
    assert "a linear op of a value that is not" in refused(tmp_path, node("MatMul", "j v", "y"))
    assert "a value that is not rounded" in refused(tmp_path, node("Transpose", "j", "y", perm=[0, 1]))
    turned = (node("Transpose", "j", "h", perm=[1, 0]), node("RequantShift", "h mh ah", "y", **TO_8_BITS))
    assert "add of two values in another order" in refused(tmp_path, *turned)
