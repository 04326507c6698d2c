"""Both torch exporters, every opset they write, constant-folded or not: one canonical text per network."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from examples.tinymyo.export import OPSETS, Exporter, export_onnx
from examples.tinymyo.model import Config, RopeScheme, TinyMyo, build
from tests.networks.onnx_files import samples
from tmc.frontend import load
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.graph import Graph, OpKind
from tmc.ir.text import print_graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import run_passes

CHANNELS, SAMPLES = 3, 80
# Later opsets of the default exporter bring Gelu (20) and Attention (23) as ops of their own.
WRITTEN: tuple[tuple[Exporter, int, bool], ...] = (
    ("dynamo", 18, True),
    ("dynamo", 18, False),
    ("dynamo", 20, True),
    ("dynamo", 23, True),
    *(("torchscript", opset, True) for opset in OPSETS["torchscript"]),
    *(("torchscript", opset, False) for opset in (13, 14, 17)),
)


def network(rope: RopeScheme) -> TinyMyo:
    """Return a small network whose biases and norms are not the trivial ones of a fresh one."""
    model = build(Config(CHANNELS, SAMPLES, layers=2, classes=4, rope=rope), seed=5)
    noise = np.random.default_rng(5)
    for parameter in model.parameters():
        parameter.data.add_(parameter.data.new_tensor(noise.normal(0.0, 0.05, tuple(parameter.shape))))
    return model


def canonical(path: Path) -> Graph:
    """Return the canonical graph of a file, after comparing it with onnxruntime."""
    graph = run_passes(load(path, "net"), CANONICALISE)
    assert check_against_onnxruntime(path, graph, samples({"emg": [1, CHANNELS, SAMPLES]})) < 1e-5
    return graph


@pytest.mark.parametrize("rope", get_args(RopeScheme))
def test_all_exports_give_one_text(tmp_path: Path, rope: RopeScheme) -> None:
    model = network(rope)
    texts: dict[tuple[Exporter, int, bool], str] = {}
    for exporter, opset, fold in WRITTEN:
        path = tmp_path / f"{exporter}_{opset}_{fold}.onnx"
        export_onnx(model, path, exporter, opset, fold)
        graph = canonical(path)
        texts[exporter, opset, fold] = print_graph(graph, locations=False)
    first = texts[WRITTEN[0]]
    assert [how for how, text in texts.items() if text != first] == []
    assert_canonical_tinymyo(graph, rope)


def assert_canonical_tinymyo(graph: Graph, rope: RopeScheme) -> None:
    """Check the ops, and the shapes that tell the position schemes apart."""
    turn = [] if rope == "none" else [OpKind.ROPE]
    heads = [OpKind.LAYERNORM, OpKind.LINEAR, *turn, OpKind.LINEAR, *turn, OpKind.LINEAR, OpKind.ATTENTION]
    mlp = [OpKind.LAYERNORM, OpKind.LINEAR, OpKind.GELU, OpKind.LINEAR, OpKind.ADD]
    block = [*heads, OpKind.LINEAR, OpKind.ADD, *mlp]
    head = [OpKind.LAYERNORM, OpKind.MEAN_ROWS, OpKind.RESHAPE, OpKind.LINEAR]
    assert [op.kind for op in graph.ops] == [OpKind.RESHAPE, OpKind.LINEAR, *block, *block, *head]
    assert graph.outputs == ("logits",) and graph.inputs == ("emg",)
    patches, tokens = SAMPLES // 20, CHANNELS * SAMPLES // 20
    assert graph.types["linear_0.bias"].shape == (CHANNELS if rope == "cyclic" else 1, 192)
    if turn:
        assert graph.types["rope_0.cosine"].shape == (patches if rope == "cyclic" else tokens, 32)
