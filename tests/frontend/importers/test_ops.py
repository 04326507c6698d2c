"""Every importer against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frontend.importers.case import Case, ints, normal
from tests.frontend.importers.fused_cases import FUSED
from tests.frontend.importers.pointwise_cases import POINTWISE
from tests.frontend.importers.reduction_cases import REDUCTIONS
from tests.frontend.importers.window_cases import WINDOWS
from tests.networks.onnx_files import node, samples, write
from tmc.frontend import load
from tmc.frontend.importers.table import IMPORTERS, STATIC
from tmc.frontend.node import op_name
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.verify import verify


def resized(
    x: tuple[int, ...], sizes: tuple[int, ...] | None, opset: int = 17, mode: str = "half_pixel", **more: Any
) -> Case:
    """Return a Resize model, by sizes, or where there are none to 5 / 2 of the samples."""
    # Before opset 13 nothing could be left out.
    none = "e" if opset < 13 else "_"
    operands = f"x {none} {none} s" if sizes else f"x {none} s"
    given = ints(*sizes) if sizes else np.array([1.0] * (len(x) - 1) + [2.5], dtype=np.float32)
    more = {"mode": "linear", "coordinate_transformation_mode": mode, **more}
    name = f"Resize {opset} {x} to {sizes} {mode}"
    constants = {"s": given, "e": np.array([], dtype=np.float32)}
    return Case(name, [node("Resize", operands, "y", **more)], x, constants, opset)


def rotary(kind: str, x: tuple[int, ...], positions: bool, opset: int = 23, **attributes: int) -> Case:
    """Return a RotaryEmbedding model over tables of 12 positions."""
    heads, width = (x[1], x[3]) if len(x) == 4 else (attributes["num_heads"], x[2] // attributes["num_heads"])
    rows, turned = x[-2], attributes.get("rotary_embedding_dim", width) or width
    angles = np.outer(np.arange(12), 0.5 ** np.arange(turned // 2)).astype(np.float32)
    tables = {"cos": np.cos(angles), "sin": np.sin(angles), "at": np.arange(rows)[None] + 3}
    if not positions:
        tables = {"cos": np.cos(angles)[None, :rows], "sin": np.sin(angles)[None, :rows]}
    order = "x cos sin at" if positions else "x cos sin"
    if kind.startswith("com"):
        order = "x at cos sin"
    name = f"{kind} {heads} heads {x} {sorted(attributes.items())} {positions}"
    return Case(name, [node(kind, order, "y", **attributes)], x, tables, opset)


CASES = (
    *(Case(kind, [node(kind, "x z", "y")], (2, 3, 4), z=(3, 1)) for kind in ("Add", "Sub", "Mul", "Div")),
    Case("Pow", [node("Pow", "x c", "y")], (2, 3), {"c": np.float32(2.0)}),
    *(
        Case(kind, [node(kind, "x", "y")], (2, 3))
        for kind in ("Neg", "Erf", "Tanh", "Sigmoid", "Relu", "Reciprocal", "Identity")
    ),
    Case("Clip", [node("Clip", "x a b", "y")], (2, 3), {"a": np.float32(-0.5), "b": np.float32(0.7)}),
    Case("Clip low", [node("Clip", "x a", "y")], (2, 3), {"a": np.float32(0.0)}),
    Case("Clip high", [node("Clip", "x _ b", "y")], (2, 3), {"b": np.float32(0.7)}),
    Case("Clip none", [node("Clip", "x", "y")], (2, 3)),
    Case("Clip 10", [node("Clip", "x", "y", min=-0.5, max=0.7)], (2, 3), opset=10),
    Case("Swish", [node("Swish", "x", "y")], (2, 3), opset=24),
    Case("Swish steep", [node("Swish", "x", "y", alpha=1.702)], (2, 3), opset=24),
    Case("Sqrt", [node("Mul", "x x", "s"), node("Sqrt", "s", "y")], (2, 3)),
    Case("Where", [node("Where", "c x z", "y")], (2, 3), {"c": np.array([[True, False, True]])}, z=(2, 3)),
    Case(
        "Where constant",
        [node("Where", "c x k", "y")],
        (2, 3),
        {"c": np.array([[True, False, True]]), "k": np.float32(-7.0)},
    ),
    Case("Softmax", [node("Softmax", "x", "y", axis=1)], (2, 3, 4)),
    Case("Softmax 11", [node("Softmax", "x", "y", axis=2)], (2, 3, 4), opset=11),
    Case("ReduceMean 17", [node("ReduceMean", "x", "y", axes=[-1, 1], keepdims=0)], (2, 3, 4)),
    Case("ReduceMean 18", [node("ReduceMean", "x a", "y")], (2, 3, 4), {"a": ints(-2)}, opset=18),
    Case("ReduceMean all", [node("ReduceMean", "x", "y")], (2, 3, 4)),
    Case("ReduceMean none", [node("ReduceMean", "x", "y", noop_with_empty_axes=1)], (2, 3), opset=18),
    Case("GlobalAveragePool", [node("GlobalAveragePool", "x", "y")], (1, 3, 4, 5)),
    Case("MatMul", [node("MatMul", "x z", "y")], (2, 3, 4), z=(4, 5)),
    Case("MatMul vector right", [node("MatMul", "x z", "y")], (2, 3, 4), z=(4,)),
    Case("MatMul vector left", [node("MatMul", "x z", "y")], (4,), z=(2, 4, 5)),
    Case("MatMul vectors", [node("MatMul", "x z", "y")], (4,), z=(4,)),
    Case("Gemm", [node("Gemm", "x w b", "y", transB=1)], (2, 3), {"w": normal(4, 3), "b": normal(4)}),
    Case(
        "Gemm scaled",
        [node("Gemm", "x z b", "y", transA=1, transB=1, alpha=0.5, beta=2.0)],
        (3, 2),
        {"b": normal(4)},
        z=(4, 3),
    ),
    Case("Gemm beta 0", [node("Gemm", "x w b", "y", beta=0.0)], (2, 3), {"w": normal(3, 4), "b": normal(4)}),
    Case("Gemm transA constant", [node("Gemm", "w x", "y", transA=1)], (2, 3), {"w": normal(2, 4)}),
    Case(
        "Conv",
        [node("Conv", "x w b", "y", strides=[2, 1], pads=[1, 0, 1, 2], group=2)],
        (1, 4, 6, 7),
        {"w": normal(6, 2, 3, 3), "b": normal(6)},
    ),
    Case("Conv 1-D", [node("Conv", "x w", "y", strides=[2], pads=[1, 2])], (1, 4, 9), {"w": normal(6, 4, 3)}),
    Case("Conv valid", [node("Conv", "x w", "y", auto_pad="VALID")], (1, 4, 6, 7), {"w": normal(6, 4, 3, 3)}),
    resized((1, 3, 4), (1, 3, 50), 11),
    resized((1, 3, 50), (1, 3, 4), 13),
    resized((1, 3, 4), (1, 3, 1)),
    resized((1, 3, 4), (1, 3, 4)),
    resized((2, 3, 7), (2, 3, 20), mode="pytorch_half_pixel"),
    resized((1, 3, 4), None),
    resized((1, 2, 3, 4), (1, 2, 3, 9), 19),
    resized((1, 3, 4), (9,), 18, axes=[-1]),
    resized((3, 4), None, 24),
    Case("Gelu", [node("Gelu", "x", "y")], (2, 3), opset=20),
    Case("Gelu tanh", [node("Gelu", "x", "y", approximate="tanh")], (2, 3), opset=20),
    Case(
        "LayerNormalization",
        [node("LayerNormalization", "x g b", "y", epsilon=1e-3)],
        (2, 3, 4),
        {"g": normal(4), "b": normal(4)},
    ),
    Case(
        "LayerNormalization axes",
        [node("LayerNormalization", "x g", "y", axis=1)],
        (2, 3, 4),
        {"g": normal(3, 4)},
    ),
    Case("Attention", [node("Attention", "x z z", "y")], (1, 2, 3, 4), opset=23, z=(1, 2, 5, 4)),
    Case(
        "Attention 3-D",
        [node("Attention", "x z z", "y", q_num_heads=2, kv_num_heads=2, scale=0.3)],
        (1, 3, 8),
        opset=23,
        z=(1, 5, 8),
    ),
    rotary("RotaryEmbedding", (1, 2, 5, 8), True),
    rotary("RotaryEmbedding", (1, 2, 5, 8), False, interleaved=1),
    rotary("RotaryEmbedding", (1, 2, 5, 8), True, interleaved=1, rotary_embedding_dim=4),
    rotary("RotaryEmbedding", (1, 5, 16), True, num_heads=2),
    rotary("com.microsoft.RotaryEmbedding", (1, 5, 16), True, 17, num_heads=2),
    rotary("com.microsoft.RotaryEmbedding", (1, 2, 5, 8), True, 17, interleaved=1),
    Case(
        "com.microsoft.RotaryEmbedding offset",
        [node("com.microsoft.RotaryEmbedding", "x at cos sin", "y")],
        (1, 2, 5, 8),
        {"at": ints(2), "cos": np.cos(normal(12, 4)), "sin": np.sin(normal(12, 4))},
    ),
    Case("Dropout", [node("Dropout", "x", "y")], (2, 3)),
    Case(
        "Dropout inference",
        [node("Dropout", "x r t", "y")],
        (2, 3),
        {"r": np.float32(0.5), "t": np.array(False)},
    ),
    Case("Cast", [node("Cast", "x", "d", to=11), node("Cast", "d", "y", to=1)], (2, 3)),
    Case("CastLike", [node("CastLike", "x c", "y")], (2, 3), {"c": np.float32(0.0)}),
    Case("Reshape", [node("Reshape", "x s", "y")], (2, 3, 4), {"s": ints(0, -1, 2)}),
    Case("Flatten", [node("Flatten", "x", "y", axis=2)], (2, 3, 4)),
    Case("Flatten all", [node("Flatten", "x", "y", axis=3)], (2, 3, 4)),
    Case("Squeeze", [node("Squeeze", "x a", "y")], (1, 3, 1), {"a": ints(-1)}),
    Case("Squeeze 11", [node("Squeeze", "x", "y", axes=[0])], (1, 3, 1), opset=11),
    Case("Squeeze all", [node("Squeeze", "x", "y")], (1, 3, 1)),
    Case("Unsqueeze", [node("Unsqueeze", "x a", "y")], (2, 3), {"a": ints(-1, 0)}),
    Case("Transpose", [node("Transpose", "x", "y", perm=[2, 0, 1])], (2, 3, 4)),
    Case("Transpose default", [node("Transpose", "x", "y")], (2, 3, 4)),
    Case(
        "Slice",
        [node("Slice", "x s e a t", "y")],
        (5, 6, 7),
        {"s": ints(1, -1), "e": ints(1000, -7), "a": ints(-1, 0), "t": ints(2, -2)},
    ),
    Case("Slice short", [node("Slice", "x s e", "y")], (5, 6), {"s": ints(1), "e": ints(3)}),
    Case("Split", [node("Split", "x", "a b", axis=1), node("Sub", "a b", "y")], (2, 4)),
    Case("Split sizes", [node("Split", "x s", "a y", axis=1)], (2, 4), {"s": ints(1, 3)}),
    Case("Split uneven", [node("Split", "x", "a b y", axis=0, num_outputs=3)], (5, 2), opset=18),
    Case("Concat", [node("Concat", "x z", "y", axis=-1)], (2, 3), z=(2, 4)),
    Case("Gather", [node("Gather", "x i", "y", axis=1)], (2, 3, 4), {"i": np.array([[0, -1], [1, 1]])}),
    Case("Gather scalar", [node("Gather", "x i", "y", axis=-1)], (2, 3), {"i": np.array(-1)}),
    Case("GatherND rows", [node("GatherND", "x i", "y")], (3, 4, 2), {"i": np.array([[[0]], [[-1]]])}),
    Case("GatherND", [node("GatherND", "x i", "y")], (3, 4), {"i": np.array([[0, 3], [-3, 1], [2, -1]])}),
    Case("Expand", [node("Expand", "x s", "y")], (3, 1), {"s": ints(2, 1, 4)}),
    Case("Tile", [node("Tile", "x r", "y")], (2, 3), {"r": ints(2, 1)}),
    Case("com.microsoft.Gelu", [node("com.microsoft.Gelu", "x", "y")], (2, 3)),
    Case("com.microsoft.FastGelu", [node("com.microsoft.FastGelu", "x b", "y")], (2, 3), {"b": normal(3)}),
    Case("com.microsoft.FastGelu plain", [node("com.microsoft.FastGelu", "x", "y")], (2, 3)),
    Case("com.microsoft.BiasGelu", [node("com.microsoft.BiasGelu", "x b", "y")], (2, 3), {"b": normal(3)}),
    Case(
        "com.microsoft.SkipLayerNormalization",
        [
            node("com.microsoft.SkipLayerNormalization", "x z g b c", "n _ _ s", epsilon=1e-5),
            node("Add", "n s", "y"),
        ],
        (1, 3, 4),
        {"g": normal(4), "b": normal(4), "c": normal(4) + 1},
        z=(1, 3, 4),
    ),
    Case("Shape", [node("Shape", "x", "s"), node("Cast", "s", "f", to=1), node("Mul", "x f", "y")], (2, 2)),
    Case("Shape part", [node("Shape", "x", "s", start=1), node("Expand", "z s", "y")], (2, 3, 4), z=(3, 1)),
    *POINTWISE,
    *REDUCTIONS,
    *WINDOWS,
    *FUSED,
    Case("Size", [node("Size", "x", "s"), node("Cast", "s", "f", to=1), node("Div", "x f", "y")], (2, 3)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_op_equals_onnxruntime(case: Case, tmp_path: Path) -> None:
    for item in case.nodes:
        # "_" stands for an output that is left out.
        item.output[:] = ["" if name == "_" else name for name in item.output]
    inputs = {"x": case.x} if case.z is None else {"x": case.x, "z": case.z}
    path = write(
        tmp_path / "m.onnx",
        case.nodes,
        inputs,
        constants=case.constants,
        opset=case.opset,
        result=case.result,
    )
    graph = load(path)
    verify(graph)
    assert graph.outputs == ("y",) and set(graph.inputs) == set(inputs)
    assert check_against_onnxruntime(path, graph, samples(inputs)) < 1e-5


def test_every_importer_has_a_case() -> None:
    tested = {op_name(item) for case in CASES for item in case.nodes}
    # tests/quantised has the cases of these.
    quantised = {"QuantizeLinear", "DequantizeLinear", "RequantShift", "Round", "iGELU", "iHardswish"}
    assert (set(IMPORTERS) | set(STATIC)) - tested == quantised
