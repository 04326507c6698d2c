"""A value at 16 bits by the option --bits: more exact, the same on every platform, and told in the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.encoders import Encoder, write_encoder
from tests.networks.onnx_files import node, write
from tests.quantised.qdq_models import quantise, samples, write_mlp
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.riscv import run_iss
from tmc.ir.graph import OpKind
from tmc.ir.types import DType
from tmc.passes.accuracy.advice import remedy_for

SHAPE = (12, 16)
NORM = "node_n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a norm between two linear layers, with its calibration."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.standard_normal((16, 32)).astype(np.float32) / 4,
        "g": np.exp(random.standard_normal(32)).astype(np.float32),
        "b": random.standard_normal(32).astype(np.float32),
        "v": random.standard_normal((32, 8)).astype(np.float32) / 6,
    }
    nodes = [node("MatMul", "x w", "h"), node("LayerNormalization", "h g b", "n"), node("MatMul", "n v", "y")]
    np.savez(tmp_path / "m.calibration.npz", x=np.stack(samples(SHAPE, 24, 1)))
    return write(tmp_path / "m.onnx", nodes, {"x": SHAPE}, constants=constants, opset=17)


def test_16_bits_are_more_exact(model: Path) -> None:
    narrow = succeeded("compile", model, "-o", model.parent / "narrow")
    wide = succeeded("compile", model, "-o", model.parent / "wide", "--bits", f"{NORM}=16")
    figures = [facts["accuracy"]["outputs"][0]["sqnr_db"] for facts in (narrow, wide)]
    assert figures[1] > figures[0] + 3
    types = [load_golden(model.parent / name).graph for name in ("narrow", "wide")]
    stored = [next(graph.types[op.output].dtype for op in graph.ops if op.loc == NORM) for graph in types]
    assert stored == [DType.S8, DType.S16]
    for run in (run_host, run_iss):
        assert run(model.parent / "wide").bit_exact
    report = json.loads((model.parent / "wide" / "report.json").read_text())
    assert report["recipe"] == {"bits node_n": "16"}


def test_accuracy_proposes_it(model: Path) -> None:
    lines = call("check", model).out.splitlines()
    (line,) = (each for each in lines if each.startswith(f"worst     {NORM}"))
    assert line.endswith(f"--bits {NORM}=16 stores it in int16")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node_n=8", "--bits: found 'node_n=8', allowed VALUE=16"),
        ("node_m=16", "--bits: found node_m, allowed a node or its value, such as "),
    ],
)
def test_other_requests_are_refused(model: Path, text: str, found: str) -> None:
    answer = call("check", model, "--bits", text)
    assert answer.status == 1 and found in answer.err and "note: " in answer.err


def test_declared_codes_stay(tmp_path: Path) -> None:
    path = quantise(write_mlp(tmp_path / "m.onnx"), tmp_path / "q.onnx", per_channel=True)
    answer = call("check", path, "--bits", "node_h1=16")
    assert answer.status == 1 and "of a model that declares all its codes" in answer.err


def test_any_node_may_be_asked_for(tmp_path: Path) -> None:
    """What cannot have 16 bits is refused by its node; all else compiles, and one sum at most is an op."""
    model = write_encoder(tmp_path, Encoder(tokens=6, dim=16, heads=2, layers=2, patch=10))
    narrow = succeeded("compile", model, "-o", tmp_path / "narrow")
    nodes = list(dict.fromkeys(op["node"] for op in narrow["ops"]))
    refused = set()
    for name in nodes:
        answer = call("compile", model, "-o", tmp_path / "wide", "--bits", f"{name}=16", "--json")
        if answer.status:
            assert answer.json["error"]["kind"] == "NoIntegerForm" and answer.json["error"]["where"] == name
            refused.add(name)
        else:
            assert answer.json["accuracy"]["outputs"][0]["sqnr_db"] > 35
            assert sum(op["op"] == "qadd" for op in answer.json["ops"]) <= 1
    assert refused == {name for name in nodes if name.endswith("linear1/MatMul")}


def test_what_would_take_a_sum_out_of_its_linear_is_not_proposed(tmp_path: Path) -> None:
    model = write_encoder(tmp_path, Encoder(tokens=6, dim=16, heads=2, layers=2, patch=10))
    narrow = succeeded("compile", model, "-o", tmp_path / "narrow")
    graph = load_golden(tmp_path / "narrow").graph
    outputs = [op.output for op in graph.ops if op.kind is OpKind.QATTENTION]
    assert len(outputs) == 2 and "stores" not in "".join(remedy_for(graph, name) for name in outputs)
    norm = next(
        op["name"] for op in narrow["ops"] if op["node"].endswith("layers.0/norm2/LayerNormalization")
    )
    assert remedy_for(graph, norm).endswith("=16 stores it in int16")
