"""A small program written by hand: LayerNorm row tile by row tile, then a linear onto the residual.

x int16 [10, 16] -> n = qlayernorm(x) -> y = qlinear(n) + x. Row tiles of 4, 4, 2 rows. The LayerNorm tables
stay in L2; the weights come from L3 while stage 0 runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tmc.backend_gap9.kernels.weight_rows import weight_pitch
from tmc.backend_gap9.plan.plan import LiveRange, Plan, Residency, RowTiling, StageCycles, StagePlan
from tmc.backend_gap9.program.buffers import Buffer, ValueShape
from tmc.backend_gap9.program.program import (
    Address,
    Argument,
    Barrier,
    Binary,
    Call,
    Compare,
    Const,
    Dma,
    Expr,
    Fetch,
    If,
    Let,
    Lookup,
    Loop,
    Operand,
    Part,
    Program,
    Slot,
    Stage,
    Stmt,
    Var,
    Wait,
)
from tmc.backend_gap9.stages.stage_graph import NO_STORAGE, view_roots
from tmc.backend_gap9.stages.staged import ConstantBlock, GraphStage, PackedStage, Staged
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlayernorm import RSQRT_TABLE, QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import DType, TensorType

ROWS, CHANNELS, TILE = 10, 16, 4
PITCH = weight_pitch(CHANNELS)
ZERO, ONE = Const(0), Const(1)
T = Var("t")

# gamma, beta, epsilon, rsqrt: offsets in the table block, all multiples of 4
EPSILON_ENTRIES = 6  # shifts of 0 to 5: 65535 * 16 has 20 bits, 15 of them stay
GAMMA, BETA, EPSILON, RSQRT = 0, 32, 96, 96 + 4 * EPSILON_ENTRIES
TABLE_BYTES = RSQRT + 192
TABLES = ConstantBlock("tables", 0, 1, TABLE_BYTES)
WEIGHT = ConstantBlock("y.weight", 1, CHANNELS, PITCH)


def mul(left: Expr, right: int) -> Expr:
    """Return left * right."""
    return Binary("*", left, Const(right))


def graph() -> Graph:
    """Return the graph of two ops."""
    types = {
        "x": TensorType(DType.S16, (ROWS, CHANNELS)),
        "gamma": TensorType(DType.S16, (CHANNELS,)),
        "beta": TensorType(DType.S32, (CHANNELS,)),
        "w": TensorType(DType.S8, (CHANNELS, CHANNELS)),
        "m": TensorType(DType.S32, (CHANNELS,)),
        "b": TensorType(DType.S32, (1, CHANNELS)),
        "n": TensorType(DType.S8, (ROWS, CHANNELS)),
        "y": TensorType(DType.S16, (ROWS, CHANNELS)),
    }
    norm = QLayerNormAttrs(tuple(range(EPSILON_ENTRIES)), center_bits=15, norm_bits=10, root=3, gamma_shift=8)
    ops = (
        Op(OpKind.QLAYERNORM, ("x", "gamma", "beta"), "n", norm, "/norm/LayerNormalization"),
        Op(
            OpKind.QLINEAR,
            ("n", "w", "m", "b", "x"),
            "y",
            QLinearAttrs(shift=9, dtype="s16", residual=True),
            "/fc/MatMul",
        ),
    )
    numbers = np.random.default_rng(0)
    constants = {
        name: numbers.integers(-9, 9, types[name].shape).astype(types[name].dtype.numpy)
        for name in ("gamma", "beta", "w", "m", "b")
    }
    return Graph("small", ("x",), ("y",), ops, types, constants)


def contents() -> dict[str, bytes]:
    """Return the packed constants."""
    constants = graph().constants
    epsilon = np.arange(EPSILON_ENTRIES, dtype="<i4")
    tables = b"".join(
        array.tobytes()
        for array in (constants["gamma"], constants["beta"], epsilon, RSQRT_TABLE.astype("<u2"))
    )
    weight = np.zeros((CHANNELS, PITCH), np.uint8)
    weight[:, :16] = constants["w"].view(np.uint8)
    weight[:, 16:20] = constants["m"].reshape(-1, 1).view(np.uint8)
    weight[:, 20:24] = constants["b"].reshape(-1, 1).view(np.uint8)
    return {"tables": tables, "y.weight": weight.tobytes()}


def staged(network: Graph, packed: Mapping[str, bytes]) -> Staged:
    """Return the network in two stages, with its packed constants."""
    norm, linear = network.ops
    stages = (
        GraphStage(0, "rows", (norm,), ROWS, ("x",), ("n",)),
        GraphStage(1, "rows", (linear,), ROWS, ("n", "x"), ("y",)),
    )
    blocks = (
        PackedStage((TABLES,), {TABLES.name: packed[TABLES.name]}, TABLES.name, {}),
        PackedStage((WEIGHT,), {WEIGHT.name: packed[WEIGHT.name]}, "stage_1.tables", {}),
    )
    return Staged(network, stages, (NO_STORAGE,) * 2, blocks, {}, view_roots(network))


def plan() -> Plan:
    """Return the plan that the program follows."""
    cycles = StageCycles(1, 1, 0, 0, 1)
    stages = (
        StagePlan(
            RowTiling(TILE, (), (("x", 2),)),
            (
                Buffer("x", "l1", 0, 2 * TILE * 32),
                Buffer("n", "l1", 256, 2 * TILE * 16),
                Buffer("tables", "l1", 384, TABLE_BYTES),
            ),
            384 + TABLE_BYTES,
            cycles,
        ),
        StagePlan(
            RowTiling(TILE, (("y", CHANNELS),), (("n", 1), ("x", 1))),
            (
                Buffer("n", "l1", 0, TILE * 16),
                Buffer("y", "l1", 64, TILE * 32),
                Buffer("weight", "l1", 192, CHANNELS * PITCH),
            ),
            192 + CHANNELS * PITCH,
            cycles,
        ),
    )
    weight_bytes = CHANNELS * PITCH
    return Plan(
        staged=staged(graph(), contents()),
        stages=stages,
        l2=(
            Buffer("tables", "l2", 0, TABLE_BYTES),
            Buffer("y.weight", "l2", TABLE_BYTES, weight_bytes),
            Buffer("n", "l2", TABLE_BYTES + weight_bytes, ROWS * 16),
        ),
        l3=(Buffer("tables", "l3", 0, TABLE_BYTES), Buffer("y.weight", "l3", TABLE_BYTES, weight_bytes)),
        l2_ranges=(
            LiveRange("tables", TABLE_BYTES, 0, 1),
            LiveRange("y.weight", weight_bytes, 0, 1),
            LiveRange("n", ROWS * 16, 0, 1),
        ),
        residency=(Residency(TABLES, True, 0), Residency(WEIGHT, False, 0)),
        l1_peak_bytes=max(stage.l1_peak_bytes for stage in stages),
        l2_peak_bytes=TABLE_BYTES + weight_bytes + ROWS * 16,
        l2_bound_bytes=TABLE_BYTES + weight_bytes + ROWS * 16,
        l3_bytes=TABLE_BYTES + weight_bytes,
        exposed_fetch_cycles=0,
    )


def tile_rows(tile: Expr) -> Expr:
    """Return the rows of a tile: 4, 4, 2."""
    return Binary("min", Const(TILE), Binary("-", Const(ROWS), mul(tile, TILE)))


def load_x(tile: Expr) -> Dma:
    """Load a tile of x into one half of its double buffer."""
    half = Binary("%", tile, Const(2))
    return Dma(
        Slot("x", half),
        "in",
        Address("x", mul(half, TILE * 32)),
        Address("input", mul(tile, TILE * 32)),
        tile_rows(tile),
        Const(32),
        Const(32),
    )


def norm_stage() -> Stage:
    """Return stage 0: double buffers in and out, tables loaded once."""
    half = Var("half")
    table = tuple(
        Operand(field, Address("tables", Const(offset)), Part("tables", ZERO, Const(offset)))
        for field, offset in (("gamma", GAMMA), ("beta", BETA), ("epsilon", EPSILON), ("rsqrt", RSQRT))
    )
    numbers = {
        "rows": Lookup("rows", T),
        "channels": Const(CHANNELS),
        "x_pitch": Const(32),
        "y_pitch": Const(16),
        "centred": Const(1),
        "center_bits": Const(15),
        "norm_bits": Const(10),
        "root": Const(3),
        "gamma_shift": Const(8),
        "epsilon_shift": Const(0),
    }
    call = Call(
        "tmc_layernorm_s16s8",
        "n",
        (
            Operand("x", Address("x", mul(half, TILE * 32)), Part("x", mul(T, TILE), ZERO)),
            *table,
            Operand("y", Address("n", mul(half, TILE * 16)), Part("n", mul(T, TILE), ZERO)),
        ),
        tuple(Argument(name, value) for name, value in numbers.items()),
    )
    loop = Loop(
        "t",
        3,
        (
            Let("half", Binary("%", T, Const(2))),
            If(Compare("<", T, Const(2)), (load_x(Binary("+", T, ONE)),)),
            Wait(Slot("x", half), "l2"),
            If(Compare("<", ONE, T), (Wait(Slot("n", half), "l2"),)),
            Barrier(),
            call,
            Barrier(),
            Dma(
                Slot("n", half),
                "out",
                Address("n", mul(half, TILE * 16)),
                Address("n", mul(T, TILE * 16)),
                ONE,
                mul(Lookup("rows", T), 16),
                Const(16),
            ),
        ),
    )
    body: tuple[Stmt, ...] = (
        Fetch(Slot("fetch", ZERO), Address("y.weight", ZERO), Address("y.weight", ZERO), CHANNELS * PITCH),
        Dma(
            Slot("x", ONE),
            "in",
            Address("tables", ZERO),
            Address("tables", ZERO),
            ONE,
            Const(TABLE_BYTES),
            ZERO,
        ),
        Wait(Slot("x", ONE), "l2"),
        load_x(ZERO),
        loop,
        Wait(Slot("n", ONE), "l2"),
        Wait(Slot("n", ZERO), "l2"),
    )
    return Stage("s0_n", ("n",), plan().stages[0].l1, {"rows": (4, 4, 2)}, body)


def linear_stage() -> Stage:
    """Return stage 1: single buffers, the residual in the place of the sum, weights loaded once."""
    rows = tile_rows(T)
    numbers = {
        "rows": rows,
        "depth": Const(CHANNELS),
        "channels": Const(CHANNELS),
        "x_pitch": Const(16),
        "weight_pitch": Const(PITCH),
        "y_pitch": Const(32),
        "shift": Const(9),
        "split": Const(0),
    }
    call = Call(
        "tmc_linear_add_s8s8s16",
        "y",
        (
            Operand("x", Address("n", ZERO), Part("n", mul(T, TILE), ZERO)),
            Operand("weight", Address("weight", ZERO), Part("y.weight", ZERO, ZERO)),
            Operand("y", Address("y", ZERO), Part("y", mul(T, TILE), ZERO)),
        ),
        tuple(Argument(name, value) for name, value in numbers.items()),
    )
    size_bytes = Const(CHANNELS * PITCH)
    loop = Loop(
        "t",
        3,
        (
            Dma(
                Slot("n", ZERO),
                "in",
                Address("n", ZERO),
                Address("n", mul(T, TILE * 16)),
                rows,
                Const(16),
                Const(16),
            ),
            Dma(
                Slot("x", ZERO),
                "in",
                Address("y", ZERO),
                Address("input", mul(T, TILE * 32)),
                rows,
                Const(32),
                Const(32),
            ),
            Wait(Slot("n", ZERO), "l2"),
            Wait(Slot("x", ZERO), "l2"),
            Barrier(),
            call,
            Barrier(),
            Dma(
                Slot("x", ONE),
                "out",
                Address("y", ZERO),
                Address("output", mul(T, TILE * 32)),
                rows,
                Const(32),
                Const(32),
            ),
            Wait(Slot("x", ONE), "l2"),
        ),
    )
    ends = Address("weight", ZERO), Address("y.weight", ZERO)
    body: tuple[Stmt, ...] = (
        Wait(Slot("fetch", ZERO), "l3"),
        Dma(Slot("x", ZERO), "in", *ends, ONE, size_bytes, size_bytes),
        Wait(Slot("x", ZERO), "l2"),
        loop,
    )
    return Stage("s1_y", ("y",), plan().stages[1].l1, {}, body)


def program() -> Program:
    """Return the whole program."""
    its_plan = plan()
    fetch = Fetch(Slot("fetch", ZERO), Address("tables", ZERO), Address("tables", ZERO), TABLE_BYTES)
    return Program(
        name="small",
        init=Stage("init", (), (), {}, (fetch, Wait(Slot("fetch", ZERO), "l3"))),
        stages=(norm_stage(), linear_stage()),
        buffers=(
            *its_plan.l2,
            *its_plan.l3,
            Buffer("input", "l2", 0, ROWS * 32, True),
            Buffer("output", "l2", 0, ROWS * 32, True),
        ),
        slots={"x": 2, "n": 2, "fetch": 1},
        values={
            "x": ValueShape(ROWS, 32),
            "n": ValueShape(ROWS, 16),
            "y": ValueShape(ROWS, 32),
            "tables": ValueShape(1, TABLE_BYTES),
            "y.weight": ValueShape(CHANNELS, PITCH),
        },
        views={},
        inputs={"x": "input"},
        outputs={"y": "output"},
        l1_bytes=its_plan.l1_peak_bytes,
        l2_bytes=its_plan.l2_peak_bytes,
        l3_bytes=its_plan.l3_bytes,
    )


Path = tuple[int, ...]


def statements(body: tuple[Stmt, ...], path: Path = ()) -> Iterator[tuple[Path, Stmt]]:
    """Yield every statement of a body with its path, outer ones first."""
    for index, statement in enumerate(body):
        yield (*path, index), statement
        if isinstance(statement, Loop | If):
            yield from statements(statement.body, (*path, index))


def edited(body: tuple[Stmt, ...], path: Path, *new: Stmt) -> tuple[Stmt, ...]:
    """Return a body with the statement at a path replaced."""
    index, rest = path[0], path[1:]
    if rest:
        outer = body[index]
        assert isinstance(outer, Loop | If)
        new = (replace(outer, body=edited(outer.body, rest, *new)),)
    return (*body[:index], *new, *body[index + 1 :])


def with_stage(whole: Program, number: int, stage: Stage) -> Program:
    """Return a program with one stage replaced; -1 is init."""
    if number < 0:
        return replace(whole, init=stage)
    return replace(whole, stages=(*whole.stages[:number], stage, *whole.stages[number + 1 :]))
