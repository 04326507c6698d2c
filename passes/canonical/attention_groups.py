"""Tell groups of tokens from heads: which leading indices of a batched attention are of which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import Array
from tmc.passes.canonical.score_terms import MASKED
from tmc.passes.views.element_map import Tracer

# Entries of a mask over all groups, beyond which groups are computed as heads.
LARGEST_MASK = 2**20


@dataclass(frozen=True, slots=True)
class Groups:
    """Cells of an attention, one for each leading index, as `groups` times `heads`.

    Tokens of a group see each other alone: samples of a batch, windows, the rows or columns of a grid.
    groups_first: the heads of a group are adjacent cells; else the groups of a head.
    """

    groups: int
    heads: int
    groups_first: bool

    def grid(self, cells: Array) -> Array:
        """Return an array [cells, ..] as [groups, heads, ..]."""
        if self.groups_first:
            return cells.reshape(self.groups, self.heads, *cells.shape[1:])
        return cells.reshape(self.heads, self.groups, *cells.shape[1:]).swapaxes(0, 1)

    def bias(self, bias: Array | None, queries: Array, keys: Array) -> Array:
        """Return the bias [H or 1, G M, G N] over all tokens of one [cells, M, N], masked between groups.

        queries [G, M], keys [G, N]: where each token of a group is among all.
        """
        heads = 1 if bias is None else self.heads
        of_cells = np.zeros((self.groups, 1, 1, 1)) if bias is None else self.grid(bias)
        full = np.full((heads, queries.size, keys.size), MASKED)
        for group, own in enumerate(of_cells):
            full[:, queries[group][:, None], keys[group]] = own
        return full


def read_groups(graph: Graph, tracer: Tracer, q: str, v: str) -> Groups:
    """Return the groups and heads of cells by where v [.., N, d], or else q [.., M, d], comes from.

    Cells that take other rows of a linear, or of any value with wider rows, are of different groups. All
    cells are heads where that does not tell, and where a mask over all tokens would be large.
    """
    cells, made = prod(graph.types[v].shape[:-2]), producers(graph)
    told = [name for name in (v, q) if _has_token_rows(graph, made, tracer.trace(name).source, v)]
    tokens = graph.types[q].shape[-2] * graph.types[v].shape[-2]
    for name in told[:1]:
        rows = _rows(graph, tracer, name)
        groups = len(np.unique(rows[..., 0], axis=0))
        if cells % groups != 0 or tokens * groups**2 > LARGEST_MASK:
            continue
        for groups_first in (True, False):
            found = Groups(groups, cells // groups, groups_first)
            if _is_grid(found.grid(rows)):
                return found
    return Groups(1, cells, True)


def _has_token_rows(graph: Graph, made: Mapping[str, Op], source: str, v: str) -> bool:
    """Tell whether a row of the source is a token, and not a head of one."""
    is_linear = source in made and made[source].kind is OpKind.LINEAR
    return is_linear or graph.types[source].shape[-1] > graph.types[v].shape[-1]


def token_places(graph: Graph, tracer: Tracer, value: str, found: Groups) -> Array:
    """Return where each token [G, M] of a value [.., M, d] is: its row in what the value comes from.

    Where that is not all rows of one value, group stands behind group.
    """
    rows = found.grid(_rows(graph, tracer, value))
    places = rows[:, 0, :, 0]
    behind = np.arange(places.size).reshape(places.shape)
    all_rows = np.array_equal(np.sort(places, axis=None), behind.reshape(-1))
    return places if all_rows and bool((rows == rows[:, :1, :, :1]).all()) else behind


def _rows(graph: Graph, tracer: Tracer, value: str) -> Array:
    """Return the row in its source of each element of a value [.., M, d], as [cells, M, d]."""
    traced, shape = tracer.trace(value), graph.types[value].shape
    return traced.terms[0].index.reshape(-1, *shape[-2:]) // graph.types[traced.source].shape[-1]


def _is_grid(rows: Array) -> bool:
    """Tell whether rows [G, H, M, d] are the same in all heads, and others in each group."""
    own = rows[:, 0, :, 0]
    return bool((rows == rows[:, :1, :, :1]).all()) and len(np.unique(own, axis=0)) == len(own)
