"""Networks quantised by PyTorch's quantiser of exported programs (PT2E), written as ONNX."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import Quantizer
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

from tests.quantised.qdq_models import Array, samples


def quantiser(name: str) -> Quantizer:
    """Return one of the quantisers: uint8 activations on x86, int8 ones and a rounded output on XNNPACK."""
    if name == "x86":
        return X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    per_channel = name.endswith("channel")
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))


def exported(
    network: nn.Module, path: Path, shape: tuple[int, ...], name: str, arrays: list[Array] | None = None
) -> nn.Module:
    """Quantise a network on windows, or on noise, write it as ONNX, and return what PyTorch made of it."""
    example = (torch.zeros(shape),)
    prepared = prepare_pt2e(torch.export.export(network.eval(), example).module(), quantiser(name))
    for array in samples(shape, 8, 1) if arrays is None else arrays:
        prepared(torch.from_numpy(array))
    quantised: nn.Module = convert_pt2e(prepared)
    torch.onnx.export(
        quantised,
        example,
        str(path),
        input_names=["x"],
        output_names=["y"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    return quantised
