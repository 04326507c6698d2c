"""Functions of one element and constant factors, from ONNX to the instruction set: bit-exact, near float."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.graph import OpKind
from tmc.ir.integer.qlinear import QLinearAttrs

ROWS, WIDTH = 12, 16
RANDOM = np.random.default_rng(7)
CONSTANTS = {
    "w0": RANDOM.standard_normal((8, WIDTH)) / 8**0.5,
    "wm": RANDOM.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5,
    "w1": RANDOM.standard_normal((WIDTH, 8)) / WIDTH**0.5,
    "one": np.array(1.0),
    "three": np.array(3.0),
    "six": np.array(6.0),
    "zero": np.array(0.0),
    "slope": np.array(0.1),
    "quick": np.array(1.702),
    "mean": RANDOM.standard_normal((1, 8)),
    "std": 0.5 + RANDOM.random((1, 8)),
    "gain": 0.5 + RANDOM.random(WIDTH),
    "shift": RANDOM.standard_normal(WIDTH),
    "layer": 0.1 + RANDOM.random(8),
}
# Each is a function from `a` to `f`; and the least signal to noise of a network with it, in dB.
FUNCTIONS: dict[str, tuple[tuple[onnx.NodeProto, ...], float]] = {
    "relu6": ((node("Clip", "a zero six", "f"),), 30),
    "hard swish": (
        (
            node("Add", "a three", "p"),
            node("Clip", "p zero six", "c"),
            node("Mul", "a c", "m"),
            node("Div", "m six", "f"),
        ),
        30,
    ),
    "quick gelu": (
        (node("Mul", "a quick", "p"), node("Sigmoid", "p", "s"), node("Mul", "a s", "f")),
        30,
    ),
    "leaky relu": (
        (
            node("Relu", "a", "r"),
            node("Neg", "a", "n"),
            node("Relu", "n", "l"),
            node("Mul", "l slope", "m"),
            node("Sub", "r m", "f"),
        ),
        30,
    ),
    "square": ((node("Mul", "a a", "f"),), 22),
    "erf": ((node("Erf", "a", "f"),), 30),
    "root": (
        (node("Mul", "a a", "q"), node("Add", "q one", "p"), node("Sqrt", "p", "r"), node("Div", "a r", "f")),
        30,
    ),
    **{
        kind: ((node(kind, "a", "f"),), 25)
        for kind in ("Elu", "LeakyRelu", "HardSwish", "Mish", "Softplus", "Selu", "Softsign", "Exp", "Abs")
    },
    "tanh times three": ((node("Tanh", "a", "t"), node("Mul", "t three", "f")), 30),
}


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def compiled(folder: Path, nodes: Sequence[onnx.NodeProto]) -> Compiled:
    """Compile a network of x [12, 8] and y."""
    constants = {name: array.astype(np.float32) for name, array in CONSTANTS.items()}
    path = write(folder / "net.onnx", nodes, {"x": (ROWS, 8)}, constants=constants, opset=18)
    windows = np.random.default_rng(3).standard_normal((32, ROWS, 8)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return compile_model(Options(path, target_named("gap9"), folder / "out"))


TO_INT8 = [node("MatMul", "x w0", "h"), node("Relu", "h", "z")]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_a_linear_is_its_table(tmp_path: Path, iss: Path, name: str) -> None:
    function, least_db = FUNCTIONS[name]
    nodes = [*TO_INT8, node("MatMul", "z wm", "a"), *function, node("MatMul", "f w1", "y")]
    found = compiled(tmp_path, nodes)
    assert [op.kind for op in found.graph.ops] == [OpKind.QLINEAR, OpKind.QREQUANTISE, *[OpKind.QLINEAR] * 2]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > least_db


def test_function_of_a_linear_of_int16(tmp_path: Path, iss: Path) -> None:
    function, least_db = FUNCTIONS["hard swish"]
    found = compiled(tmp_path, [node("MatMul", "x w0", "a"), *function, node("MatMul", "f w1", "y")])
    assert [op.kind for op in found.graph.ops] == [OpKind.QLINEAR, OpKind.QREQUANTISE, OpKind.QLINEAR]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > least_db


def test_function_at_the_end(tmp_path: Path, iss: Path) -> None:
    nodes = [*TO_INT8, node("MatMul", "z w1", "a")]
    found = compiled(tmp_path, [*nodes, node("Tanh", "a", "t"), node("Mul", "t three", "y")])
    last = found.graph.ops[-1].attrs
    assert isinstance(last, QLinearAttrs) and last.table
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30


def test_factors_and_offsets_leave_linears_alone(tmp_path: Path, iss: Path) -> None:
    """A normalised input, a batch norm and a gain of the last layer."""
    found = compiled(
        tmp_path,
        [
            node("Sub", "x mean", "c"),
            node("Div", "c std", "n"),
            node("MatMul", "n w0", "h"),
            node("Mul", "h gain", "g"),
            node("Add", "g shift", "b"),
            node("Relu", "b", "r"),
            node("MatMul", "r w1", "l"),
            node("Mul", "layer l", "s"),
            node("Mul", "s three", "y"),
        ],
    )
    assert [op.kind for op in found.graph.ops] == [OpKind.QLINEAR, OpKind.QREQUANTISE, OpKind.QLINEAR]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 35


def test_factors_that_no_weights_take_in_are_convolutions_of_one_tap(tmp_path: Path, iss: Path) -> None:
    nodes = [
        *TO_INT8,
        node("MatMul", "z wm", "a"),
        node("Sigmoid", "a", "g"),
        node("Mul", "g gain", "m"),
        node("Add", "m shift", "b"),
        node("Tanh", "b", "t"),
        node("Mul", "gain t", "y"),
    ]
    found = compiled(tmp_path, nodes)
    kinds = [op.kind for op in found.graph.ops]
    assert kinds[-3:] == [OpKind.QLINEAR, OpKind.QDEPTHWISE_ROWS, OpKind.QDEPTHWISE_ROWS]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30
