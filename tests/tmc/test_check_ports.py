"""Outputs that are no values of their own, and those that look as if they were not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tests.tmc.command import refused, succeeded

LINEAR = (node("MatMul", "x w", "m"), node("Add", "m b", "y"))
CONSTANTS = {
    "w": np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32),
    "b": np.zeros(8, np.float32),
    "flat": np.array([16, 4]),
    "wide": np.array([4, 32]),
}


def written(path: Path, nodes: tuple[onnx.NodeProto, ...], outputs: tuple[str, ...]) -> Path:
    """Write a network of the input x [8, 16] and an input that nothing reads."""
    return write(path, nodes, {"x": (8, 16), "unread": (3, 4)}, outputs, CONSTANTS)


@pytest.mark.parametrize(
    ("more", "outputs", "name", "again"),
    [
        ((node("Reshape", "y flat", "v"),), ("y", "v"), "v", "output y"),
        ((node("Identity", "y", "v"),), ("v", "y"), "y", "output v"),
        ((node("Identity", "x", "v"),), ("y", "v"), "v", "input x"),
        ((node("Reshape", "x wide", "v"),), ("v", "y"), "v", "input x"),
        ((), ("y", "x"), "x", "input x"),
    ],
)
def test_the_same_elements_twice(
    tmp_path: Path, more: tuple[onnx.NodeProto, ...], outputs: tuple[str, ...], name: str, again: str
) -> None:
    answer = refused("check", written(tmp_path / "m.onnx", (*LINEAR, *more), outputs))
    assert answer.error == f"output {name}: found the elements of {again} again, allowed values of its own"
    assert answer.notes == ["leave this output out of the network, and read the other one"]
    assert "calibrate" not in answer.err, "said before any work is done"


@pytest.mark.parametrize(
    ("more", "outputs"),
    [
        ((node("Split", "y", "p q", axis=1),), ("p", "q")),
        ((node("Transpose", "y", "t", perm=[1, 0]),), ("y", "t")),
        ((node("Softmax", "y", "unused", axis=1),), ("y",)),
    ],
)
def test_values_of_their_own(
    tmp_path: Path, more: tuple[onnx.NodeProto, ...], outputs: tuple[str, ...]
) -> None:
    succeeded("compile", written(tmp_path / "m.onnx", (*LINEAR, *more), outputs), "-o", tmp_path / "out")
    assert succeeded("run", tmp_path / "out", "--on", "host")["bit_exact"] is True


def test_no_output(tmp_path: Path) -> None:
    error = refused("check", written(tmp_path / "m.onnx", LINEAR, ())).error
    assert error == "m.onnx: found no outputs, allowed one or more"


def test_inputs_that_l2_does_not_hold_together(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "y"), node("MatMul", "u w", "v")]
    shapes = {"x": (50_000, 16), "u": (50_000, 16)}
    error = refused("check", write(tmp_path / "m.onnx", nodes, shapes, ("y", "v"), CONSTANTS)).error
    assert error.startswith(
        "inputs x, u: found 1,600,000 elements, allowed 1,572,864: in L2 each takes a byte"
    )
