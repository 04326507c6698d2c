"""Small float graphs in which LayerNorms are read in every way that post-norm networks read them."""

from __future__ import annotations

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind

TOKENS, WIDTH = 6, 16


def block(b: GraphBuilder, x: str, name: str) -> str:
    """Append attention and MLP with a LayerNorm behind each sum; return the last one."""
    q, k, v = (b.linear(f"{name}.{part}", x, WIDTH) for part in "qkv")
    b.op(OpKind.ATTENTION, f"{name}.attended", q, k, v, attrs=a.AttentionAttrs(2, 8**-0.5))
    b.op(OpKind.ADD, f"{name}.sum1", x, b.linear(f"{name}.out", f"{name}.attended", WIDTH))
    n = b.layernorm(f"{name}.norm1", f"{name}.sum1")
    h = b.op(OpKind.GELU, f"{name}.gelu", b.linear(f"{name}.wide", n, 32), attrs=a.GeluAttrs("none"))
    b.op(OpKind.ADD, f"{name}.sum2", n, b.linear(f"{name}.narrow", h, WIDTH))
    return b.layernorm(f"{name}.norm2", f"{name}.sum2")


def post_norm(layers: int = 2, pool: bool = True) -> Graph:
    """Return an encoder that normalises its input first."""
    b = GraphBuilder.seeded(3)
    x = b.layernorm("norm", b.input("x", TOKENS, WIDTH))
    for layer in range(layers):
        x = block(b, x, f"{layer}")
    if pool:
        x = b.op(OpKind.MEAN_ROWS, "pooled", x, attrs=a.MeanRowsAttrs(TOKENS))
    return b.graph(("x",), (x,))
