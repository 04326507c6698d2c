"""Operands and attributes of the ops that onnx's own checker cannot judge, from one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx
from onnx import AttributeProto

from tmc.frontend.node import node_name, op_name
from tmc.ir.errors import UnsupportedModel

_FLOAT, _INT, _INTS = AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.INTS
_NUMBER = (_FLOAT, _INT, AttributeProto.FLOATS, AttributeProto.INTS, AttributeProto.TENSOR)
_MANY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Signature:
    """How many operands an op needs and takes, and which types its attributes may have.

    The first `required` operands must be there and named; with `every`, each one that is listed. Attributes
    without a type here may be anything: nobody reads them.
    """

    required: int
    most: int
    attributes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    every: bool = False


_REQUANT = dict.fromkeys(("div", "n_levels", "n_levels_out", "signed"), _NUMBER)
_ROTARY = dict.fromkeys(("interleaved", "num_heads", "rotary_embedding_dim"), (_INT,)) | {"scale": (_FLOAT,)}
_FUSED_MATMUL = dict.fromkeys(("transA", "transB", "transBatchA", "transBatchB"), (_INT,)) | {
    "alpha": (_FLOAT,)
}
_ATTENTION = dict.fromkeys(("num_heads", "unidirectional", "do_rotary"), (_INT,)) | dict.fromkeys(
    ("scale", "mask_filter_value"), (_FLOAT,)
)
# Ops of frontend/importers/table.py: those that the onnx package has no schema of, and Concat, of which its
# checker lets operands without a name pass. All others it holds to their schemas.
SIGNATURES: Mapping[str, Signature] = {
    "Concat": Signature(1, _MANY, every=True),
    "RequantShift": Signature(3, 3, _REQUANT),
    "iGELU": Signature(1, 1, dict.fromkeys(("b", "one"), _NUMBER)),
    "iHardswish": Signature(1, 1, dict.fromkeys(("one_over_six", "three", "six"), _NUMBER)),
    "com.microsoft.Gelu": Signature(1, 1),
    "com.microsoft.FastGelu": Signature(1, 2),
    "com.microsoft.BiasGelu": Signature(2, 2),
    "com.microsoft.SkipLayerNormalization": Signature(3, 5, {"epsilon": (_FLOAT,)}),
    "com.microsoft.RotaryEmbedding": Signature(4, 4, _ROTARY),
    "com.microsoft.SkipSimplifiedLayerNormalization": Signature(3, 4, {"epsilon": (_FLOAT,)}),
    "com.microsoft.QuickGelu": Signature(1, 1, {"alpha": (_FLOAT,)}),
    "com.microsoft.FusedMatMul": Signature(2, 2, _FUSED_MATMUL),
    "com.microsoft.Attention": Signature(2, 7, _ATTENTION | {"qkv_hidden_sizes": (_INTS,)}),
    "com.microsoft.MultiHeadAttention": Signature(1, 10, _ATTENTION),
    "SimplifiedLayerNormalization": Signature(2, 2, {"epsilon": (_FLOAT,), "axis": (_INT,)}),
}


def node_where(node: onnx.NodeProto) -> str:
    """Return how messages name a node."""
    return f"{node_name(node)} ({op_name(node)})"


def check_signature(node: onnx.NodeProto) -> None:
    """Check that a node has the operands and the attributes of its op, where the table says which.

    Raises: UnsupportedModel.
    """
    signature = SIGNATURES.get(op_name(node))
    if signature is None:
        return
    given, most = len(node.input), signature.most
    required = max(signature.required, given if signature.every else 0)
    missing = [index + 1 for index in range(required) if index >= given or not node.input[index]]
    if missing or given > most:
        found = f"no operand {missing[0]}" if missing else f"{given} operands"
        allowed = {required: f"{required}", _MANY: f"{required} or more"}.get(most, f"{required} to {most}")
        raise _error(node, f"found {found}, allowed {allowed} operands")
    if not node.output or not node.output[0]:
        raise _error(node, "found no result, allowed one or more")
    for attribute in node.attribute:
        kinds = signature.attributes.get(attribute.name)
        if kinds is not None and attribute.type not in kinds:
            names = " or ".join(AttributeProto.AttributeType.Name(kind) for kind in kinds)
            raise _error(node, f"found attribute {attribute.name} of type {attribute.type}, allowed {names}")


def _error(node: onnx.NodeProto, what: str) -> UnsupportedModel:
    return UnsupportedModel(
        node_where(node), what, "the file is damaged, or contradicts itself: export it again"
    )
