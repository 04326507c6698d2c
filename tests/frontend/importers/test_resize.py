"""How Resize and GatherND are refused; what they compute is in test_ops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tmc.frontend import load
from tmc.ir.errors import UnsupportedModel

SIZES = np.array([1, 2, 9])
CORNERS = "found coordinate_transformation_mode align_corners, allowed half_pixel or pytorch_half_pixel"


@pytest.mark.parametrize(
    ("attributes", "shape", "sizes", "message"),
    [
        ({"mode": "cubic"}, (1, 2, 4), SIZES, "found mode cubic, allowed linear"),
        ({"mode": "nearest"}, (1, 2, 4), SIZES, "found mode nearest, allowed linear"),
        ({"coordinate_transformation_mode": "align_corners"}, (1, 2, 4), SIZES, CORNERS),
        ({"antialias": 1}, (1, 2, 4), SIZES, "found antialias 1, allowed 0"),
        (
            {"keep_aspect_ratio_policy": "not_larger"},
            (1, 2, 4),
            SIZES,
            "found keep_aspect_ratio_policy not_larger, allowed stretch",
        ),
        (
            {},
            (1, 2, 4),
            np.array([1, 4, 8]),
            "found shape (1, 2, 4) resized to (1, 4, 8), allowed another size of the last axis alone",
        ),
        ({}, (1, 2, 1), SIZES, "found 1 samples resized to 9 by half_pixel, allowed 2 or more"),
        (
            {"coordinate_transformation_mode": "pytorch_half_pixel"},
            (1, 2, 4),
            np.array([1, 2, 1]),
            "found 4 samples resized to 1 by pytorch_half_pixel",
        ),
        ({"axes": [1, 2]}, (1, 2, 4), SIZES, "found 3 sizes or scales, allowed 2, one for each axis"),
        ({"axes": [3]}, (1, 2, 4), SIZES[:1], "found axis 3, allowed -3 to 2"),
        (
            {},
            (1, 2, 4),
            np.array([1, 1, 1.3], dtype=np.float32),
            "found scale 1.3 of 4 samples, allowed a whole number of samples",
        ),
    ],
)
def test_resize_is_refused(
    tmp_path: Path, attributes: dict[str, Any], shape: tuple[int, ...], sizes: NDArray[Any], message: str
) -> None:
    operands = "x _ s" if sizes.dtype == np.float32 else "x _ _ s"
    item = node("Resize", operands, "y", **{"mode": "linear", **attributes})
    error = refused(tmp_path, item, shape, {"s": sizes})
    assert error.where == "node_y (Resize)" and error.what.startswith(message)


@pytest.mark.parametrize(
    ("indices", "more", "message"),
    [
        ([[0, 4]], {}, "found indices of shape (1, 2) up to 4 into (3, 4), allowed tuples of indices inside"),
        ([[-4]], {}, "found indices of shape (1, 1) up to 0 into (3, 4)"),
        ([[0, 0, 0]], {}, "found indices of shape (1, 3)"),
        ([[0], [1], [2]], {"batch_dims": 1}, "found batch_dims, allowed 0"),
    ],
)
def test_gather_nd_is_refused(
    tmp_path: Path, indices: list[list[int]], more: dict[str, int], message: str
) -> None:
    error = refused(tmp_path, node("GatherND", "x i", "y", **more), (3, 4), {"i": np.array(indices)})
    assert error.where == "node_y (GatherND)" and error.what.startswith(message)


def refused(folder: Path, item: Any, shape: tuple[int, ...], constants: dict[str, Any]) -> UnsupportedModel:
    """Load a file of one node that must be refused; return the error."""
    path = write(folder / "m.onnx", [item], {"x": shape}, constants=constants, opset=18)
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert caught.value.notes
    return caught.value
