"""Attributes and constants whose sizes or numbers do not fit their node: refused with the node's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tmc.frontend import load
from tmc.ir.errors import UnsupportedModel

KERNEL = np.ones((2, 4, 2), np.float32)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("bad", "constants", "text"),
    [
        (node("Conv", "x k", "y", strides=[1, 1]), {"k": KERNEL}, "found 2 strides, allowed 1 for 1 spatial"),
        (node("Conv", "x k", "y", pads=[0]), {"k": KERNEL}, "found 1 pads, allowed 2"),
        (
            node("Conv", "x k", "y", strides=[0]),
            {"k": KERNEL},
            "strides (0,), dilations (1,), pads (0, 0), a",
        ),
        (
            node("Conv", "x k", "y", pads=[-1, 0]),
            {"k": KERNEL},
            "pads (-1, 0), allowed pads of 0 or more",
        ),
        (node("Conv", "x k", "y", group=0), {"k": KERNEL}, "group 0, allowed"),
        (node("Slice", "x a b", "y"), {"a": np.array([0, 0]), "b": np.array([1])}, "found 2, 1, 2, 2 starts"),
        (node("Reshape", "x a", "y"), {"a": np.array([-2, -4, 4])}, "found shape [-2, -4, 4]"),
        (
            node("Slice", "x a b c", "y"),
            {"a": np.array([0]), "b": np.array([1]), "c": np.array([NAN])},
            "axes of float64",
        ),
        (
            node("Resize", "x _ a", "y", mode="linear"),
            {"a": np.array([1, 1, NAN], np.float32)},
            "found scales",
        ),
        (
            node("Resize", "x _ a", "y", mode="linear"),
            {"a": np.array([1, 1, INF], np.float32)},
            "found scales",
        ),
        (
            node("QuantizeLinear", "x a b", "y"),
            {"a": np.float32(1), "b": np.zeros(0, np.int8)},
            "found 0 zero points",
        ),
        (
            node("QuantizeLinear", "x a b", "y"),
            {"a": np.float32(1), "b": np.zeros(3, np.int8)},
            "3 zero points for 1",
        ),
        (
            node("RequantShift", "x a a", "y", div=NAN, n_levels=4, signed=1),
            {"a": np.float32(1)},
            "found div nan",
        ),
        (
            node("RequantShift", "x a a", "y", div=INF, n_levels=4, signed=1),
            {"a": np.float32(1)},
            "found div inf",
        ),
        (
            node("RequantShift", "x a a", "y", div=4, n_levels=NAN, signed=1),
            {"a": np.float32(1)},
            "n_levels nan",
        ),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else None,
)
def test_a_node_that_contradicts_itself(
    tmp_path: Path, bad: onnx.NodeProto, constants: dict[str, Any], text: str
) -> None:
    path = write(tmp_path / "m.onnx", [bad], {"x": [1, 4, 8]}, constants=constants)
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert caught.value.where == f"node_y ({bad.op_type})" and text in caught.value.what


@pytest.mark.parametrize("limit", [np.zeros(0, np.uint8), np.zeros(2, np.uint8), np.float32(NAN)])
def test_limits_of_codes_are_single_integers(tmp_path: Path, limit: Any) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("Clip", "q a", "c"),
        node("DequantizeLinear", "c s z", "y"),
    ]
    constants = {"s": np.float32(1), "z": np.uint8(0), "a": np.asarray(limit)}
    path = write(tmp_path / "m.onnx", nodes, {"x": [1, 4, 8]}, constants=constants)
    with pytest.raises(UnsupportedModel, match="node_c"):
        load(path)
