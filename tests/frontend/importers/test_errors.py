"""Every way in which an ONNX file is refused, with the text the user sees."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.networks.onnx_files import node, write
from tmc.frontend import load
from tmc.frontend.importers.table import IMPORTERS
from tmc.frontend.unsupported import NEAREST
from tmc.ir.errors import UnsupportedModel

NAN = np.array([1.0, np.nan, np.inf], dtype=np.float32)


def refused(path: Path) -> UnsupportedModel:
    """Load a file that must be refused; return the error."""
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert caught.value.notes, "an error says what to do"
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.onnx").what


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path: Path, part: float) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("MatMul", "x w", "y")],
        {"x": [1, 64]},
        constants={"w": np.ones((64, 64), dtype=np.float32)},
    )
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    error = refused(path)
    assert error.where == "m.onnx" and "allowed a readable ONNX file" in error.what


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 100])
def test_not_an_onnx_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "allowed a readable ONNX file" in refused(path).what


def test_external_data(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("MatMul", "x w", "y")],
        {"x": [1, 64]},
        constants={"w": np.eye(64, dtype=np.float32)},
    )
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert np.array_equal(load(path).constants["w"], np.eye(64))
    (tmp_path / "w.bin").unlink()
    assert "w.bin" in refused(path).what


def test_short_external_data(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("MatMul", "x w", "y")],
        {"x": [1, 64]},
        constants={"w": np.eye(64, dtype=np.float32)},
    )
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").write_bytes(b"\x00" * 100)
    refused(path)


def test_initializer_without_its_data(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Add", "x w", "y")],
        {"x": [1, 4]},
        constants={"w": np.ones(4, dtype=np.float32)},
    )
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = b"\x00" * 8
    path.write_bytes(model.SerializeToString())
    refused(path)


def test_the_first_unsupported_node_is_named_and_what_works_in_its_place(tmp_path: Path) -> None:
    nodes = [
        node("LSTM", "x w r", "a"),
        node("Add", "a x", "b"),
        node("Sin", "b", "c"),
        node("Cos", "x", "d"),
        node("Neg", "d", "y"),
        node("Shape", "a", "s"),
        node("Range", "o s o", "t"),
    ]
    constants: dict[str, NDArray[Any]] = {name: np.ones((1, 4, 4), dtype=np.float32) for name in "wr"}
    constants["o"] = np.array(1)
    error = refused(write(tmp_path / "m.onnx", nodes, {"x": [1, 1, 4]}, constants=constants))
    assert error.where == "node_a (LSTM)"
    assert error.what.startswith("found the op LSTM on computed values, allowed attention, or a convolution")
    assert error.notes[0].endswith("node_c (Sin), node_d (Cos)")


def test_of_many_unsupported_nodes_five_more_are_named(tmp_path: Path) -> None:
    nodes = [node("Sin", "x", name) for name in "abcdefg"]
    error = refused(write(tmp_path / "m.onnx", nodes, {"x": [2]}, outputs=tuple("abcdefg")))
    assert error.notes[0].endswith("node_e (Sin), node_f (Sin) and 1 more")


def test_every_op_that_works_in_place_of_another_is_imported() -> None:
    named = re.findall(r"\b[A-Z][A-Za-z]{2,}\b", " ".join(NEAREST.values()))
    assert set(named) <= set(IMPORTERS) and not set(NEAREST) & set(IMPORTERS)


def test_foreign_domain(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "m.onnx", [node("com.microsoft.Nothing", "x", "y")], {"x": [2]}))
    assert error.where == "node_y (com.microsoft.Nothing)" and "docs/operators.md" in error.what


def test_nodes_without_a_name_are_named_by_their_output(tmp_path: Path) -> None:
    item = node("Sin", "x", "y")
    item.name = ""
    assert refused(write(tmp_path / "m.onnx", [item], {"x": [2]})).where == "Sin -> y (Sin)"


def test_opset(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": [2]}, opset=6)
    assert "found opset 6, allowed 7 to 28" in refused(path).what


def test_no_opset(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [node("com.microsoft.Gelu", "x", "y")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert "found no opset" in refused(path).what


def test_nan_weights(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "m.onnx", [node("Add", "x w", "y")], {"x": [3]}, constants={"w": NAN}))
    assert error.where == "node_y (Add)"
    assert "found 2 of 3 elements of w NaN or beyond float32, allowed finite" in error.what


def test_double_weights_beyond_float32(tmp_path: Path) -> None:
    constants = {"w": np.array([1e300])}
    nodes = [
        node("Cast", "x", "d", to=TensorProto.DOUBLE),
        node("Add", "d w", "e"),
        node("Cast", "e", "y", to=TensorProto.FLOAT),
    ]
    assert (
        "beyond float32" in refused(write(tmp_path / "m.onnx", nodes, {"x": [3]}, constants=constants)).what
    )


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_float_weights_become_float32(tmp_path: Path, kind: type) -> None:
    constants = {"w": np.array([0.5, -1.25], dtype=kind)}
    nodes = [node("Cast", "w", "v", to=TensorProto.FLOAT), node("Add", "x v", "y")]
    constant = load(write(tmp_path / "m.onnx", nodes, {"x": [2]}, constants=constants)).constants["v"]
    assert constant.dtype == np.float32 and constant.tolist() == [0.5, -1.25]


def test_constant_output(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Neg", "x", "z"), node("Neg", "w", "y")],
        {"x": [3]},
        outputs=("z", "y"),
        constants={"w": np.ones(3, dtype=np.float32)},
    )
    assert "output y: found a constant" in str(refused(path))


def test_subgraph(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    branch = helper.make_graph([node("Neg", "x", "b")], "branch", [], [value])
    item = helper.make_node("If", ["c"], ["y"], name="choose", then_branch=branch, else_branch=branch)
    error = refused(write(tmp_path / "m.onnx", [item], {"x": [2], "c": []}))
    assert error.where == "choose (If)" and "allowed a constant condition" in error.what


def test_fold_that_fails(tmp_path: Path) -> None:
    nodes = [node("Reshape", "w s", "v"), node("Add", "x v", "y")]
    constants: dict[str, NDArray[Any]] = {"w": np.ones(3, dtype=np.float32), "s": np.array([2, 2])}
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 2]}, constants=constants)
    assert "node_v (Reshape): found constants that ONNX's reference evaluator cannot fold" in str(
        refused(path)
    )


def test_sparse_initializer(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Neg", "x", "y")], {"x": [2]})
    model = onnx.load(path)
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "w_indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    path.write_bytes(model.SerializeToString())
    assert "sparse" in refused(path).what


def eye(*shape: int) -> NDArray[np.float32]:
    """Return an array of ones."""
    return np.ones(shape, dtype=np.float32)


REFUSED: tuple[tuple[str, onnx.NodeProto, tuple[int, ...], dict[str, NDArray[Any]], int, str], ...] = (
    ("computed shape", node("Reshape", "x x", "y"), (2,), {}, 17, "found shape x computed at run time"),
    (
        "reshape",
        node("Reshape", "x s", "y"),
        (2, 3),
        {"s": np.array([4, 2])},
        17,
        "found 6 elements for shape",
    ),
    ("reshape -1", node("Reshape", "x s", "y"), (2, 3), {"s": np.array([4, -1])}, 17, "allowed a divisor"),
    (
        "reshape 0",
        node("Reshape", "x s", "y"),
        (2, 3),
        {"s": np.array([2, 3, 0])},
        17,
        "allowed 0 only for axes",
    ),
    ("limit", node("Clip", "x x", "y"), (2, 3), {}, 17, "found min x computed at run time"),
    ("limits", node("Clip", "x a", "y"), (2, 3), {"a": np.zeros(2)}, 17, "found 2 numbers as min"),
    ("axis", node("Softmax", "x", "y", axis=2), (2, 3), {}, 17, "found axis 2, allowed -2 to 1"),
    ("rank 0", node("MatMul", "x w", "y"), (2,), {"w": np.float32(1.0)}, 17, "found an operand of rank 0"),
    ("matmul", node("MatMul", "x w", "y"), (2, 3), {"w": eye(4, 3)}, 17, "found shapes (2, 3) and (4, 3)"),
    ("broadcast", node("Add", "x w", "y"), (2, 3), {"w": eye(4)}, 17, "export it again"),
    ("conv 3-D", node("Conv", "x w", "y"), (1, 1, 2, 2, 2), {"w": eye(1, 1, 1, 1, 1)}, 17, "3 spatial axes"),
    ("conv weight", node("Conv", "x x", "y"), (1, 1, 1), {}, 17, "found weight x computed"),
    (
        "dropout",
        node("Dropout", "x r t", "y"),
        (2,),
        {"r": np.float32(0.5), "t": np.array(True)},
        17,
        "dropout in training mode",
    ),
    ("cast", node("Cast", "x", "y", to=TensorProto.INT32), (2,), {}, 17, "a cast to INT32 at run time"),
    ("to truth", node("Cast", "x", "y", to=TensorProto.BOOL), (2,), {}, 17, "a cast to BOOL at run time"),
    ("cast like", node("CastLike", "x w", "y"), (2,), {"w": np.array(1)}, 17, "a cast to integers"),
    ("squeeze", node("Squeeze", "x a", "y"), (2, 3), {"a": np.array([0])}, 17, "allowed axes of size 1"),
    (
        "slice step",
        node("Slice", "x s e a t", "y"),
        (4,),
        {"s": np.array([0]), "e": np.array([4]), "a": np.array([0]), "t": np.array([0])},
        17,
        "found step 0",
    ),
    (
        "empty slice",
        node("Slice", "x s e", "y"),
        (4,),
        {"s": np.array([3]), "e": np.array([2])},
        17,
        "empty slice",
    ),
    ("split", node("Split", "x s", "y z"), (4,), {"s": np.array([3, 2])}, 17, "found parts [3, 2] of 4"),
    ("gather", node("Gather", "x i", "y"), (4,), {"i": np.array([7])}, 17, "found indices [7]"),
    (
        "optional output",
        node("LayerNormalization", "x w", "y mean"),
        (2, 3),
        {"w": eye(3)},
        17,
        "found optional output mean",
    ),
    (
        "skip output",
        node("com.microsoft.SkipLayerNormalization", "x x w", "y mean"),
        (1, 2, 3),
        {"w": eye(3)},
        17,
        "found optional outputs",
    ),
    (
        "auto_pad",
        node("Conv", "x w", "y", auto_pad="SAME"),
        (1, 1, 9),
        {"w": eye(1, 1, 3)},
        17,
        "found auto_pad SAME",
    ),
    ("mask", node("Attention", "x x x m", "y"), (1, 2, 3, 4), {"m": eye(3, 2)}, 23, "found a mask (3, 2)"),
    ("past", node("Attention", "x x x _ p p", "y"), (1, 2, 3, 4), {"p": eye(1, 2, 1, 4)}, 23, "past_key"),
    (
        "head counts",
        node("Attention", "x w w", "y"),
        (1, 3, 3, 4),
        {"w": eye(1, 2, 3, 4)},
        23,
        "heads of Q, K and V",
    ),
    (
        "head width",
        node("Attention", "x x x", "y", q_num_heads=3, kv_num_heads=3),
        (1, 3, 8),
        {},
        23,
        "found 3 heads in 8 columns",
    ),
    ("rank 2", node("Attention", "x x x", "y"), (3, 8), {}, 23, "found rank 2, allowed 3 or 4"),
    (
        "rotary scale",
        node("com.microsoft.RotaryEmbedding", "x p c c", "y", scale=2.0),
        (1, 2, 3, 4),
        {"p": np.zeros((1, 3), dtype=np.int64), "c": eye(3, 2)},
        17,
        "found scale, allowed 1",
    ),
)


@pytest.mark.parametrize(
    ("item", "shape", "constants", "opset", "message"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_refused_node(
    tmp_path: Path,
    item: onnx.NodeProto,
    shape: tuple[int, ...],
    constants: dict[str, NDArray[Any]],
    opset: int,
    message: str,
) -> None:
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(
        [item],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString())
    error = refused(path)
    assert error.where == f"node_y ({'com.microsoft.' * bool(item.domain)}{item.op_type})"
    assert message in error.what or message in error.notes[0]
