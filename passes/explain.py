"""Say why the recognisers left parts of a graph alone."""

from __future__ import annotations

from collections.abc import Callable

from tmc.ir.graph import Graph
from tmc.passes.declined import Declined
from tmc.passes.drop_common_rotation import drop_common_rotation
from tmc.passes.fold_bias import fold_bias
from tmc.passes.fuse_attention import fuse_attention
from tmc.passes.fuse_gelu import fuse_gelu
from tmc.passes.fuse_layernorm import fuse_layernorm
from tmc.passes.fuse_mean_rows import fuse_mean_rows
from tmc.passes.fuse_rope import fuse_rope
from tmc.passes.gather_heads import gather_heads
from tmc.passes.lower_linear import lower_linear

Recogniser = Callable[[Graph, list[Declined] | None], Graph]

RECOGNISERS: tuple[Recogniser, ...] = (
    fuse_layernorm,
    lower_linear,
    fold_bias,
    fuse_gelu,
    fuse_attention,
    drop_common_rotation,
    fuse_rope,
    gather_heads,
    fuse_mean_rows,
)


def explain(graph: Graph) -> tuple[Declined, ...]:
    """Run every recogniser on a graph, and return what they declined, in that order.

    Run on what the passes left, it says why that is left; the graph itself stays as it is.
    """
    declined: list[Declined] = []
    for recognise in RECOGNISERS:
        recognise(graph, declined)
    return tuple(declined)
