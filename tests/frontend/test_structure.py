"""Files that contradict themselves, and sizes that nobody has memory for, are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from tests.networks.onnx_files import node, write
from tmc.frontend import load
from tmc.frontend.importers.table import IMPORTERS
from tmc.frontend.limits import MOST_ELEMENTS
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.frontend.signature import SIGNATURES
from tmc.ir.errors import UnsupportedModel

EYE = np.eye(4, dtype=np.float32)
ONES = np.ones(4, dtype=np.float32)


def model_of(
    tmp_path: Path, *nodes: onnx.NodeProto, constants: Mapping[str, Any] | None = None, opset: int = 17
) -> tuple[Path, onnx.ModelProto]:
    """Return the path and the content of a file of these nodes, from x [2, 4] to y."""
    given = {"w": EYE, "b": ONES, **(constants or {})}
    used = {name: array for name, array in given.items() if any(name in each.input for each in nodes)}
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 4]}, constants=used, opset=opset)
    return path, onnx.load(path)


def refused(path: Path, model: onnx.ModelProto | None = None) -> UnsupportedModel:
    """Load a file, with another content if given, that must be refused; return the error."""
    if model is not None:
        path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert caught.value.notes, "an error says what to do"
    assert "defect" not in str(caught.value)
    return caught.value


# ---------------------------------------------------------------- constants

MATMUL = node("MatMul", "x w", "y")
DAMAGED: dict[str, tuple[Callable[[onnx.TensorProto], None], str]] = {
    "fewer bytes": (
        lambda w: setattr(w, "raw_data", w.raw_data[:-4]),
        "found 60 bytes of data for 16 elements [4, 4] of FLOAT",
    ),
    "no whole number": (lambda w: setattr(w, "raw_data", w.raw_data[:-1]), "found 63 bytes of data for 16"),
    "more bytes": (lambda w: setattr(w, "raw_data", w.raw_data * 2), "found 128 bytes of data for 16"),
    "another size": (lambda w: w.dims.append(3), "found 64 bytes of data for 48 elements [4, 4, 3]"),
    "another type": (
        lambda w: setattr(w, "data_type", TensorProto.DOUBLE),
        "for 16 elements [4, 4] of DOUBLE",
    ),
    "unknown type": (lambda w: setattr(w, "data_type", 77), "found element type 77, allowed a type of ONNX"),
    "negative size": (lambda w: w.dims.extend([-1]), "found sizes [4, 4, -1], allowed 0 or more"),
    "huge size": (lambda w: w.dims.extend([2**40]), "elements [4, 4, 1099511627776], allowed 67,108,864"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_constants_are_their_sizes_and_types(tmp_path: Path, kind: str) -> None:
    path, model = model_of(tmp_path, MATMUL)
    change, text = DAMAGED[kind]
    change(model.graph.initializer[0])
    error = refused(path, model)
    assert error.where in ("constant w", "m.onnx") and (text in error.what or error.where == "m.onnx"), error


@pytest.mark.parametrize("kind", ["fewer bytes", "unknown type", "huge size"])
def test_constants_in_attributes_too(tmp_path: Path, kind: str) -> None:
    constant = node(
        "Constant", "", "c", value=helper.make_tensor("c", TensorProto.FLOAT, [4, 4], EYE.tobytes(), True)
    )
    path, model = model_of(tmp_path, constant, node("MatMul", "x c", "y"))
    DAMAGED[kind][0](model.graph.node[0].attribute[0].t)
    error = refused(path, model)
    assert error.where in ("node_c (Constant): attribute value", "m.onnx")


# ---------------------------------------------------------------- operands and attributes


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (
            node("Concat", "x _", "y", axis=0),
            "node_y (Concat): found no operand 2, allowed 2 or more operands",
        ),
        (node("RequantShift", "x w", "y"), "node_y (RequantShift): found no operand 3, allowed 3 operands"),
        (node("RequantShift", "x w w w", "y"), "node_y (RequantShift): found 4 operands, allowed 3 operands"),
        (
            node("RequantShift", "x w w", "y", div="a"),
            "found attribute div of type 3, allowed FLOAT or INT or",
        ),
        (node("com.microsoft.BiasGelu", "x", "y"), "found no operand 2, allowed 2 operands"),
        (node("com.microsoft.FastGelu", "x b b", "y"), "found 3 operands, allowed 1 to 2 operands"),
        (
            node("com.microsoft.SkipLayerNormalization", "x x b b b b", "y"),
            "found 6 operands, allowed 3 to 5",
        ),
        (node("com.microsoft.SkipLayerNormalization", "x x b", "y", epsilon="a"), "allowed FLOAT"),
        (node("com.microsoft.RotaryEmbedding", "x b w", "y"), "found no operand 4, allowed 4 operands"),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else None,
)
def test_operands_and_attributes_are_those_of_the_op(tmp_path: Path, bad: onnx.NodeProto, text: str) -> None:
    path, _ = model_of(tmp_path, bad)
    assert text in str(refused(path))


def test_a_node_of_another_domain_has_a_result(tmp_path: Path) -> None:
    path, model = model_of(tmp_path, node("com.microsoft.Gelu", "x", "a"), node("Relu", "x", "y"))
    del model.graph.node[0].output[:]
    assert "found no result" in str(refused(path, model))


def test_every_importer_has_a_signature() -> None:
    assert {"Concat", *(name for name in IMPORTERS if not onnx.defs.has(name))} == SIGNATURES.keys()
    for signature in SIGNATURES.values():
        kinds = {kind for kinds in signature.attributes.values() for kind in kinds}
        assert kinds <= set(AttributeProto.AttributeType.values())


@pytest.mark.parametrize(
    ("part", "where"), [("output", "output y"), ("input", "input x"), ("initializer", "constant w")]
)
def test_names_of_the_network_are_given_once(tmp_path: Path, part: str, where: str) -> None:
    path, model = model_of(tmp_path, MATMUL)
    values = getattr(model.graph, part)
    values.add().CopyFrom(values[0])
    error = refused(path, model)
    assert error.where in (where, "m.onnx")


# ---------------------------------------------------------------- sizes

LARGE = {"n": np.array([2**20, 2**20]), "one": np.array([1]), "n0": np.array(2**40), "s": np.array(1)}


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", "n", "c"), node("Add", "x c", "y")],
        [node("Expand", "unit n", "c"), node("Add", "x c", "y")],
        [node("Tile", "w n", "c"), node("Add", "x c", "y")],
        [node("Range", "s n0 s", "c"), node("Add", "x c", "y")],
        [node("Tile", "x n", "y")],
        [node("Unsqueeze", "x one", "u"), node("Expand", "u far", "y")],
    ],
    ids=lambda nodes: "-".join(each.op_type for each in nodes),
)
def test_results_that_no_memory_holds(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    far = np.array([2, 2**30, 4])
    path, _ = model_of(tmp_path, *nodes, constants=LARGE | {"far": far, "unit": np.ones(1, np.float32)})
    error = refused(path)
    assert f"allowed {MOST_ELEMENTS:,}" in error.what and "make the network smaller" in error.notes[0]


def test_inputs_that_no_memory_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Relu", "x", "y")], {"x": [1, 2**40, 8]})
    assert str(refused(path)).startswith("input x: found 8,796,093,022,208 elements [1, 1099511627776, 8]")


def test_input_of_an_unknown_type(tmp_path: Path) -> None:
    path, model = model_of(tmp_path, node("Relu", "x", "y"))
    model.graph.input[0].type.tensor_type.elem_type = 77
    assert "input x: found element type 77, allowed FLOAT" in str(refused(path, model))


@pytest.mark.parametrize(
    ("bad", "constants", "text"),
    [
        (node("Expand", "x s2", "y"), {"s2": np.array([3, 4])}, "found shape [3, 4] for (2, 4)"),
        (node("Expand", "x s2", "y"), {"s2": np.array([-2, 4])}, "found shape [-2, 4] for (2, 4)"),
        (node("Tile", "x s2", "y"), {"s2": np.array([2])}, "found repeats [2] for (2, 4)"),
        (node("Tile", "x s2", "y"), {"s2": np.array([1, -1])}, "found repeats [1, -1] for (2, 4)"),
        (node("Cast", "x", "y", to=77), {}, "found a cast to 77"),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else None,
)
def test_sizes_that_contradict_the_operand(
    tmp_path: Path, bad: onnx.NodeProto, constants: dict[str, Any], text: str
) -> None:
    path, _ = model_of(tmp_path, bad, constants=constants)
    error = refused(path)
    assert text in error.what or error.where == "m.onnx"


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("number", [1e30, 3e38])
def test_constants_that_leave_float32_are_found_at_their_node(tmp_path: Path, number: float) -> None:
    nodes = [node("MatMul", "x w", "h"), node("Mul", "h h", "q"), node("Mul", "q q", "y")]
    path, _ = model_of(tmp_path, *nodes, constants={"w": EYE * np.float32(number)})
    sample = {"x": np.ones((2, 4), np.float32)}
    with pytest.raises(
        UnsupportedModel, match="node_q: found 8 of 8 elements of its result NaN or beyond float32"
    ):
        check_against_onnxruntime(path, load(path), [sample])


def test_operands_left_out_at_the_end_do_not_reach_onnxruntime(tmp_path: Path) -> None:
    """onnxruntime 1.22 dies of an empty name in the place of a bias of LayerNormalization."""
    path, model = model_of(
        tmp_path, node("LayerNormalization", "x b", "n"), node("ReduceMean", "n", "y", axes=[0])
    )
    model.graph.node[0].input.append("")
    path.write_bytes(model.SerializeToString())
    assert (
        check_against_onnxruntime(path, load(path), [{"x": np.arange(8, dtype=np.float32).reshape(2, 4)}])
        < 1e-5
    )


def test_sums_beyond_int32_are_found_at_their_shift(tmp_path: Path) -> None:
    numbers = {"w": EYE * np.float32(1e30), "m": np.float32(3), "c": np.float32(1)}
    shift = node("RequantShift", "h m c", "y", div=256.0, n_levels=256.0, signed=1.0)
    path, _ = model_of(tmp_path, node("MatMul", "x w", "h"), shift, constants=numbers)
    with pytest.raises(
        UnsupportedModel, match=r"node_y: found sums of up to 1e\+30 to requantise, allowed int32"
    ):
        check_against_onnxruntime(path, load(path), [{"x": np.ones((2, 4), np.float32)}])


ROTARY = {"cos": np.ones((8, 1), np.float32), "sin": np.ones((8, 1), np.float32), "ids": np.array([[0, 1]])}


@pytest.mark.parametrize(
    ("shape", "constants", "attributes", "text"),
    [
        (
            (1, 2, 2),
            {"ids": np.array([[7, 8]])},
            {},
            "found position_ids of shape (1, 2) and int64 for a cache of 8",
        ),
        ((1, 2, 2), {"ids": np.array([[-1, 0]])}, {}, "allowed integers of rank 2 that name its rows"),
        ((1, 2, 2), {"ids": np.array([0, 1])}, {}, "found position_ids of shape (2,)"),
        ((1, 2, 2), {"ids": np.array([[0.0, 1.0]])}, {}, "and float64"),
        ((1, 2, 2), {"cos": np.ones(8, np.float32)}, {}, "found a cache of rank 1, allowed rank 2"),
        ((1, 2, 2), {}, {"rotary_embedding_dim": 4}, "found 4 columns to rotate of heads of 2"),
        ((1, 2, 2), {}, {"rotary_embedding_dim": -2}, "found -2 columns to rotate"),
        ((2,), {"ids": np.array([[0]])}, {}, "found rank 1, allowed 3 or 4"),
    ],
    ids=str,
)
def test_rotations_name_rows_of_their_tables(
    tmp_path: Path, shape: tuple[int, ...], constants: dict[str, Any], attributes: dict[str, int], text: str
) -> None:
    rotation = node("com.microsoft.RotaryEmbedding", "x ids cos sin", "y", num_heads=1, **attributes)
    path = write(tmp_path / "m.onnx", [rotation], {"x": shape}, constants={**ROTARY, **constants})
    assert text in refused(path).what
