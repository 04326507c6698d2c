"""The small program with constants that mean something, and its output directory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.networks import small_program
from tests.networks.small_program import TABLES, WEIGHT
from tmc.backend_gap9.emit.emit import emit
from tmc.backend_gap9.kernels.layernorm import LAYERNORM
from tmc.backend_gap9.kernels.linear import LINEAR
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.graph import Graph
from tmc.ir.types import Array, Quant
from tmc.report.captions import captions
from tmc.report.facts import Origin, Report, build_report
from tmc.report.page import report_files

ORIGIN = Origin("small.onnx", "0123456789abcdef" * 4, "tmc 0")


def graph() -> Graph:
    """Return the graph of the small program with seeded constants, and with scales for input and output."""
    plain = small_program.graph()
    random = np.random.default_rng(5)
    channels = small_program.CHANNELS
    constants: dict[str, Array] = {
        "gamma": random.integers(80, 120, channels).astype(np.int16),
        "beta": random.integers(-(2**14), 2**14, channels).astype(np.int32),
        "w": random.integers(-127, 128, (channels, channels)).astype(np.int8),
        "m": random.integers(64, 128, channels).astype(np.int32),
        "b": random.integers(-(2**12), 2**12, (1, channels)).astype(np.int32),
    }
    types = dict(plain.types)
    types["x"] = replace(types["x"], quant=Quant((0.001953125,)))
    types["y"] = replace(types["y"], quant=Quant((0.0009765625,), -3))
    return replace(plain, types=types, constants=constants)


def golden_input(seed: int = 0) -> Array:
    """Return an input within what the LayerNorm of the small program can take."""
    shape = (small_program.ROWS, small_program.CHANNELS)
    return np.random.default_rng(seed).integers(-100, 101, shape).astype(np.int16)


def contents() -> dict[str, bytes]:
    """Return the bytes of the constant blocks by name."""
    norm, linear = graph().ops
    assert LINEAR.weight_rows is not None
    tables = b"".join(array.tobytes() for array in LAYERNORM.tables(graph(), norm).values())
    return {TABLES.name: tables, WEIGHT.name: LINEAR.weight_rows(graph(), linear).tobytes()}


def program(name: str = "small") -> Program:
    """Return the small program, stages named as the compiler names them."""
    whole = small_program.program()
    titles = tuple(f"{op.output}, from {op.loc}" for op in graph().ops)
    stages = tuple(
        replace(stage, name=f"stage_{number}", title=(title,))
        for number, (stage, title) in enumerate(zip(whole.stages, titles, strict=True))
    )
    return replace(whole, name=name, stages=stages)


def report(name: str = "small") -> Report:
    """Return the report of the small program."""
    named = replace(graph(), name=name)
    plan = replace(small_program.plan(), staged=small_program.staged(named, contents()))
    return build_report(plan, program(name), target_named("gap9"), ORIGIN)


def output(name: str = "small") -> dict[str, bytes]:
    """Return the output directory of the small program."""
    facts = report(name)
    return emitted(replace(graph(), name=name), program(name), facts) | report_files(facts)


def emitted(graph: Graph, program: Program, facts: Report) -> dict[str, bytes]:
    """Return the C of a graph and a program that differ a little from the small ones."""
    return emit(graph, program, contents(), captions(facts), target_named("gap9"), {"x": golden_input()})
