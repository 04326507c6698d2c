"""Take a ReLU of or for wide values for a clip at 0, which has an integer form there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import Graph, OpKind, producers, uses
from tmc.ir.ops import WEIGHTED
from tmc.passes.scales.split_norms import has_reader


def relu_as_clip(graph: Graph) -> Graph:
    """Rewrite relu(x) to clip(x, 0, the largest float32) where a sum, a norm or another wide op reads it, or
    an attention, or where no linear or convolution gives x.

    Any other ReLU stays one: there it is a table of their int8 results, or nothing at all. Exact.
    """
    readers, made_by, builder = uses(graph), producers(graph), GraphBuilder.like(graph)
    for op in graph.ops:
        wide = op.kind is OpKind.RELU and has_reader(graph, readers, op.output, wide=True, outputs=False)
        attended = any(reader.kind is OpKind.ATTENTION for reader in readers.get(op.output, ()))
        maker = made_by.get(op.inputs[0])
        tabled = maker is not None and maker.kind in WEIGHTED
        if wide or (op.kind is OpKind.RELU and (attended or not tabled)):
            ends = (("low", 0.0), ("high", UNLIMITED))
            limits = [
                builder.constant(np.array(end, np.float32), f"{op.output}.{name}") for name, end in ends
            ]
            builder.keep(replace(op, kind=OpKind.CLIP, inputs=(op.inputs[0], *limits), attrs=Attrs()))
        else:
            builder.keep(op)
    return builder.graph()
