"""Say why the recognisers left parts of a graph alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tmc.ir.graph import Graph
from tmc.passes.canonical.declined import Declined
from tmc.passes.canonical.drop_shared_rotation import drop_shared_rotation
from tmc.passes.canonical.fold_bias import fold_bias
from tmc.passes.canonical.fuse_attention import fuse_attention
from tmc.passes.canonical.fuse_gelu import fuse_gelu
from tmc.passes.canonical.fuse_interpolation import fuse_interpolation
from tmc.passes.canonical.fuse_layernorm import fuse_layernorm
from tmc.passes.canonical.fuse_mean_rows import fuse_mean_rows
from tmc.passes.canonical.fuse_rope import fuse_rope
from tmc.passes.canonical.fuse_silu import fuse_silu
from tmc.passes.canonical.gather_heads import gather_heads
from tmc.passes.canonical.lower_depthwise import lower_depthwise
from tmc.passes.canonical.lower_gather import lower_gather
from tmc.passes.canonical.lower_linear import lower_linear
from tmc.passes.pipeline import NamedPass, Pass, Pipeline, named

Recogniser = Callable[[Graph, list[Declined] | None], Graph]

# They raise on nothing that is left after they have run.
RECOGNISERS: tuple[Recogniser, ...] = (
    fuse_layernorm,
    lower_linear,
    lower_depthwise,
    fold_bias,
    fuse_gelu,
    fuse_silu,
    fuse_attention,
    drop_shared_rotation,
    fuse_rope,
    gather_heads,
    fuse_mean_rows,
    fuse_interpolation,
    lower_gather,
)


def explain(graph: Graph) -> tuple[Declined, ...]:
    """Run every recogniser on a graph that the passes are done with; return why they leave what is left."""
    declined: list[Declined] = []
    for recognise in RECOGNISERS:
        recognise(graph, declined)
    return tuple(declined)


def explaining(passes: Sequence[Pass | NamedPass], declined: list[Declined]) -> Pipeline:
    """Return the same passes, whose recognisers add to `declined` what they leave alone while they run."""
    recognisers = {recognise.__name__: recognise for recognise in RECOGNISERS}
    return tuple(
        NamedPass(entry.name, partial(_run, recognisers[entry.name], declined))
        if entry.name in recognisers
        else entry
        for entry in map(named, passes)
    )


def _run(recognise: Recogniser, declined: list[Declined], graph: Graph) -> Graph:
    return recognise(graph, declined)
