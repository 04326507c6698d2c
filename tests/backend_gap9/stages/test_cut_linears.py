"""Linears whose weights are too many for L2: cut by channels, the same codes, bit-exact on the cores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.emitted_network import some_inputs
from tests.networks.onnx_files import node, write
from tests.networks.small_transformer import GraphBuilder
from tmc.backend_gap9.kernels.linear import LINEAR
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.stages.cut_linears import cut_linears
from tmc.backend_gap9.stages.stage_graph import inputs_room, stage_graph, weights_room
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.types import DType
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales

GAP9 = target_named("gap9")
# So much that the plan may use that the weights of a stage take 20,480 bytes of it.
SMALL = replace(GAP9, l2=replace(GAP9.l2, size_bytes=45_056 + 2**16, reserved_bytes=2**16))


def block() -> Graph:
    """Return an integer MLP with a residual: 40 channels to 1,000 and back, and 5 logits."""
    b = GraphBuilder.seeded(0)
    stream = b.linear("stream", b.input("x", 6, 12), 40)
    hidden = b.gelu("hidden", b.linear("up", b.layernorm("n", stream), 1000))
    total = b.add("total", stream, b.linear("down", hidden, 40))
    b.linear("y", b.layernorm("n2", total), 5)
    graph = b.graph(("x",), ("y",))
    x = np.random.default_rng(0).standard_normal((4, 6, 12)).astype(np.float32)
    return quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))


def parts_of(graph: Graph, stem: str) -> list[Op]:
    """Return the linears that a value was cut into."""
    return [op for op in graph.ops if op.output.startswith(f"{stem}.part") and op.kind is OpKind.QLINEAR]


def test_a_linear_is_cut_into_alike_parts_that_a_stage_has_room_for() -> None:
    before = block()
    after = cut_linears(before, SMALL)
    verify(after)
    assert weights_room(SMALL) == 20_480
    up = parts_of(after, "hidden")
    # A row has 40 bytes of weights and 12 more: 393 rows at most, 3 parts of 334 channels, in fours.
    assert [after.types[op.inputs[1]].shape for op in up] == [(336, 40), (336, 40), (328, 40)]
    assert {op.attrs for op in up} == {QLinearAttrs(up[0].attrs.shift, table=True)}  # type: ignore[attr-defined]
    down = parts_of(after, "total")
    # A row has 1,012 bytes: 20 at most.
    assert [after.types[op.inputs[1]].shape for op in down] == [(20, 1000), (20, 1000)]
    assert [after.types[op.inputs[-1]].shape for op in down] == [(6, 20)] * 2  # of the residual
    joined = {op.output: op.inputs for op in after.ops if op.kind is OpKind.CONCAT}
    assert joined == {
        "hidden": ("hidden.part0", "hidden.part1", "hidden.part2"),
        "total": ("total.part0", "total.part1"),
    }
    assert {op.loc for op in up} == {next(op.loc for op in before.ops if op.output == "hidden")}


def test_the_codes_are_the_same() -> None:
    before = block()
    after = cut_linears(before, SMALL)
    codes = some_inputs(before)
    found: dict[str, np.ndarray] = {}  # type: ignore[type-arg]
    interpret(after, codes, found.__setitem__)
    wanted: dict[str, np.ndarray] = {}  # type: ignore[type-arg]
    interpret(before, codes, wanted.__setitem__)
    assert wanted.keys() <= found.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_weights_count_as_they_are_packed() -> None:
    """Those of int16 rows have two bytes each: 200 of them and a multiplier are 404 bytes."""
    b = GraphBuilder.seeded(0)
    b.linear("y", b.layernorm("n", b.linear("stream", b.input("x", 4, 200), 60)), 5)
    graph = b.graph(("x",), ("y",))
    x = np.random.default_rng(0).standard_normal((4, 4, 200)).astype(np.float32)
    before = quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))
    parts = parts_of(cut_linears(before, SMALL), "stream")
    assert 60 * (200 + 12) < weights_room(SMALL) < 60 * 404
    assert [before.types["x"].dtype, *(len(op.inputs) for op in parts)] == [DType.S16, 4, 4]
    assert LINEAR.weight_rows is not None
    after = cut_linears(before, SMALL)
    assert all(LINEAR.weight_rows(after, op).nbytes <= weights_room(SMALL) for op in parts)


def test_what_has_room_stays_as_it_is() -> None:
    assert cut_linears(block(), GAP9) == block()


def test_more_parts_than_transfers_in_flight_are_joined_in_steps() -> None:
    target = replace(SMALL, dma=replace(SMALL.dma, queue_entries=4))
    after = cut_linears(block(), replace(target, l2=replace(target.l2, size_bytes=2**16 + 22_528)))
    joins = [op for op in after.ops if op.kind is OpKind.CONCAT]
    assert inputs_room(target) == 3
    assert [len(op.inputs) for op in joins] == [3, 3, 2, 3, 2, 2]
    assert joins[1].inputs[0] == "hidden.part3" and joins[2].inputs == ("hidden.joined", "hidden.joined.1")
    # and no stage reads more
    staged = stage_graph(after, target)
    assert max(len(stage.inputs) for stage in staged.stages) <= 3


def test_weights_that_no_cut_makes_fit_are_refused_with_their_bytes(tmp_path: Path) -> None:
    target = replace(GAP9, l3=replace(GAP9.l3, size_bytes=400_000))
    path = wide_network(tmp_path)
    with pytest.raises(PlanError, match=r"found \d+ bytes of constants in @wide.*bytes of L3"):
        compile_model(Options(path, target, tmp_path / "out"))
    # A row of weights alone is more than there is room for: it stays whole, and is said to be too large.
    tiny = replace(GAP9, l2=replace(GAP9.l2, size_bytes=2**16 + 3000, reserved_bytes=2**16))
    with pytest.raises(PlanError, match=r"bytes live at once, allowed"):
        compile_model(Options(path, tiny, tmp_path / "out"))


def wide_network(folder: Path) -> Path:
    """Write a network of 3 rows: 64 channels to 520, to 900, back, with a sum, and 5 results."""
    random, path = np.random.default_rng(0), folder / "wide.onnx"
    sizes = {"w0": (64, 520), "w1": (520, 900), "w2": (900, 520), "w3": (520, 5)}
    constants = {
        name: (random.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32)
        for name, shape in sizes.items()
    }
    nodes = [
        node("MatMul", "x w0", "a"),
        node("MatMul", "a w1", "d"),
        node("Relu", "d", "e"),
        node("MatMul", "e w2", "f"),
        node("Add", "f a", "g"),
        node("MatMul", "g w3", "y"),
    ]
    write(path, nodes, {"x": (3, 64)}, ("y",), constants)
    windows = random.standard_normal((64, 3, 64)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return path


def test_blocks_of_one_layer_s_weights_travel_one_after_the_other(tmp_path: Path) -> None:
    """A layer of 468,000 bytes of weights where 180,224 may be used."""
    target = replace(GAP9, l2=replace(GAP9.l2, size_bytes=180_224 + 2**17, reserved_bytes=2**17))
    found = compile_model(Options(wide_network(tmp_path), target, tmp_path / "out"))
    assert len(parts_of(found.graph, "relu_0")) == 6
    weights = {each.block.name: each for each in found.plan.residency if "relu_0.part" in each.block.name}
    assert len(weights) == 6 and not all(each.resident for each in weights.values())
    assert found.plan.l2_peak_bytes <= 180_224
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=build_iss(tmp_path)).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 35
