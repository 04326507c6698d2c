"""Take the ranges of a quantised model's roundings for what they are: clips, part of its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tmc.ir.errors import QuantisationError, UnsupportedModel
from tmc.ir.graph import Graph, Op, OpKind, producers, uses, values_through
from tmc.passes.declared.adopt_scales import Declared, adopt_scales, strip_quantisers
from tmc.passes.declared.clip_evidence import Reach, Sample, at_8_bits, distance, reaches, without
from tmc.passes.declared.place_clips import costly, place_clips
from tmc.passes.declared.rounded_inputs import rounded_inputs
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.narrow_inputs import narrow_inputs

# Samples on which outputs are compared with and without ranges.
COMPARED = 6
# What the outputs may lose by ranges that are not kept, as a share of the model's own rounding noise.
SHARE = 1.0
# The same of clips that could be kept, but part what is one op: 12 dB below the model's own noise.
HARDLY = 1 / 16
# How much louder than calibrated what such clips see may come.
LOUDER = 4
# How far below 0 noise must come, relative to how far above, to say that a range from 0 on is a ReLU.
BELOW = 0.05
_FULL_SIZE = frozenset({OpKind.RESHAPE, OpKind.TRANSPOSE})
REMEDY = (
    "keep the Relu or Clip as an op of the network, directly behind a linear op, a sum or a LayerNorm "
    "(quantize_static: extra_options={'QDQKeepRemovableActivations': True}), or calibrate it on more samples"
)


@dataclass(frozen=True, slots=True)
class KeptRanges:
    """The canonical float graph with clips, what is declared about its values, and what became of ranges.

    cutting: how many ranges cut what samples reach; lost: how many of these the graph does not keep.
    """

    graph: Graph
    adopted: Mapping[str, tuple[Declared, ...]]
    declared: int
    clips: int
    cutting: int
    lost: int


def keep_ranges(
    graph: Graph,
    canonicalise: Callable[[Graph], Graph],
    samples: Sequence[Sample],
    meaningful: bool,
    recipe: Recipe = DEFAULT,
) -> KeptRanges:
    """Return the canonical form of a quantised model in float32, with the ranges of its roundings as clips.

    Every range that the canonical graph has a value for becomes a clip of that value; where it would part
    a linear from its sum, all but ReLUs are left out together if outputs hardly show it. A range within what
    became one op (attention, a LayerNorm, a linear and its bias) has none: where its cut changes the outputs
    by more than a share of the noise of the model's own roundings, or of 8 bits if they have 16, the clip
    goes into the graph before recognition. Without meaningful samples that is done where a range begins or
    ends at 0 and noise does not.
    Raises: QuantisationError naming the rounding whose range would be lost; TmcError of `canonicalise`.
    """
    reached = reaches(graph, samples)
    mixed, same, clipped = _mixed(graph), _same(graph), frozenset[str]()
    while True:
        stripped, declared = strip_quantisers(graph, clipped)
        try:
            canonical = canonicalise(stripped)
        except UnsupportedModel as error:
            first = next((each for each in declared if each.name in clipped), None)
            if first is None:
                raise
            raise _refused(graph, first, f"left: {error.where}: {error.what}") from error
        if not declared:
            return KeptRanges(canonical, {}, 0, 0, 0, 0)
        adopted = adopt_scales(stripped, canonical, declared, samples[0])
        cutting = [entry for entry in declared if entry.name in reached and reached[entry.name].beyond(entry)]
        alone = {
            name: tuple(entry for entry in entries if entry.name not in mixed)
            for name, entries in adopted.items()
        }
        alone = {name: entries for name, entries in alone.items() if entries}
        exact = {entry.name for entry in cutting}
        narrow = narrow_inputs(canonical, recipe, rounded_inputs(graph))
        if meaningful:
            placed, kept = place_clips(
                canonical, _relus_and_cheap(canonical, alone, reached, narrow), exact, narrow
            )
            if _hardly_shows(graph, placed, cutting, reached, samples):
                return _kept(placed, adopted, declared, cutting, kept | clipped, same)
        placed, kept = place_clips(canonical, alone, exact, narrow)
        there = {same[name] for name in kept | clipped}
        lost = [entry for entry in cutting if same[entry.name] not in there]
        missing = _missing(graph, placed, cutting, lost, reached, samples, meaningful)
        if not missing:
            return _kept(placed, adopted, declared, cutting, kept | clipped, same)
        clipped |= missing


def _kept(
    placed: Graph,
    adopted: Mapping[str, tuple[Declared, ...]],
    declared: Sequence[Declared],
    cutting: Sequence[Declared],
    kept: frozenset[str],
    same: Mapping[str, str],
) -> KeptRanges:
    there = {same[name] for name in kept}
    lost = sum(same[entry.name] not in there for entry in cutting)
    clips = sum(op.kind is OpKind.CLIP for op in placed.ops)
    return KeptRanges(placed, adopted, len(declared), clips, len(cutting), lost)


def _relus_and_cheap(
    canonical: Graph,
    alone: Mapping[str, tuple[Declared, ...]],
    reached: Mapping[str, Reach],
    narrow: frozenset[str],
) -> dict[str, tuple[Declared, ...]]:
    """Return the values whose clip costs nothing, and those that a range turns into a ReLU."""
    paid = costly(canonical, alone, narrow)
    return {
        name: entries
        for name, entries in alone.items()
        if name not in paid
        or any(entry.name in reached and _is_relu(entry, reached[entry.name]) for entry in entries)
    }


def _hardly_shows(
    graph: Graph,
    placed: Graph,
    cutting: list[Declared],
    reached: Mapping[str, Reach],
    samples: Sequence[Sample],
) -> bool:
    """Tell whether the outputs with fewer clips are those of the model, whose roundings are louder.

    On samples, and on the same ones LOUDER: what no sample reaches, another recording may.
    """
    chosen = _telling(cutting, reached, samples) or list(samples[:COMPARED])
    louder = [{name: array * np.float32(LOUDER) for name, array in sample.items()} for sample in chosen]
    whole, rounded = without(graph, ()), at_8_bits(graph)
    return all(
        distance(whole, placed, each) <= HARDLY * distance(whole, rounded, each) for each in (chosen, louder)
    )


def _missing(
    graph: Graph,
    placed: Graph,
    cutting: list[Declared],
    lost: list[Declared],
    reached: Mapping[str, Reach],
    samples: Sequence[Sample],
    meaningful: bool,
) -> frozenset[str]:
    """Return the ranges among the lost ones without which the outputs are not those of the model."""
    if not meaningful:
        return frozenset(entry.name for entry in lost if _is_relu(entry, reached[entry.name]))
    if not cutting:
        return frozenset()
    chosen = _telling(lost or cutting, reached, samples)
    whole = without(graph, ())
    allowed = SHARE * distance(whole, at_8_bits(graph), chosen)
    if distance(whole, placed, chosen) <= allowed:
        return frozenset()
    same = _same(graph)
    effects = {
        entry.name: distance(whole, without(graph, _alike(same, entry.name)), chosen)
        for entry in lost or cutting
    }
    ordered = sorted(effects, key=effects.__getitem__, reverse=True)
    if not lost:
        worst = next(entry for entry in cutting if entry.name == ordered[0])
        raise _refused(graph, worst, "its neighbours read the value in other forms")
    return frozenset({name for name in ordered if effects[name] > allowed / (4 * len(lost))} or ordered[:1])


def _refused(graph: Graph, entry: Declared, reason: str) -> QuantisationError:
    made_by = producers(graph)
    low, high = entry.attrs.limits
    value = made_by[entry.name].inputs[0]
    where = made_by[value].loc if value in made_by else f"input %{value}"
    return QuantisationError(
        where,
        f"found values that its quantiser {entry.loc} clips to {low:.4g} .. {high:.4g} in a place where no "
        "integer op can, allowed ranges that take nothing away, or results of linear ops, sums, norms and "
        "activations",
        reason,
        REMEDY,
    )


def _telling(lost: list[Declared], reached: Mapping[str, Reach], samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples in which most lost ranges cut most."""
    votes: dict[int, int] = {}
    for entry in lost:
        found = reached[entry.name]
        low, high = entry.attrs.limits
        sample = found.low_sample if low - found.low > found.high - high else found.high_sample
        votes[sample] = votes.get(sample, 0) + 1
    return [samples[number] for number in sorted(votes, key=lambda each: (-votes[each], each))[:COMPARED]]


