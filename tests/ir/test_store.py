"""Graphs on disk."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tmc.ir.errors import ParseError
from tmc.ir.graph import Graph
from tmc.ir.store import load_graph, save_graph
from tmc.ir.text import parse_graph
from tmc.ir.types import Array

CONSTANTS: dict[str, Array] = {
    "/fc/weight": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3).T,
    "scalar": np.array(7, np.int32),
    "table": np.arange(256, dtype=np.uint8),
    "table.npy": np.arange(8, dtype=np.int16),
}


@pytest.fixture
def graph() -> Graph:
    lines = {"/fc/weight": "f32[3x4]", "scalar": "s32[]", "table": "u8[256]", "table.npy": "s16[8]"}
    body = "".join(f"%{name} = constant {type_}\n" for name, type_ in lines.items())
    op = '%y: f32[2] = neg(%x) loc("é")'
    return parse_graph(f"graph @g(%x: f32[2]) {{ {body} {op} return %y }}", CONSTANTS)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_loading_inverts_saving(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path, "float")
    assert list(files(tmp_path)) == ["float.ir", "float.npz"]
    assert load_graph(tmp_path, "float") == graph


def test_numpy_opens_the_constants(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path, "float")
    with np.load(tmp_path / "float.npz") as archive:
        assert np.array_equal(archive["/fc/weight"], CONSTANTS["/fc/weight"])
        assert archive["scalar"].shape == ()


def test_same_bytes_at_another_time(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_graph(graph, tmp_path, "float")
    first = files(tmp_path)
    later = time.time() + 10**7
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(later))
    turned = {name: np.array(graph.constants[name], order="C") for name in reversed(list(graph.constants))}
    save_graph(replace(graph, constants=turned), tmp_path, "float")
    assert files(tmp_path) == first


@pytest.mark.parametrize("name", ["float.ir", "float.npz"])
def test_missing_file(graph: Graph, tmp_path: Path, name: str) -> None:
    save_graph(graph, tmp_path, "float")
    (tmp_path / name).unlink()
    with pytest.raises(ParseError, match=f"{name}: found a file that cannot be read") as found:
        load_graph(tmp_path, "float")
    assert found.value.notes


@pytest.mark.parametrize("cut", [10, 300, -40])
def test_truncated_constants(graph: Graph, tmp_path: Path, cut: int) -> None:
    save_graph(graph, tmp_path, "float")
    content = (tmp_path / "float.npz").read_bytes()
    (tmp_path / "float.npz").write_bytes(content[:cut])
    with pytest.raises(ParseError, match=r"float\.npz: found a file that cannot be read"):
        load_graph(tmp_path, "float")


def test_text_in_another_encoding(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path, "float")
    (tmp_path / "float.ir").write_bytes("é".encode("latin-1"))
    with pytest.raises(ParseError, match=r"float\.ir: found a file that cannot be read"):
        load_graph(tmp_path, "float")


def test_files_of_two_graphs(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path, "first")
    other = {**graph.constants, "scalar": np.array(8, np.int32)}
    save_graph(replace(graph, constants=other), tmp_path, "second")
    shutil.copy(tmp_path / "second.npz", tmp_path / "first.npz")
    with pytest.raises(ParseError, match=r"found an array of hash \w+ for %scalar"):
        load_graph(tmp_path, "first")
