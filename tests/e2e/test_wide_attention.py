"""Attention at 16 bits by the option --bits: more exact where it is sharp, and the same on every platform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.attention_models import Writer
from tests.networks.onnx_files import write
from tests.networks.simple_plan import Tiles, simple_plan
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.riscv import run_iss
from tmc.ir.graph import OpKind

TOKENS, COLUMNS, HEADS, WIDTH = 22, 24, 2, 10
Q, K, V, MIXED = "node_qp", "node_kp", "node_vp", "node_mixed"


def sharp(folder: Path, mask: bool = False) -> Path:
    """Write an attention whose scores reach some twenty, with or without a mask, and its calibration."""
    random, w = np.random.default_rng(0), Writer()
    parts = []
    for name, gain in (("q", 5.0), ("k", 1.0), ("v", 1.0)):
        weight = random.standard_normal((COLUMNS, HEADS * WIDTH)) * gain / COLUMNS**0.5
        product = w.add("MatMul", f"x {w.const(weight.astype(np.float32))}", f"{name}p")
        by_head = w.add("Reshape", f"{product} {w.ints(TOKENS, HEADS, WIDTH)}")
        parts.append(w.add("Transpose", by_head, perm=[1, 2, 0] if name == "k" else [1, 0, 2]))
    scores = w.add("MatMul", f"{parts[0]} {parts[1]}")
    scores = w.add("Mul", f"{scores} {w.const(np.float32(WIDTH**-0.5))}")
    if mask:
        later = np.triu(np.full((TOKENS, TOKENS), -1e9, np.float32), 1)
        scores = w.add("Add", f"{scores} {w.const(later)}")
    mixed = w.add("MatMul", f"{w.add('Softmax', scores, axis=-1)} {parts[2]}", "mixed")
    rows = w.add("Transpose", mixed, perm=[1, 0, 2])
    weight = random.standard_normal((HEADS * WIDTH, 6)).astype(np.float32) / 4
    w.add("MatMul", f"{w.add('Reshape', f'{rows} {w.ints(TOKENS, HEADS * WIDTH)}')} {w.const(weight)}", "y")
    samples = random.standard_normal((16, TOKENS, COLUMNS)).astype(np.float32)
    np.savez(folder / "m.calibration.npz", x=samples)
    return write(folder / "m.onnx", w.nodes, {"x": (TOKENS, COLUMNS)}, constants=w.constants, opset=17)


def compiled(model: Path, name: str, *wide: str) -> tuple[Path, float]:
    """Compile with some nodes at 16 bits; return the directory and the decibels of the output."""
    folder = model.parent / name
    options = [text for node in wide for text in ("--bits", f"{node}=16")]
    facts = succeeded("compile", model, "-o", folder, *options)
    return folder, facts["accuracy"]["outputs"][0]["sqnr_db"]


@pytest.mark.parametrize(("mask", "gain_db"), [(False, 3), (True, 1.5)])
def test_sharp_attention_gains(tmp_path: Path, mask: bool, gain_db: float) -> None:
    model = sharp(tmp_path, mask)
    _, narrow_db = compiled(model, "narrow")
    folder, queries_db = compiled(model, "queries", Q)
    both, both_db = compiled(model, "both", K, MIXED)
    assert queries_db > narrow_db + gain_db and both_db > queries_db + 0.5
    graph = load_golden(both).graph
    (attention,) = (op for op in graph.ops if op.kind is OpKind.QATTENTION)
    types = [graph.types[name].dtype.value for name in (*attention.inputs[:3], attention.output)]
    assert types == ["s16", "s16", "s8", "s16"]
    for each in (folder, both):
        assert run_host(each).bit_exact
    assert run_iss(both).bit_exact


def test_every_claim_and_every_number_matters(tmp_path: Path) -> None:
    folder, _ = compiled(sharp(tmp_path), "both", Q, MIXED)
    planned = simple_plan(load_golden(folder).graph, Tiles(8, 20, 1, queries=8, keys=12, values=4))
    stages = planned.plan.staged.stages
    for kind in (OpKind.QROPE, OpKind.QATTENTION):
        number = next(index for index, each in enumerate(stages) if any(op.kind is kind for op in each.ops))
        # A table of one line has no pitch, and a bias of one group no second line.
        free = {"table_pitch", "row0", "bias_channels"} if kind is OpKind.QROPE else set()
        assert {what for _, _, what in uncaught(Subject(planned), number)} == free


def test_the_advice_is_taken(tmp_path: Path) -> None:
    """It names Q or K, and the node that it names raises the figure."""
    model = sharp(tmp_path)
    lines = [line for line in call("check", model).out.splitlines() if line.startswith("worst ")]
    line = next(line for line in lines if line.endswith("=16 stores Q and K in int16"))
    named = line.rsplit("--bits ", 1)[1].split("=")[0]
    assert named in (Q, K)
    assert compiled(model, "wide", named)[1] > compiled(model, "narrow")[1] + 3
