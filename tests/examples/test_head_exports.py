"""Heads through both torch exporters, every kind of opset, folded or not: one canonical text each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.tinymyo.export import OPSETS, Exporter
from tests.examples.head_models import PATCH_SAMPLES, HeadKind, HeadSize, build_head, export
from tests.networks.onnx_files import samples
from tmc.frontend import load
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.graph import Graph
from tmc.ir.text import print_graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import run_passes

WRITTEN: tuple[tuple[Exporter, int, bool], ...] = (
    *(("dynamo", opset, True) for opset in (18, 21, 24)),
    ("dynamo", 18, False),
    *(("torchscript", opset, True) for opset in OPSETS["torchscript"]),
    ("torchscript", 13, False),
    ("torchscript", 17, False),
)
SIZE = HeadSize()
HEADS: dict[HeadKind, list[str]] = {
    "reconstruction": ["linear", "reshape"],
    "classification": ["mean_rows", "reshape", "linear"],
    "mean": ["mean_rows", "linear"],
    "regression": [
        *("permute_rows", "reshape", "linear", "silu", "depthwise_rows", "silu", "linear"),
        *("interpolate_rows", "transpose", "reshape"),
    ],
}


def canonical(path: Path, shape: tuple[int, ...]) -> Graph:
    """Return the canonical graph of a file, after comparing it with onnxruntime."""
    graph = run_passes(load(path, "net"), CANONICALISE)
    assert check_against_onnxruntime(path, graph, samples({"emg": shape})) < 1e-5
    return graph


@pytest.mark.parametrize("kind", HEADS)
def test_all_exports_give_one_text(tmp_path: Path, kind: HeadKind) -> None:
    model = build_head(kind, SIZE)
    shape = (1, SIZE.channels, SIZE.patches * PATCH_SAMPLES)
    texts: dict[tuple[Exporter, int, bool], str] = {}
    # The other heads are written with ops that the exports of whole networks cover.
    written = WRITTEN if kind == "regression" else (WRITTEN[0], WRITTEN[-1])
    for exporter, opset, fold in written:
        path = tmp_path / f"{exporter}_{opset}_{fold}.onnx"
        export(model, shape, path, exporter, opset, fold)
        graph = canonical(path, shape)
        texts[exporter, opset, fold] = print_graph(graph, locations=False)
    assert [how for how, text in texts.items() if text != texts[WRITTEN[0]]] == []
    assert [op.kind.value for op in graph.ops] == ["reshape", "linear", "layernorm", *HEADS[kind]]


class Stretched(nn.Module):
    """Interpolate in the middle of a network, after an activation, by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.first, self.last = nn.Conv1d(6, 8, 1), nn.Linear(8, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 9, 6) to (1, samples, 3)."""
        x = functional.relu(self.first(x.transpose(1, 2)))
        x = functional.interpolate(x, scale_factor=self.factor, mode="linear")
        return torch.sigmoid(self.last(x.transpose(1, 2)))


@pytest.mark.parametrize(
    ("factor", "exporter", "opset"),
    [(2.0, "torchscript", 13), (3.0, "dynamo", 18), (1 / 3, "torchscript", 17), (1 / 3, "dynamo", 23)],
)
def test_interpolation_in_the_middle(tmp_path: Path, factor: float, exporter: Exporter, opset: int) -> None:
    export(Stretched(factor).eval(), (1, 9, 6), tmp_path / "net.onnx", exporter, opset, True)
    graph = canonical(tmp_path / "net.onnx", (1, 9, 6))
    assert [op.kind.value for op in graph.ops if op.kind.value != "reshape"] == [
        *("linear", "clip", "interpolate_rows", "linear", "sigmoid")  # blends of int16, so a ReLU of int16
    ]


class Convolution(nn.Module):
    """One convolution over time."""

    def __init__(self, **settings: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, **settings)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 4, 9)."""
        return self.conv(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"groups": 4, "padding": 2, "dilation": 2}, ["transpose", "convert", "depthwise_rows", "transpose"]),
        (
            {"groups": 4, "padding": 1, "stride": 2},
            ["transpose", "convert", "depthwise_rows", "gather", "transpose"],
        ),
        ({"groups": 4}, ["transpose", "convert", "depthwise_rows", "gather", "transpose"]),
        ({"groups": 2, "padding": 1}, ["concat", "transpose", "gather", "linear", "transpose"]),
        ({"padding": 1}, ["concat", "transpose", "gather", "linear", "transpose"]),
        ({"padding": 2, "stride": 3}, ["concat", "transpose", "gather", "linear", "transpose"]),
    ],
)
def test_other_convolutions_become_rows_of_windows(
    tmp_path: Path, settings: dict[str, int], kinds: list[str]
) -> None:
    export(Convolution(**settings), (1, 4, 9), tmp_path / "net.onnx", "torchscript", 17, True)
    graph = canonical(tmp_path / "net.onnx", (1, 4, 9))
    assert [op.kind.value for op in graph.ops if op.kind.value != "reshape"] == kinds
