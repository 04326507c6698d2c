"""PyTorch's fake quantisation, exported to ONNX by either exporter: code by code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.quantised.qdq_models import samples
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.graph import OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared


class Trained(nn.Module):
    """Linear, ReLU, linear, as a quantisation-aware training leaves them: ReLU before its rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 24), nn.Linear(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fake_quantize_per_tensor_affine(x, 0.03, 4, -128, 127)
        x = nn.functional.linear(x, _rounded(self.first.weight), self.first.bias)
        x = torch.fake_quantize_per_tensor_affine(torch.relu(x), 0.011, 0, 0, 127)
        x = nn.functional.linear(x, _rounded(self.second.weight), self.second.bias)
        return torch.fake_quantize_per_tensor_affine(x, 0.009, 3, 0, 255)


def _rounded(weight: Tensor) -> Tensor:
    scale = weight.detach().abs().amax(dim=1) / 127
    return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros(len(scale)).int(), 0, -128, 127)


@pytest.mark.parametrize("opset", [13, 17])
def test_codes_are_those_of_pytorch(tmp_path: Path, opset: int) -> None:
    torch.manual_seed(opset)
    network = Trained().eval()
    path = tmp_path / "m.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(4, 16),),
        str(path),
        input_names=["x"],
        output_names=["y"],
        opset_version=opset,
        dynamo=False,
        do_constant_folding=True,
    )
    imported = load_model(path)
    arrays = samples((4, 16), 50, 3)
    assert check_against_onnxruntime(path, imported.graph, [{"x": x} for x in arrays[:4]]) < 1e-4
    graph = lower_declared(prepare_declared(imported.graph), imported.weight_scales)
    assert {op.kind for op in graph.ops} == {OpKind.QLINEAR, OpKind.QREQUANTISE}
    different = 0
    for x in arrays:
        found = interpret(graph, quantise_inputs(graph, {"x": x}))["y"].astype(np.int64)
        wanted = network(torch.from_numpy(x)).detach().numpy()
        different += int((np.rint(wanted / np.float32(0.009)) + 3 - 128 != found).sum())
    # A float32 sum may fall on the other side of the middle between two codes.
    assert different <= 2
