"""A stage of very many calls: its frame does not grow with them, and each core's stack holds it."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.e2e.encoders import LongStage
from tests.examples.head_models import export
from tests.tmc.command import succeeded


def test_a_stage_of_many_calls(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LongStage().eval()
    export(network, (300, 12), tmp_path / "net.onnx", "torchscript", 17, fold=True)
    facts = succeeded("compile", tmp_path / "net.onnx")
    assert facts["worker_stack"]["need_bytes"] <= facts["stacks"]["worker_bytes"] == 1024
    for options in (("host",), ("iss",), ("iss", "--no-trace")):
        ran = succeeded("run", tmp_path / "net", "--on", *options)
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0), options