def _is_relu(entry: Declared, found: Reach) -> bool:
    low, high = entry.attrs.limits
    return (low == 0 and found.low < -BELOW * found.high) or (high == 0 and found.high > -BELOW * found.low)


def _same(graph: Graph) -> dict[str, str]:
    """Return for every rounding the first one that rounds the same elements in the same way: before views."""
    made_by = producers(graph)
    first: dict[str, str] = {}
    for op in graph.ops:
        if op.kind is OpKind.FAKE_QUANTISE:
            root = _root(made_by, op.inputs[0])
            again = root in first and made_by[root].attrs == op.attrs
            first[op.output] = first[root] if again else op.output
    return first


def _alike(same: Mapping[str, str], name: str) -> list[str]:
    return [each for each, first in same.items() if first == same[name]]


def _root(made_by: Mapping[str, Op], value: str) -> str:
    """Return the value that another one is a view of."""
    while value in made_by and made_by[value].kind in _FULL_SIZE:
        value = made_by[value].inputs[0]
    return value


def _mixed(graph: Graph) -> frozenset[str]:
    """Return the roundings of values that something else reads without them, as they are or as views."""
    made_by, readers = producers(graph), uses(graph)

    def is_read(value: str) -> bool:
        values = values_through(readers, value, _FULL_SIZE)
        others = (op for each in values for op in readers.get(each, ()))
        return any(each in graph.outputs for each in values) or any(
            op.kind not in _FULL_SIZE | {OpKind.FAKE_QUANTISE} for op in others
        )

    found = set()
    for op in graph.ops:
        if op.kind is OpKind.FAKE_QUANTISE:
            root = _root(made_by, op.inputs[0])
            again = root in made_by and made_by[root].attrs == op.attrs  # rounded so already
            if not again and is_read(root):
                found.add(op.output)
    return frozenset(found)
