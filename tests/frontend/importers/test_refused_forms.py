"""What is not taken of ops that are taken otherwise, with the text the user sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.networks.onnx_files import node
from tmc.frontend import load
from tmc.ir.errors import UnsupportedModel

ONES = np.ones(3, dtype=np.float32)
PADS = {"p": np.array([0, 0, 1])}
MASK = {"w": np.ones((8, 24), np.float32), "b": np.ones(24, np.float32), "m": np.ones((2, 3), np.int32)}
LEARNED = {"g": ONES}
TRUE = {"c": np.array([True, True])}
_BRANCH = helper.make_graph(
    [node("Neg", "x", "b")], "branch", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])]
)
Shape = tuple[int, ...]
Constants = dict[str, NDArray[Any]]

REFUSED: tuple[tuple[onnx.NodeProto, Shape, Constants, int, str], ...] = (
    (node("Celu", "x", "y", alpha=-1.0), (2,), {}, 17, "found alpha -1.0, allowed a positive number"),
    (node("LpNormalization", "x", "y", p=3), (2,), {}, 17, "found p 3, allowed 1 or 2"),
    (node("ArgMax", "x", "y", select_last_index=1), (2, 3), {}, 17, "found select_last_index 1"),
    (node("BatchNormalization", "x g g g g", "y", training_mode=1), (2, 3), LEARNED, 17, "training_mode 1"),
    (node("BatchNormalization", "x g g g g", "y", spatial=0), (2, 3), LEARNED, 8, "spatial 0"),
    (node("BatchNormalization", "x g g g g", "y"), (2, 4), LEARNED, 17, "found 3 factors and 3 offsets"),
    (node("InstanceNormalization", "x g g", "y"), (2, 4, 5), LEARNED, 17, "one for each channel"),
    (
        node("GroupNormalization", "x g g", "y", num_groups=2),
        (2, 3, 5),
        LEARNED,
        21,
        "2 groups of 3 channels",
    ),
    (node("Pad", "x p", "y", mode="mirror"), (2, 3), PADS, 17, "found mode mirror"),
    (node("Pad", "x p", "y"), (2, 3), PADS, 17, "found 3 pads, allowed 4 for 2 axes"),
    (node("Pad", "x", "y", pads=[2, 0], mode="reflect"), (2,), {}, 9, "found pads 2 and 0 of axis 0"),
    (node("Pad", "x", "y", pads=[-1, -1]), (2,), {}, 9, "found pads -1 and -1 of axis 0"),
    (node("AveragePool", "x", "y", kernel_shape=[2, 2, 2]), (1, 1, 3, 3, 3), {}, 17, "3 spatial axes"),
    (node("MaxPool", "x", "y", kernel_shape=[4]), (1, 1, 3), {}, 17, "found windows of (4,) in (3,)"),
    (
        node("MaxPool", "x", "y", kernel_shape=[2], pads=[2, 0]),
        (1, 1, 3),
        {},
        17,
        "pads (2,) and (0,) for windows of (2,)",
    ),
    (
        node("Attention", "x x x m", "y"),
        (1, 2, 2, 4),
        {"m": np.array([[True, True], [False, False]])},
        23,
        "found a mask m that leaves a row no key",
    ),
    (node("Einsum", "x", "y", equation="ii->i"), (2, 2), {}, 17, "found ii->i, allowed each letter once"),
    (node("Einsum", "x", "y", equation="ij->ik"), (2, 2), {}, 17, "found ij->ik for operands of rank 2"),
    (node("Einsum", "x x", "y", equation="ij->ij"), (2, 2), {}, 17, "found ij->ij for 2 operands"),
    (node("com.microsoft.FusedMatMul", "x x", "y", transBatchA=1), (2, 2, 2), {}, 17, "found transBatchA 1"),
    (node("com.microsoft.Attention", "x w b _ x", "y", num_heads=2), (2, 3, 8), MASK, 17, "past keys and"),
    (
        node("com.microsoft.Attention", "x w b", "y", num_heads=2, do_rotary=1),
        (2, 3, 8),
        MASK,
        17,
        "do_rotary",
    ),
    (
        node("com.microsoft.Attention", "x w b", "y", num_heads=2, qkv_hidden_sizes=[8, 8, 4]),
        (2, 3, 8),
        MASK,
        17,
        "found columns [8, 8, 4] of 24",
    ),
    (
        node("com.microsoft.Attention", "x w b m", "y", num_heads=2),
        (2, 4, 8),
        MASK,
        17,
        "found a mask of shape (2, 3)",
    ),
    (node("com.microsoft.MultiHeadAttention", "x", "y", num_heads=2), (2, 3, 8), {}, 17, "rank [3, 0, 0]"),
    (
        node("com.microsoft.MultiHeadAttention", "x x x _ _ _ x", "y", num_heads=2),
        (2, 3, 8),
        {},
        17,
        "past keys and values",
    ),
    (
        helper.make_node("If", ["c"], ["y"], name="node_y", then_branch=_BRANCH, else_branch=_BRANCH),
        (2,),
        TRUE,
        17,
        "found 2 conditions, allowed one",
    ),
)


def _written(path: Path, nodes: list[onnx.NodeProto], shape: Shape, constants: Constants, opset: int) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("item", "shape", "constants", "opset", "message"), REFUSED, ids=[case[-1] for case in REFUSED]
)
def test_refused_form(
    tmp_path: Path, item: onnx.NodeProto, shape: Shape, constants: Constants, opset: int, message: str
) -> None:
    path = _written(tmp_path / "m.onnx", [item], shape, constants, opset)
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert caught.value.where.startswith("node_y (") and caught.value.notes
    assert message in caught.value.what


def test_arithmetic_on_indices(tmp_path: Path) -> None:
    nodes = [node("ArgMax", "x", "i"), node("Cast", "i", "j", to=TensorProto.INT64), node("Add", "j j", "y")]
    with pytest.raises(UnsupportedModel, match="found arithmetic on the integers of an ArgMax") as caught:
        load(_written(tmp_path / "m.onnx", nodes, (2, 3), {}, 17))
    assert caught.value.where == "node_y (Add)"
