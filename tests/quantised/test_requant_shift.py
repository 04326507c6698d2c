"""Integer networks with RequantShift: exact against the formula, on every platform."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import QuantisationError, UnsupportedModel
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.verify import verify
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

Array = NDArray[Any]


def requantised(x: Array, mul: Array, add: Array, div: int, levels: int, signed: bool) -> Array:
    """Return the formula, in Python integers."""
    low = -levels // 2 if signed else 0
    pairs = np.broadcast_arrays(x.astype(object), mul.astype(object), add.astype(object))
    exact = [
        max(low, min(low + levels - 1, (int(a) * int(b) + int(c) + div // 2) // div))
        for a, b, c in zip(*(each.reshape(-1) for each in pairs), strict=True)
    ]
    return np.array(exact, dtype=np.int64).reshape(pairs[0].shape)


class Layer:
    """Random integer weights and the parameters of the RequantShift behind them."""

    def __init__(self, random: np.random.Generator, inputs: int, outputs: int, form: str, size: int) -> None:
        self.weight = random.integers(-127, 128, (inputs, outputs))
        self.bias = random.integers(-5000, 5000, outputs)
        shape = () if form == "tensor" else (outputs,)
        self.div = 2 ** int(random.integers(8, 17))
        reach = int(np.abs(self.weight).sum(axis=0).max()) * 40
        limit = max(2, self.div * 200 // reach) * size
        self.mul = random.integers(1, limit + 1, shape) * random.choice([-1, 1], shape)
        self.add = random.integers(-20 * self.div, 20 * self.div, shape)
        self.levels = int(random.choice([256, 128, 16]))
        self.signed = bool(random.integers(2))

    def of(self, x: Array) -> Array:
        """Return the layer of integers."""
        sums = x @ self.weight + self.bias
        return requantised(sums, self.mul, self.add, self.div, self.levels, self.signed)


def layers(seed: int, form: str = "channel", size: int = 1) -> list[Layer]:
    """Return three layers."""
    random = np.random.default_rng(seed)
    return [Layer(random, *widths, form, size) for widths in ((16, 24), (24, 20), (20, 8))]


def write_network(
    path: Path, made: list[Layer], domain: str = "", opset: int = 13, lists: bool = False
) -> Path:
    """Write the layers as Gemm or MatMul and Add, each with its RequantShift, in the style of an exporter."""
    nodes, constants, x = [], {}, "x"
    for number, layer in enumerate(made):
        names = f"w{number} b{number}"
        constants |= {
            f"w{number}": layer.weight.astype(np.float32),
            f"b{number}": layer.bias.astype(np.float32),
            f"mul{number}": layer.mul.astype(np.float32),
            f"add{number}": layer.add.astype(np.float32),
        }
        if number % 2 == 0:
            nodes.append(node("Gemm", f"{x} {names}", f"s{number}"))
        else:
            nodes.append(node("MatMul", f"{x} w{number}", f"p{number}"))
            nodes.append(node("Add", f"p{number} b{number}", f"s{number}"))
        kind = f"{domain}.RequantShift" if domain else "RequantShift"
        result = "y" if layer is made[-1] else f"x{number}"
        numbers = (float(layer.div), float(layer.levels), float(layer.signed))
        div, levels, signed = ([value] for value in numbers) if lists else numbers
        name = "n_levels" if lists else "n_levels_out"
        nodes.append(
            node(kind, f"s{number} mul{number} add{number}", result, div=div, signed=signed, **{name: levels})
        )
        x = result
    return write(path, nodes, {"x": (5, 16)}, constants=constants, opset=opset)


def lowered(path: Path, unsigned: bool = False) -> Graph:
    """Return the integer graph of a file."""
    return lower_declared(prepare_declared(load_model(path).graph), (), {"x"} if unsigned else ())


def stored(values: Array, layer: Layer) -> Array:
    """Return how int8 stores the results of a layer."""
    return values if layer.signed or layer.levels <= 128 else values - 128


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("form", ["channel", "tensor"])
def test_every_layer_is_the_formula(tmp_path: Path, seed: int, form: str) -> None:
    made = layers(seed, form, size=1 + 2000 * (seed % 3 == 2))
    path = write_network(
        tmp_path / "m.onnx",
        made,
        ("", "PACTOps", "ai.onnx.contrib")[seed % 3],
        10 + seed % 8,
        lists=seed % 2 == 1,
    )
    graph = lowered(path)
    results = [
        op.output for op in graph.ops if op.kind is OpKind.QREQUANTISE or op.attrs != QLinearAttrs(0, "s32")
    ]
    assert len(results) == 3
    random = np.random.default_rng(seed)
    for kind in ("any", "ends"):
        x = random.integers(-128, 128, (5, 16)) if kind == "any" else random.choice([-128, 127], (5, 16))
        found: dict[str, Array] = {}
        interpret(graph, {"x": x.astype(np.int8)}, found.__setitem__)
        for layer, name in zip(made, results, strict=True):
            x = layer.of(x)
            assert np.array_equal(found[name], stored(x, layer))


def test_linear_and_shift_are_one_op_where_they_fit_int32(tmp_path: Path) -> None:
    small, large = (
        lowered(write_network(tmp_path / f"{size}.onnx", layers(1, size=size))) for size in (1, 10**6)
    )
    assert {op.kind for op in small.ops} == {OpKind.QLINEAR}
    assert OpKind.QREQUANTISE in {op.kind for op in large.ops}


def test_unsigned_input(tmp_path: Path) -> None:
    made = layers(5)
    graph = lowered(write_network(tmp_path / "m.onnx", made), unsigned=True)
    x = np.random.default_rng(0).integers(0, 256, (5, 16))
    (found,) = interpret(graph, {"x": (x - 128).astype(np.int8)}).values()
    for layer in made:
        x = layer.of(x)
    assert np.array_equal(found, stored(x, made[-1]))


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("mul", [16, 9, -17, -3, "channel"])
def test_a_shift_of_the_input_itself(tmp_path: Path, unsigned: bool, mul: int | str) -> None:
    random = np.random.default_rng(0)
    factor = np.arange(-8, 8) if isinstance(mul, str) else np.array(mul)
    weight, add = random.integers(-9, 9, (16, 4)), np.array(11)
    shift = {"n_levels": 256.0, "div": 16.0, "signed": 1.0}
    nodes = [
        node("RequantShift", "x m a", "c", **shift),
        node("MatMul", "c w", "s"),
        node("RequantShift", "s one a", "y", **shift),
    ]
    made = {"m": factor, "a": add, "one": np.array(1), "w": weight}
    constants = {name: array.astype(np.float32) for name, array in made.items()}
    path = write(tmp_path / "m.onnx", nodes, {"x": (5, 16)}, constants=constants, opset=13)
    codes = random.integers(-128, 128, (5, 16))
    (found,) = interpret(lowered(path, unsigned), {"x": codes.astype(np.int8)}).values()
    first = requantised(codes + 128 * unsigned, factor, add, 16, 256, True)
    assert np.array_equal(found, requantised(first @ weight, np.array(1), add, 16, 256, True))


def test_import_is_checked_without_onnxruntime(tmp_path: Path) -> None:
    path = write_network(tmp_path / "m.onnx", layers(2))
    random = np.random.default_rng(0)
    inputs = [{"x": random.integers(-128, 128, (5, 16)).astype(np.float32)} for _ in range(3)]
    assert check_against_onnxruntime(path, load_model(path).graph, inputs) == 0.0


@pytest.mark.parametrize("size", [1, 10**6])
def test_compiled_network(tmp_path: Path, size: int) -> None:
    made = layers(3, size=size)
    path = write_network(tmp_path / "m.onnx", made)
    facts = succeeded("compile", path, "-o", tmp_path / "out", "--input-range=-128:127")
    assert facts["oracle"] == "ONNX's reference evaluator" and facts["declared"]["exact"] is True
    assert facts["declared"]["scales"] == facts["declared"]["of_scales"] == 3
    assert facts["declared"]["file_db"] == 200.0
    # Nothing is lost, so nothing would help.
    assert facts["accuracy"]["worst"] == []
    inputs = np.random.default_rng(0).integers(-128, 128, (3, 5, 16))
    expected = inputs
    for layer in made:
        expected = layer.of(expected)
    for run in (run_host, run_iss):
        result = run(tmp_path / "out", {"x": inputs.astype(np.int8)})
        assert result.bit_exact
        assert np.array_equal(result.outputs["y"].reshape(expected.shape), stored(expected, made[-1]))


def test_pointwise_convolution_with_parameters_per_channel(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    weight = random.integers(-20, 20, (12, 16, 1, 1))
    mul, add = random.integers(1, 60, (12, 1, 1)), random.integers(-9000, 9000, (12, 1, 1))
    head = random.integers(-100, 100, (12, 4))
    nodes = [
        node("Reshape", "x first", "x0"),
        node("Transpose", "x0", "x1", perm=[0, 3, 1, 2]),
        node("Conv", "x1 w", "s"),
        node("RequantShift", "s mul add", "c", div=1024.0, n_levels=256.0, signed=1.0),
        node("Transpose", "c", "c1", perm=[0, 2, 3, 1]),
        node("Reshape", "c1 rows", "c2"),
        node("MatMul", "c2 head", "t"),
        node("RequantShift", "t m a", "y", div=[2.0**12], n_levels=[256.0], signed=[1.0]),
    ]
    constants: dict[str, Array] = {
        "w": weight.astype(np.float32),
        "mul": mul.astype(np.int32),
        "add": add.astype(np.int32),
        "head": head.astype(np.float32),
        "m": np.array(37.0, np.float32),
        "a": np.array(0.0, np.float32),
        "first": np.array([1, 1, 5, 16]),
        "rows": np.array([5, 12]),
    }
    path = write(tmp_path / "m.onnx", nodes, {"x": (5, 16)}, constants=constants, opset=13)
    graph = lowered(path)
    x = random.integers(-128, 128, (5, 16))
    (found,) = interpret(graph, {"x": x.astype(np.int8)}).values()
    hidden = requantised(x @ weight[:, :, 0, 0].T, mul.reshape(-1), add.reshape(-1), 1024, 256, True)
    expected = requantised(hidden @ head, np.array(37), np.array(0), 2**12, 256, True)
    assert np.array_equal(found, expected)


def shifted(path: Path, **changes: Any) -> Path:
    """Write one MatMul and a RequantShift with other attributes or constants."""
    attributes: dict[str, Any] = {"div": 256.0, "n_levels": 256.0, "signed": 1.0}
    attributes |= {name: value for name, value in changes.items() if name in attributes}
    constants = {
        "w": np.eye(8, dtype=np.float32) * 3,
        "mul": np.array(20.0, np.float32),
        "add": np.array(0.0, np.float32),
    }
    constants |= {name: value for name, value in changes.items() if name in constants}
    nodes = [node("MatMul", "x w", "s"), node("RequantShift", "s mul add", "y", **attributes)]
    if "drop" in changes:
        del nodes[1].attribute[:]
    return write(path, nodes, {"x": (4, 8)}, constants=constants, opset=13)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"div": 100.0}, "found div 100, allowed a power of two"),
        ({"div": [256.0, 256.0]}, "found 2 numbers as div, allowed one"),
        ({"n_levels": 512.0}, "found 512 levels, allowed 2 to 256"),
        ({"n_levels": 127.0}, "found 127 levels around 0, allowed an even number"),
        ({"mul": np.array(1.5, np.float32)}, "found mul that is no int32"),
        ({"drop": True}, "found no attribute div"),
        ({"mul": np.ones(3, np.float32)}, "found shapes (4, 8) and (3,)"),
    ],
)
def test_refused_shifts(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    with pytest.raises(UnsupportedModel) as error:
        load_model(shifted(tmp_path / "m.onnx", **changes))
    assert error.value.where == "node_y (RequantShift)" and found in error.value.what


@pytest.mark.parametrize("levels", [2, 3, 7, 128, 255, 256])
@pytest.mark.parametrize("signed", [0.0, 1.0])
def test_every_number_of_levels_means_what_the_oracle_says(
    tmp_path: Path, levels: int, signed: float
) -> None:
    path = shifted(tmp_path / "m.onnx", n_levels=float(levels), signed=signed, div=1.0)
    if signed and levels % 2:
        with pytest.raises(UnsupportedModel, match="an even number"):
            load_model(path)
        return
    graph = load_model(path).graph
    loud = np.array([[-1000.0, 1000.0, 0, 1, -1, 500, -500, 2]] * 4, np.float32)
    assert check_against_onnxruntime(path, graph, [{"x": loud}]) == 0.0
    found, low = interpret(graph, {"x": loud})["y"], -levels // 2 if signed else 0
    assert (found.min(), found.max()) == (low, low + levels - 1)


@pytest.mark.parametrize(
    ("changes", "where", "found"),
    [
        (
            {"mul": np.arange(4, dtype=np.float32)[:, None]},
            "node_y",
            "a constant that differs from row to row",
        ),
        (
            {"w": np.eye(8, dtype=np.float32) / 3},
            "node_s",
            "weights that the model does not give as integers",
        ),
        (
            {"w": np.eye(8, dtype=np.float32) * 300},
            "node_s",
            "weights that the model does not give as integers",
        ),
    ],
)
def test_what_is_not_exact_is_refused(
    tmp_path: Path, changes: dict[str, Any], where: str, found: str
) -> None:
    with pytest.raises(QuantisationError) as error:
        lowered(shifted(tmp_path / "m.onnx", **changes))
    assert error.value.where == where and found in error.value.what


def test_sum_of_sums_and_codes_is_refused_by_name(tmp_path: Path) -> None:
    shift = {"div": 256.0, "n_levels": 256.0, "signed": 1.0}
    nodes = [
        node("MatMul", "x w", "s"),
        node("Add", "s x", "t"),
        node("RequantShift", "t mul add", "y", **shift),
    ]
    constants = {
        "w": np.eye(8, dtype=np.float32),
        "mul": np.array(90.0, np.float32),
        "add": np.array(0.0, np.float32),
    }
    path = write(tmp_path / "m.onnx", nodes, {"x": (4, 8)}, constants=constants, opset=13)
    answer = call("compile", path, "-o", tmp_path / "out", "--input-range=-128:127")
    assert answer.status == 1
    assert answer.error.startswith("node_t: found add of two quantised values, allowed")


def test_samples_of_an_integer_network_are_integers(tmp_path: Path) -> None:
    path = write_network(tmp_path / "m.onnx", layers(2))
    for array, allowed in (
        (np.full((2, 5, 16), 0.5), False),
        (np.full((2, 5, 16), 200.0), True),
        (np.full((2, 5, 16), -200.0), False),
    ):
        np.savez(tmp_path / "c.npz", x=array.astype(np.float32))
        answer = call("check", path, "--calibration", tmp_path / "c.npz")
        assert (answer.status == 0) is allowed
        if not allowed:
            assert answer.error.startswith("input %x: found numbers from")


@pytest.mark.parametrize("op_type", ["iLayerNorm", "ITAMax", "IntegerGELU", "IntegerMean"])
def test_integer_functions_are_refused_by_name(tmp_path: Path, op_type: str) -> None:
    path = write(tmp_path / "m.onnx", [node(op_type, "x", "y")], {"x": (4, 8)}, opset=13)
    with pytest.raises(UnsupportedModel) as error:
        load_model(path)
    assert error.value.where == f"node_y ({op_type})"
    assert error.value.what.startswith(f"found the op {op_type} on computed values, allowed ops on real")
    assert "export this op in floating point, quantised around it (QDQ)" in error.value.notes


@pytest.mark.parametrize("shape", [(8,), (1, 8), (6, 8), (2, 2, 8), (1, 4, 8), (2, 1, 3, 8)], ids=str)
@pytest.mark.parametrize("wide", [False, True])
def test_results_of_every_rank_are_exact(tmp_path: Path, shape: tuple[int, ...], wide: bool) -> None:
    random = np.random.default_rng(len(shape))
    weight = random.integers(-127, 128, (8, 4))
    mul = random.integers(1, 2**20 if wide else 4, 4)
    div, add = (2**30, 2**25) if wide else (2**10, 3)
    constants = {"w": weight, "mul": mul, "add": np.array(add)}
    nodes = [
        node("MatMul", "x w", "s"),
        node("RequantShift", "s mul add", "y", div=float(div), n_levels=256.0, signed=1.0),
    ]
    floats = {name: array.astype(np.float32) for name, array in constants.items()}
    path = write(tmp_path / "m.onnx", nodes, {"x": shape}, constants=floats)
    inputs = random.integers(-128, 128, (3, *shape))
    expected = requantised(inputs @ weight, mul, np.array(add), div, 256, True)
    graph = lowered(path)
    verify(graph)
    found = [interpret(graph, {"x": x})["y"] for x in inputs.astype(np.int8)]
    assert np.array_equal(found, expected)
    succeeded("check", path, "--input-range=-128:127")
    if len(shape) != 3 or shape[0] == 1:
        return
    succeeded("compile", path, "--input-range=-128:127", "-o", tmp_path / "out")
    for run in (run_host, run_iss):
        result = run(tmp_path / "out", {"x": inputs.astype(np.int8)})
        assert result.bit_exact
        assert np.array_equal(result.outputs["y"].reshape(expected.shape), expected)


@pytest.mark.parametrize("widths", [(8, 1, 1), (1, 1), (3, 1, 5), (1, 8, 3)], ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_rows_that_are_no_whole_words_have_their_place_in_l1(
    tmp_path: Path, widths: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    nodes, constants, x = [], {"mul": np.array(3.0), "add": np.array(5.0)}, "x"
    for number, size in enumerate(itertools.pairwise(widths)):
        constants[f"w{number}"] = np.ones(size, np.float32)
        nodes.append(node("MatMul", f"{x} w{number}", f"s{number}"))
        x = "y" if number == len(widths) - 2 else f"x{number}"
        nodes.append(node("RequantShift", f"s{number} mul add", x, div=16.0, n_levels=256.0, signed=1.0))
    path = write(tmp_path / "m.onnx", nodes, {"x": (*shape, widths[0])}, constants=constants)
    succeeded("check", path, "--input-range=-128:127")
