"""PyTorch's quantiser of exported programs (PT2E), through torch.onnx.export: code by code where it can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from examples.tinymyo.model import Config, build
from tests.quantised.pt2e_models import exported
from tests.quantised.qdq_models import evaluate, samples
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.graph import OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

QUANTISERS = ("x86", "xnnpack", "xnnpack per channel")


class Perceptron(nn.Module):
    """Linear, ReLU, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 24), nn.Linear(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(torch.relu(self.first(x)))
        return result


@pytest.mark.parametrize("name", QUANTISERS)
def test_codes_are_those_of_the_file_and_of_pytorch(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    path, arrays = tmp_path / "m.onnx", samples((4, 16), 50, 3)
    network = exported(Perceptron(), path, (4, 16), name)
    imported = load_model(path)
    assert check_against_onnxruntime(path, imported.graph, [{"x": x} for x in arrays[:4]]) < 1e-4
    graph = lower_declared(prepare_declared(imported.graph), imported.weight_scales)
    assert {op.kind for op in graph.ops} == {OpKind.QLINEAR, OpKind.QREQUANTISE}
    quant = graph.types["y"].quant
    assert quant is not None
    # On x86 the result is the int32 sums, with a scale for each channel.
    step = np.array(quant.scale)
    different = 0
    for x in arrays:
        found = dequantise(graph.types["y"], interpret(graph, quantise_inputs(graph, {"x": x}))["y"])
        assert np.abs(found - evaluate(path, x)["y"]).max() < 1e-6 + step.max() * (name == "x86")
        wanted = network(torch.from_numpy(x)).detach().numpy()
        different += int((np.abs(found - wanted) > 1e-5 + 2 * step * (name == "x86")).sum())
    # A float32 sum may fall on the other side of the middle between two codes.
    assert different <= 2


@pytest.mark.parametrize(("name", "floor_db"), [("x86", 28.0), ("xnnpack per channel", 10.0)])
def test_transformer_keeps_its_integer_weights(tmp_path: Path, name: str, floor_db: float) -> None:
    torch.manual_seed(0)
    path = tmp_path / "m.onnx"
    shape = (1, 2, 100)
    exported(build(Config(channels=2, samples=100, layers=1, classes=4), 0), path, shape, name)
    np.savez(tmp_path / "m.calibration.npz", x=np.stack(samples(shape, 16, 4)))
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    kept = compiled.report.declared
    assert kept is not None and not kept.exact
    assert kept.weights == kept.of_weights == 8 and kept.scales > 0
    held = [numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    stored = {
        row.tobytes()
        for array in held
        if array.dtype == np.int8 and array.ndim > 1
        for row in array.reshape(len(array), -1)
    }
    for op in compiled.graph.ops:
        if op.kind is OpKind.QLINEAR:
            assert all(row.tobytes() in stored for row in compiled.graph.constants[op.inputs[1]]), op.loc
    # XNNPACK rounds every value to 8 bits, which is noise of the file's own.
    assert kept.file_db is not None and kept.file_db > floor_db, kept
    assert compiled.accuracy.outputs[0].sqnr_db > 30
    assert run_host(tmp_path / "out").bit_exact
