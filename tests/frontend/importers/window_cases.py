"""Models of convolutions, pools and padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.frontend.importers.case import Case, ints, normal
from tests.networks.onnx_files import node

_PADS = {"p": ints(0, 0, 2, 0, 0, 1)}


def _conv(name: str, x: tuple[int, ...], w: tuple[int, ...], **attributes: Any) -> Case:
    return Case(f"Conv {name}", [node("Conv", "x w", "y", **attributes)], x, {"w": normal(*w)})


def _pool(kind: str, x: tuple[int, ...], opset: int = 17, **attributes: Any) -> Case:
    name = f"{kind} {opset} {x} {sorted(attributes.items())}"
    return Case(name, [node(kind, "x", "y", **attributes)], x, opset=opset)


def _pad(name: str, pads: tuple[int, ...], opset: int = 13, **attributes: Any) -> Case:
    return Case(f"Pad {name}", [node("Pad", "x p", "y", **attributes)], (2, 5, 6), {"p": ints(*pads)}, opset)


WINDOWS = (
    _conv("dilated", (1, 2, 12), (3, 2, 3), dilations=[2], pads=[2, 2]),
    _conv("dilated 2-D", (1, 2, 7, 12), (3, 2, 2, 3), dilations=[3, 2], strides=[1, 2]),
    _conv("same", (1, 2, 12), (3, 2, 4), auto_pad="SAME_UPPER"),
    _conv("same lower", (1, 2, 12, 7), (3, 2, 4, 2), auto_pad="SAME_LOWER", strides=[5, 2]),
    Case(
        "Conv padded before",
        [node("Pad", "x p", "h"), node("Conv", "h w", "y", pads=[1, 0], strides=[2])],
        (1, 2, 9),
        {"w": normal(3, 2, 3), **_PADS},
    ),
    Case(
        "Conv and another reader of the padding",
        [node("Pad", "x p", "h"), node("Conv", "h w", "c", pads=[1, 1]), node("Add", "c h", "y")],
        (1, 2, 9),
        {"w": normal(2, 2, 3), **_PADS},
    ),
    Case(
        "AveragePool padded before",
        [node("Pad", "x p", "h"), node("AveragePool", "h", "y", kernel_shape=[3], pads=[1, 1])],
        (1, 2, 9),
        _PADS,
    ),
    *(_pool(kind, (2, 3, 8), kernel_shape=[2], strides=[2]) for kind in ("AveragePool", "MaxPool")),
    *(_pool(kind, (1, 3, 7, 9), kernel_shape=[3, 2], strides=[3, 2]) for kind in ("AveragePool", "MaxPool")),
    *(_pool(kind, (1, 3, 9), kernel_shape=[3], pads=[1, 1]) for kind in ("AveragePool", "MaxPool")),
    *(
        _pool(kind, (1, 2, 9, 8), kernel_shape=[3, 4], pads=[1, 0, 2, 3], strides=[2, 1])
        for kind in ("AveragePool", "MaxPool")
    ),
    _pool("AveragePool", (1, 3, 9), kernel_shape=[3], pads=[1, 1], count_include_pad=1),
    _pool("AveragePool", (1, 3, 12), 19, kernel_shape=[3], dilations=[2]),
    _pool("MaxPool", (1, 3, 12), kernel_shape=[3], dilations=[2], pads=[2, 1]),
    _pool("MaxPool", (1, 3, 12), kernel_shape=[4], auto_pad="SAME_UPPER", strides=[3]),
    *(
        _pool(kind, (1, 3, 13), kernel_shape=[4], strides=[4], ceil_mode=1)
        for kind in ("AveragePool", "MaxPool")
    ),
    *(
        _pool(kind, (1, 3, 10), 19, kernel_shape=[3], strides=[2], pads=[1, 0], ceil_mode=1)
        for kind in ("AveragePool", "MaxPool")
    ),
    *(
        _pool(kind, (1, 3, 7), kernel_shape=[3], strides=[3], pads=[1, 1])
        for kind in ("AveragePool", "MaxPool")
    ),
    _pool("GlobalMaxPool", (2, 3, 4, 5)),
    _pad("constant", (0, 1, 2, 3, 0, 1)),
    _pad("negative", (0, -1, 2, 0, -2, -1)),
    _pad("reflect", (0, 2, 1, 0, 1, 3), mode="reflect"),
    _pad("edge", (0, 2, 1, 3, 1, 3), mode="edge"),
    _pad("wrap", (0, 2, 1, 1, 1, 3), 19, mode="wrap"),
    Case("Pad 7", [node("Pad", "x", "y", pads=[0, 1, 2, 0], value=0.5)], (2, 3), opset=9),
    Case(
        "Pad value and axes",
        [node("Pad", "x p v a", "y")],
        (2, 3, 4),
        {"p": ints(1, 2), "v": np.float32(-0.5), "a": ints(-1)},
        18,
    ),
    Case("Slice 9", [node("Slice", "x", "y", starts=[1, 0], ends=[9, 3], axes=[1, 0])], (5, 4), opset=9),
)
