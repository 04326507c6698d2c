"""What load does besides importing ops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.networks.onnx_files import node, samples, write
from tmc.frontend import load
from tmc.frontend.onnx_import import identifier
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.graph import OpKind


def test_shape_arithmetic_folds_away(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Unsqueeze", "batch zero", "batch1"),
        node("Constant", "", "minus", value_ints=[-1]),
        node("Concat", "batch1 minus", "target", axis=0),
        node("ConstantOfShape", "shape", "ones", value=helper.make_tensor("v", TensorProto.INT64, [1], [1])),
        node("Equal", "ones ones", "same"),
        node("Where", "same ones ones", "factor"),
        node("Cast", "factor", "real", to=TensorProto.FLOAT),
        node("Range", "zero four one", "ramp"),
        node("Cast", "ramp", "line", to=TensorProto.FLOAT),
        node("Mul", "x real", "scaled"),
        node("Add", "scaled line", "moved"),
        node("Reshape", "moved target", "y"),
    ]
    constants = {"zero": np.array(0), "four": np.array(4), "one": np.array(1)}
    nodes[2].input[1] = "axis"
    path = write(tmp_path / "m.onnx", nodes, {"x": [1, 3, 4]}, constants=constants | {"axis": np.array([0])})
    graph = load(path)
    assert [op.kind for op in graph.ops] == [OpKind.MUL, OpKind.ADD, OpKind.RESHAPE]
    assert check_against_onnxruntime(path, graph, samples({"x": [1, 3, 4]})) == 0.0


def test_ops_carry_their_node(tmp_path: Path) -> None:
    graph = load(write(tmp_path / "m.onnx", [node("Neg", "x", "a"), node("Tanh", "a", "y")], {"x": [2]}))
    assert [op.loc for op in graph.ops] == ["node_a", "node_y"]
    assert graph.outputs == ("y",) and graph.ops[-1].output == "y"


def test_only_what_the_outputs_need_is_imported(tmp_path: Path) -> None:
    nodes = [node("Add", "x w", "unused"), node("Neg", "x", "y")]
    graph = load(write(tmp_path / "m.onnx", nodes, {"x": [2]}, constants={"w": np.ones(2, dtype=np.float32)}))
    assert len(graph.ops) == 1 and not graph.constants


def test_output_that_is_an_input(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Identity", "x", "y")], {"x": [2]})
    graph = load(path)
    assert graph.outputs == ("y",)
    assert check_against_onnxruntime(path, graph, samples({"x": [2]})) == 0.0


def test_one_value_under_two_output_names(tmp_path: Path) -> None:
    nodes = [node("Neg", "x", "a"), node("Identity", "a", "y"), node("Identity", "a", "z")]
    path = write(tmp_path / "m.onnx", nodes, {"x": [2]}, outputs=("y", "z"))
    graph = load(path)
    assert graph.outputs == ("y", "z")
    assert check_against_onnxruntime(path, graph, samples({"x": [2]})) == 0.0


def test_initializers_may_be_listed_as_inputs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Add", "x w", "y")],
        {"x": [2], "w": [2]},
        constants={"w": np.ones(2, dtype=np.float32)},
    )
    assert load(path).inputs == ("x",)


def test_local_functions_are_inlined(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    body = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("Tanh", ["b"], ["c"])]
    function = helper.make_function("local", "NegTanh", ["a"], ["c"], body, [helper.make_opsetid("", 18)])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("NegTanh", ["x"], ["y"], domain="local")], "g", value[:1], value[1:]
    )
    model = helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=10)
    path.write_bytes(model.SerializeToString())
    imported = load(path)
    assert [op.kind for op in imported.ops] == [OpKind.NEG, OpKind.TANH]
    assert check_against_onnxruntime(path, imported, samples({"x": [2]})) < 1e-6


def test_exponents_and_attributes_of_old_files(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Unsqueeze", "x", "y", axes=[0])], {"x": [2]}, opset=11)
    assert load(path).types["y"].shape == (1, 2)
    assert onnx.load(path).opset_import[0].version == 11


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tinymyo", "tinymyo"),
        ("tinymyo-8x1000", "tinymyo_8x1000"),
        ("8 x", "n_8_x"),
        ("", "n_"),
        ("größe", "gr__e"),
    ],
)
def test_name_is_an_identifier(tmp_path: Path, text: str, expected: str) -> None:
    assert identifier(text) == expected


def test_graph_is_named_after_the_file_or_as_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "my-net.onnx", [node("Neg", "x", "y")], {"x": [2]})
    assert load(path).name == "my_net" and load(path, "emg").name == "emg"
