"""Norms of every kind, from ONNX to the instruction set: about zero, wide, narrow, of tiny signals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.graph import OpKind
from tmc.ir.integer.qlayernorm import QLayerNormAttrs

TARGET = target_named("gap9")
DEPTH, CLASSES = 12, 5


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@dataclass(frozen=True, slots=True)
class Net:
    """A projection to `columns`, a norm in runs of `normed`, a linear with a residual, a norm, a projection.

    units: how large the signal is, and the stream with it.
    """

    rows: int
    columns: int
    rms: bool
    units: float = 1.0
    normed: int = 0

    def nodes(self) -> list[onnx.NodeProto]:
        first = self.norm("h", "g0", "n")
        if self.normed:
            first = [
                node("Reshape", "h runs", "h.runs"),
                *self.norm("h.runs", "g0", "n.runs"),
                node("Reshape", "n.runs rows", "n"),
            ]
        return [
            node("MatMul", "x w0", "h"),
            *first,
            node("MatMul", "n w1", "a"),
            node("Add", "h a", "s"),
            *self.norm("s", "g1", "m"),
            node("MatMul", "m w2", "y"),
        ]

    def norm(self, x: str, gamma: str, y: str) -> list[onnx.NodeProto]:
        if not self.rms:
            return [node("LayerNormalization", f"{x} {gamma} {gamma}.beta", y, epsilon=1e-5)]
        return [
            node("Pow", f"{x} two", f"{y}.square"),
            node("ReduceMean", f"{y}.square", f"{y}.mean", axes=[-1], keepdims=1),
            node("Add", f"{y}.mean epsilon", f"{y}.sum"),
            node("Sqrt", f"{y}.sum", f"{y}.root"),
            node("Div", f"{x} {y}.root", f"{y}.normed"),
            node("Mul", f"{gamma} {y}.normed", y),
        ]

    def save(self, path: Path) -> None:
        random = np.random.default_rng(self.columns)
        width = self.normed or self.columns
        constants = {
            "w0": random.standard_normal((DEPTH, self.columns)) / DEPTH**0.5,
            "w1": self.units * random.standard_normal((self.columns, self.columns)) / self.columns**0.5,
            "w2": random.standard_normal((self.columns, CLASSES)) / self.columns**0.5,
            "two": np.array(2.0),
            "epsilon": np.array(1e-5),
        }
        for name, size in (("g0", width), ("g1", self.columns)):
            constants[name] = np.exp(0.3 * random.standard_normal(size))
            constants[f"{name}.beta"] = 0.3 * random.standard_normal(size)
        arrays = {name: array.astype(np.float32) for name, array in constants.items()}
        arrays["runs"] = np.array([self.rows * self.columns // width, width])
        arrays["rows"] = np.array([self.rows, self.columns])
        write(path, self.nodes(), {"x": (self.rows, DEPTH)}, ("y",), arrays)
        windows = self.units * random.uniform(-1, 1, (64, self.rows, DEPTH))
        np.savez(path.with_suffix(".calibration.npz"), x=windows.astype(np.float32))


def compiled(folder: Path, net: Net) -> Compiled:
    path = folder / "norms.onnx"
    net.save(path)
    return compile_model(Options(path, TARGET, folder / "out"))


@pytest.mark.parametrize(
    "net",
    [
        Net(20, 32, rms=True),
        Net(7, 16, rms=True, units=1e-4),
        Net(9, 48, rms=True, units=1e-6),
        Net(20, 32, rms=False, units=1e-3),
        Net(20, 32, rms=False, units=1e-4),
        Net(9, 192, rms=False, units=1e-6),
        Net(40, 32, rms=False, normed=1280),
        Net(40, 32, rms=True, normed=1280),
        Net(10, 2, rms=False),
        Net(10, 3, rms=False),
        Net(10, 3, rms=True),
        Net(10, 8, rms=True, normed=4),
    ],
    ids=str,
)
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, net: Net) -> None:
    found = compiled(tmp_path, net)
    norms = [op.attrs for op in found.graph.ops if op.kind is OpKind.QLAYERNORM]
    assert all(isinstance(attrs, QLayerNormAttrs) and attrs.centred is not net.rms for attrs in norms)
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28


def test_rows_of_length_one_and_norms_of_groups_are_bit_exact(tmp_path: Path, iss: Path) -> None:
    """A GroupNorm of 8 channels in 4 groups, and an embedding of length 1 at the end."""
    random = np.random.default_rng(5)
    nodes = [
        node("MatMul", "w0 x", "h"),
        node("Reshape", "h groups", "g"),
        node("InstanceNormalization", "g ones zeros", "n"),
        node("Reshape", "n channels", "c"),
        node("Mul", "c gain", "m"),
        node("Add", "m shift", "s"),
        node("Relu", "s", "r"),
        node("MatMul", "r w1", "e"),
        node("ReduceMean", "e", "p", axes=[1], keepdims=0),
        node("ReduceL2", "p", "l", axes=[-1], keepdims=1),
        node("Clip", "l floor", "f"),
        node("Div", "p f", "y"),
    ]
    constants = {
        "w0": random.standard_normal((8, DEPTH)) / DEPTH**0.5,
        "ones": np.ones(4),
        "zeros": np.zeros(4),
        "gain": np.exp(0.3 * random.standard_normal((8, 1))),
        "shift": 0.3 * random.standard_normal((8, 1)),
        "w1": random.standard_normal((20, 16)) / 20**0.5,
        "floor": np.array(1e-12),
    }
    arrays: dict[str, np.ndarray] = {name: array.astype(np.float32) for name, array in constants.items()}
    arrays |= {"groups": np.array([1, 4, 40]), "channels": np.array([1, 8, 20])}
    path = tmp_path / "groups.onnx"
    write(path, nodes, {"x": (1, DEPTH, 20)}, ("y",), arrays)
    windows = random.standard_normal((64, 1, DEPTH, 20)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    norms = [op.attrs for op in found.graph.ops if op.kind is OpKind.QLAYERNORM]
    assert [isinstance(attrs, QLayerNormAttrs) and attrs.centred for attrs in norms] == [True, False]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28
