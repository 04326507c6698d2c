"""What is said of ops that have no importer: which node, and the nearest thing that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from tmc.frontend.importers.quantised import REFUSED
from tmc.frontend.node import node_name, op_name
from tmc.ir.errors import UnsupportedModel

_NAMED = 5  # further nodes that a message names
_RECURRENT = "attention, or a convolution over time: a recurrent layer has no integer form"
_INDEX = "a result of fixed size: ArgMax, Slice, Gather with constant indices"
_UNROLLED = "the same layers one behind the other: export without loops"
_SCATTER = "Concat of parts, or Where with a constant condition"
_RESIZE = "Resize (linear, along time) and Conv"
_QUANTISED = "ops on real numbers between QuantizeLinear and DequantizeLinear"
_FUNCTION = "Tanh, Sigmoid, Erf, Exp, Log, or a constant table"
# Ops, and what stands in their place in networks that compile.
NEAREST: Mapping[str, str] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _RECURRENT),
    **dict.fromkeys(("Loop", "Scan"), _UNROLLED),
    **dict.fromkeys(("TopK", "NonZero", "Unique", "Compress", "NonMaxSuppression"), _INDEX),
    **dict.fromkeys(("ScatterND", "ScatterElements", "Scatter", "TensorScatter"), _SCATTER),
    **dict.fromkeys(("ConvTranspose", "Upsample", "MaxUnpool"), _RESIZE),
    **dict.fromkeys(("Sin", "Cos", "Tan", "Atan", "Asin", "Acos", "Sinh", "Cosh"), _FUNCTION),
    **dict.fromkeys(("CumSum", "CumProd"), "MatMul with a triangular matrix of ones"),
    **dict.fromkeys(("DFT", "STFT", "MelWeightMatrix"), "Conv or MatMul with constant cosines and sines"),
    "ReduceProd": "ReduceSum of Log, then Exp",
    "Hardmax": "ArgMax as a result of the network",
    "LRN": "LayerNormalization",
    "LpPool": "AveragePool of a product of the value with itself",
    "GatherElements": "Gather with constant indices",
    "Trilu": "Mul by a constant triangular mask",
    "If": "a constant condition",
    "com.microsoft.GroupQueryAttention": "Attention of opset 23, without past keys and values",
    "com.microsoft.EmbedLayerNormalization": "the embedding computed outside: give its rows as the input",
}


def unsupported_nodes(nodes: Sequence[onnx.NodeProto]) -> UnsupportedModel:
    """Return the error about nodes without an importer, in file order: about the first, with others named."""
    first, *others = nodes
    kind = op_name(first)
    remedy = REFUSED.get(first.op_type)
    allowed = _QUANTISED if remedy else NEAREST.get(kind, "the ops that docs/operators.md lists")
    notes = [remedy] if remedy else []
    if others:
        named = ", ".join(f"{node_name(node)} ({op_name(node)})" for node in others[:_NAMED])
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        notes.append(f"ops of the same file without an importer: {named}{more}")
    notes.append("docs/operators.md lists the ops; those whose operands are all constant may be any of ONNX")
    return UnsupportedModel(
        f"{node_name(first)} ({kind})", f"found the op {kind} on computed values, allowed {allowed}", *notes
    )
