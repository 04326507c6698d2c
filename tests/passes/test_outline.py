"""The outline of a network: the integer graph that it gets with real numbers, but for these."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.post_norm_networks import post_norm
from tests.networks.transformers import Architecture, write_transformer
from tests.passes.pass_checks import graph_of
from tests.quantised.relu_models import PLACES, write_network
from tmc.backend_gap9.plan.fits import check_fits
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import TARGETS
from tmc.frontend.onnx_import import load
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.errors import NoIntegerForm, PlanError
from tmc.ir.graph import Graph, OpKind
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.outline import outline
from tmc.passes.pipeline import run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.split_norms import split_norms

GAP9 = TARGETS["gap9"]


def _canonical(path: Path) -> Graph:
    return run_passes(load(path), CANONICALISE)


def _real(graph: Graph, recipe: Recipe = DEFAULT) -> Graph:
    samples = {
        name: np.random.default_rng(1).standard_normal((3, *graph.types[name].shape)) for name in graph.inputs
    }
    ranges = calibrate(graph, {name: array.astype(np.float32) for name, array in samples.items()})
    return quantise(graph, choose_scales(graph, ranges, recipe), recipe)


SHAPES = {
    "cyclic": Architecture(),
    "flat": Architecture(channels=3, patches=7, dim=48, heads=3, hidden=96, rope="flat"),
    "plain": Architecture(rope="none", head="mean", gelu="tanh", channel_bias=False),
    "tokens": Architecture(channels=2, patches=9, dim=20, heads=5, hidden=36, head="tokens"),
}


@pytest.mark.parametrize("recipe", [DEFAULT, Recipe.named("naive")], ids=["default", "naive"])
@pytest.mark.parametrize("name", SHAPES)
def test_all_but_the_numbers_are_those_of_the_network(tmp_path: Path, name: str, recipe: Recipe) -> None:
    graph = _canonical(write_transformer(tmp_path / "m.onnx", SHAPES[name]))
    found, real = outline(graph, recipe), _real(graph, recipe)
    assert found is not None
    assert [(op.kind, op.inputs, op.output, op.loc) for op in found.ops] == [
        (op.kind, op.inputs, op.output, op.loc) for op in real.ops
    ]
    assert {name: (kind.dtype, kind.shape) for name, kind in found.types.items()} == {
        name: (kind.dtype, kind.shape) for name, kind in real.types.items()
    }


@pytest.mark.parametrize("op", ["Relu", "Clip"])
@pytest.mark.parametrize("place", PLACES)
def test_clips_take_no_more_room_than_in_the_network(tmp_path: Path, place: str, op: str) -> None:
    graph = _canonical(write_network(tmp_path / "m.onnx", (place,), op))
    found, real = outline(graph), _real(graph)
    assert found is not None
    values = {op.output: real.types[op.output] for op in real.ops}
    assert all(
        (found.types[op.output].dtype, found.types[op.output].shape)
        == (values[op.output].dtype, values[op.output].shape)
        for op in found.ops
    )
    assert _constants_bytes(found) <= _constants_bytes(real)


def _constants_bytes(graph: Graph) -> int:
    return sum(array.nbytes for array in graph.constants.values())


@pytest.mark.parametrize("memory", ["l1", "l2", "l3"])
@pytest.mark.parametrize("name", ["cyclic", "clips"])
def test_what_is_refused_has_no_plan(tmp_path: Path, memory: str, name: str) -> None:
    path = tmp_path / "m.onnx"
    path = (
        write_network(path, ("query", "hidden"), "Clip")
        if name == "clips"
        else write_transformer(path, SHAPES[name])
    )
    graph = _canonical(path)
    shapes, real = outline(graph), _real(graph)
    assert shapes is not None
    check_fits(shapes, GAP9)
    low, high = 0, 2**16
    while high - low > 4:  # the least memory that the outline asks for
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(shapes, _with(memory, middle)) else (middle, high)
    with pytest.raises(PlanError) as early:
        check_fits(shapes, _with(memory, low))
    with pytest.raises(PlanError) as late:
        make_plan(stage_graph(real, _with(memory, low)), _with(memory, low))
    assert early.value.where == late.value.where and early.value.notes[-1] == late.value.notes[-1]


def _with(memory: str, usable_bytes: int) -> Target:
    """Return GAP9 with so much of one memory for the plan, and all of the others."""
    if memory == "l1":
        taken = GAP9.l1.size_bytes - GAP9.l1_usable_bytes
        return replace(GAP9, l1=replace(GAP9.l1, size_bytes=usable_bytes + taken))
    level = getattr(GAP9, memory)
    return replace(GAP9, **{memory: replace(level, size_bytes=usable_bytes + level.reserved_bytes)})


def _fits(graph: Graph, target: Target) -> bool:
    try:
        check_fits(graph, target)
    except PlanError:
        return False
    return True


def test_post_norm_networks_have_an_outline() -> None:
    graph = split_norms(post_norm())
    found = outline(graph)
    assert found is not None and [op.kind for op in found.ops] == [op.kind for op in _real(graph).ops]


def test_what_no_numbers_allow_is_said_and_what_some_do_is_not() -> None:
    graph = split_norms(post_norm())

    def attention(**changes: float) -> Graph:
        return replace(
            graph,
            ops=tuple(
                replace(op, attrs=replace(op.attrs, **changes))
                if isinstance(op.attrs, AttentionAttrs)
                else op
                for op in graph.ops
            ),
        )

    assert outline(attention(scale=-1.0)) is None
    twice = tuple(
        replace(op, inputs=(op.inputs[0], op.inputs[0], op.inputs[0])) if op.kind is OpKind.ATTENTION else op
        for op in graph.ops
    )
    with pytest.raises(NoIntegerForm, match="found operand %"):
        outline(replace(graph, ops=twice))


def test_limits_of_channels_are_a_clip_of_its_own_here_too() -> None:
    limits = {"low": -np.ones((1, 4)), "high": np.arange(1.0, 5.0)[None]}
    constants = {"w": np.eye(4), "b": np.zeros((1, 4)), **limits}
    text = "s = linear(x, w, b)\n c = clip(s, low, high)\n y = linear(c, w, b)"
    graph = graph_of(text, (6, 4), {name: array.astype(np.float32) for name, array in constants.items()})
    found, real = outline(graph), _real(graph)
    assert found is not None
    assert [op.kind for op in found.ops] == [op.kind for op in real.ops]
    assert OpKind.QCLIP in [op.kind for op in found.ops]
    assert _constants_bytes(found) <= _constants_bytes(real)
