"""Inputs of files: open sizes, inputs that nothing reads, elements of other types, known conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.networks.onnx_files import node, samples, write
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import TmcError, UnsupportedModel

SUM = [node("Add", "x z", "y")]


def two_inputs(folder: Path, x: tuple[int | str, ...], z: tuple[int | str, ...]) -> Path:
    """Write y = x + z."""
    return write(folder / "m.onnx", SUM, {"x": x, "z": z})


def test_an_open_first_axis_is_1_and_that_is_said(tmp_path: Path) -> None:
    path = two_inputs(tmp_path, ("batch", 4), ("batch", 1))
    model = load_model(path)
    assert [model.graph.types[name].shape for name in ("x", "z", "y")] == [(1, 4), (1, 1), (1, 4)]
    note = "input x: its first axis, batch, is taken as 1; --shape x=... sets another"
    assert model.notes == (note,)
    assert check_against_onnxruntime(path, model.graph, samples({"x": (1, 4), "z": (1, 1)})) == 0


def test_a_given_shape_settles_its_symbols_everywhere(tmp_path: Path) -> None:
    model = load_model(two_inputs(tmp_path, ("batch", "time"), (1, "time")), shapes={"x": (2, 7)})
    assert model.graph.types["z"].shape == (1, 7) and model.notes == ()


@pytest.mark.parametrize(("shape", "found"), [((1, "time"), "[1, time]"), ((1, 0), "[1, 0]")])
def test_other_open_axes_are_asked_for(tmp_path: Path, shape: tuple[int | str, ...], found: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        load_model(write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": shape}))
    assert (
        caught.value.where == "input x" and f"found shape {found}, allowed known sizes" in caught.value.what
    )
    assert "--shape x=1xN" in caught.value.notes[0]


def test_an_axis_without_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": [1, 4]})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModel, match=r"found shape \[1, \?\]"):
        load_model(path)
    assert load_model(path, shapes={"x": (1, 5)}).graph.types["x"].shape == (1, 5)


def test_an_input_without_a_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": [1, 4]})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModel, match="shape"):
        load_model(path)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ({"w": (1, 4)}, "found input w, allowed x, z"),
        ({"x": (2, 5)}, r"found 2x5 for input x, allowed \[batch, 4\]"),
        ({"x": (2, 4, 1)}, r"found 2x4x1 for input x"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, shapes: dict[str, tuple[int, ...]], text: str) -> None:
    with pytest.raises(TmcError, match=text) as caught:
        load_model(two_inputs(tmp_path, ("batch", 4), (1, 4)), shapes=shapes)
    assert caught.value.where == "--shape"


def test_an_input_that_nothing_reads_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": [1, 4], "ids": [1, "time"]})
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    path.write_bytes(model.SerializeToString())
    imported = load_model(path)
    assert imported.graph.inputs == ("x",)
    assert imported.notes == ("input ids: nothing reads it, so it is left out",)
    assert check_against_onnxruntime(path, imported.graph, samples({"x": (1, 4)})) == 0


TRUTHS = {
    "masks of PyTorch's layers": [
        node("Cast", "mask", "b", to=TensorProto.BOOL),
        node("Where", "b lowest zero", "m"),
        node("Add", "x m", "s"),
        node("Softmax", "s", "y"),
    ],
    "masked_fill": [
        node("Not", "mask", "n"),
        node("Reshape", "n flat", "r"),
        node("Cast", "r", "b", to=TensorProto.BOOL),
        node("Where", "b far x", "s"),
        node("Softmax", "s", "y"),
    ],
    "a choice": [node("Where", "mask x zero", "y")],
    "numbers": [node("Cast", "mask", "m", to=TensorProto.FLOAT), node("Mul", "x m", "y")],
}


@pytest.mark.parametrize("nodes", TRUTHS.values(), ids=list(TRUTHS))
def test_truth_values_are_ones_and_zeros(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    constants = {
        "lowest": np.float32(-np.inf),
        "far": np.float32(-1e9),
        "zero": np.float32(0),
        "flat": np.array([1, 6]),
    }
    path = write(tmp_path / "m.onnx", nodes, {"x": [1, 6], "mask": [1, 6]}, constants=constants)
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.BOOL
    path.write_bytes(model.SerializeToString())
    imported = load_model(path)
    assert imported.truths == {"mask"}
    mask = np.array([[1, 0, 0, 1, 1, 0]], dtype=np.float32)
    given = [one | {"mask": np.roll(mask, shift)} for shift, one in enumerate(samples({"x": (1, 6)}))]
    assert check_against_onnxruntime(path, imported.graph, given) < 1e-6


def test_token_ids_are_refused_by_what_reads_them(tmp_path: Path) -> None:
    constants = {"table": np.ones((7, 4), dtype=np.float32)}
    nodes = [node("Gather", "table ids", "y")]
    path = write(tmp_path / "m.onnx", nodes, {"ids": [1, 3]}, constants=constants, element=TensorProto.INT64)
    with pytest.raises(UnsupportedModel, match="input ids: found element type INT64") as caught:
        load_model(path)
    assert "Gather reads it: cut the network behind its embedding" in caught.value.notes[0]


@pytest.mark.parametrize(
    ("element", "tolerance"),
    [(TensorProto.FLOAT16, 1e-2), (TensorProto.DOUBLE, 1e-5)],
    ids=["half", "double"],
)
def test_other_floats_are_compared_at_their_precision(tmp_path: Path, element: int, tolerance: float) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(element)
    weight = np.random.default_rng(0).standard_normal((64, 8)).astype(dtype)
    nodes = [node("MatMul", "x w", "h"), node("Softmax", "h", "y")]
    constants = {"w": weight}
    path = write(
        tmp_path / "m.onnx", nodes, {"x": [3, 64]}, constants=constants, element=element, result=element
    )
    graph = load_model(path).graph
    difference = check_against_onnxruntime(path, graph, samples({"x": (3, 64)}))
    assert difference < tolerance
    assert (difference > 1e-5) == (element == TensorProto.FLOAT16)


@pytest.mark.parametrize("condition", [True, False])
def test_a_known_condition_chooses_a_branch(tmp_path: Path, condition: bool) -> None:
    def branch(kind: str) -> onnx.GraphProto:
        inner = numpy_helper.from_array(np.float32(3.0), "k")
        value = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
        return helper.make_graph([node(kind, "x k", "b")], kind, [], [value], [inner])

    item = helper.make_node("If", ["c"], ["h"], then_branch=branch("Mul"), else_branch=branch("Sub"))
    nodes = [node("Not", "n", "c"), item, node("Neg", "h", "y")]
    path = write(tmp_path / "m.onnx", nodes, {"x": [2]}, constants={"n": np.array(not condition)})
    graph = load_model(path).graph
    assert [op.kind.value for op in graph.ops] == ["mul" if condition else "sub", "neg"]
    assert check_against_onnxruntime(path, graph, samples({"x": (2,)})) == 0


def test_a_branch_that_is_a_constant(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    constant = helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(np.ones(2, np.float32)))
    branch = helper.make_graph([constant], "branch", [], [value])
    item = helper.make_node("If", ["c"], ["h"], then_branch=branch, else_branch=branch)
    path = write(
        tmp_path / "m.onnx", [item, node("Sub", "x h", "y")], {"x": [2]}, constants={"c": np.array(True)}
    )
    assert check_against_onnxruntime(path, load_model(path).graph, samples({"x": (2,)})) == 0


def test_an_unsupported_op_in_a_branch(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    branch = helper.make_graph([node("Sin", "x", "b")], "branch", [], [value])
    item = helper.make_node("If", ["c"], ["h"], then_branch=branch, else_branch=branch)
    path = write(
        tmp_path / "m.onnx", [item, node("Neg", "h", "y")], {"x": [2]}, constants={"c": np.array(True)}
    )
    with pytest.raises(UnsupportedModel, match=r"node_b \(Sin\): found the op Sin"):
        load_model(path)


def test_indices_may_differ_where_elements_are_as_good_as_equal(tmp_path: Path) -> None:
    nodes = [node("Div", "x k", "s"), node("ArgMax", "s", "y", axis=1)]
    constants = {"k": np.float32(3.0)}
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 3]}, constants=constants, result=TensorProto.INT64)
    graph = load_model(path).graph
    near = np.array([[1.0, 1.0 + 2**-20, 0.0], [0.0, 5.0, 4.0]], dtype=np.float32)
    assert check_against_onnxruntime(path, graph, [{"x": near}]) < 1e-6
    turned = write(
        tmp_path / "t.onnx",
        [node("Neg", "x", "n"), node("ArgMax", "n", "y", axis=1)],
        {"x": [2, 3]},
        result=TensorProto.INT64,
    )
    with pytest.raises(UnsupportedModel, match="output y: found a difference"):
        check_against_onnxruntime(turned, graph, [{"x": near}])
