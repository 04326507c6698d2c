"""What a run of a generated network gave, compared with the interpreter: every op, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmc.backend_gap9.emit.golden import STEM
from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.emit.output_directory import is_output
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.store import load_graph
from tmc.ir.types import Array, TensorType


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first element of an op's output that differs: in which run, where, and how."""

    run: int
    index: tuple[int, ...]
    found: int
    expected: int


@dataclass(frozen=True, slots=True)
class OpComparison:
    """One op's output over all runs; `mismatches` counts elements."""

    name: str
    op: str
    node: str
    elements: int
    mismatches: int
    first: Mismatch | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """Outputs [runs, ...] of a platform, and the comparison of every op in execution order.

    ops is empty for a run without tracing; then only the outputs were compared. cycles is None where the
    platform counts none, and stage_cycles, one number for each stage of the program, is empty there.
    init_cycles is what loading the weights that stay in L2 took, once, before the first run.
    """

    platform: str
    outputs: Array
    output_mismatches: int
    ops: tuple[OpComparison, ...]
    cycles: int | None
    seconds: float
    stage_cycles: tuple[int, ...] = ()
    init_cycles: int | None = None

    @property
    def mismatches(self) -> int:
        """Return the number of elements that differ, over all ops and the outputs."""
        return self.output_mismatches + sum(op.mismatches for op in self.ops)

    @property
    def bit_exact(self) -> bool:
        """Tell whether every compared element is right."""
        return self.mismatches == 0

    @property
    def first_wrong(self) -> OpComparison | None:
        """Return the first op in execution order whose output is wrong."""
        return next((op for op in self.ops if op.mismatches), None)


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden side of an output directory."""

    graph: Graph
    inputs: Array  # [1, ...]


def load_golden(directory: Path) -> Golden:
    """Return graph and golden input of an output directory.

    Raises: PlatformError if this is none, or its input holds codes beyond the limits; ParseError if its graph
    is damaged.
    """
    if not is_output(directory):
        raise PlatformError(
            str(directory), "found no compiled network, allowed a directory that `tmc compile` wrote"
        )
    graph = load_graph(directory / "golden", STEM)
    tensor = graph.types[graph.inputs[0]]
    try:
        content = (directory / "golden" / "input.bin").read_bytes()
    except OSError as error:
        raise PlatformError(str(error.filename), f"cannot be read: {error.strerror}") from error
    if len(content) != tensor.size_bytes:
        raise PlatformError(
            str(directory / "golden" / "input.bin"),
            f"found {len(content)} bytes, allowed {tensor.size_bytes}",
            "compile the network again",
        )
    array = np.frombuffer(content, tensor.dtype.numpy.newbyteorder("<")).astype(tensor.dtype.numpy)
    check_codes(str(directory / "golden" / "input.bin"), tensor, array, "compile the network again")
    return Golden(graph, array.reshape(1, *tensor.shape))


def checked_inputs(graph: Graph, inputs: Array) -> Array:
    """Return quantised inputs as [runs, *shape] in the network's element type.

    Raises: PlatformError for another shape, floats, or codes beyond the limits.
    """
    name = graph.inputs[0]
    tensor = graph.types[name]
    where = f"input %{name}"
    if inputs.shape == tensor.shape:
        inputs = inputs[None]
    if inputs.shape[1:] != tensor.shape or inputs.shape[0] == 0:
        raise PlatformError(where, f"found shape {inputs.shape}, allowed {tensor.shape} or a stack of these")
    if not np.issubdtype(inputs.dtype, np.integer):
        raise PlatformError(
            where,
            f"found {inputs.dtype}, allowed {tensor.dtype.numpy}",
            "quantise it: round(value / scale) + zero point, as network.h says",
        )
    check_codes(where, tensor, inputs, "clip them, as network.h says: the sums are proved between the limits")
    return inputs.astype(tensor.dtype.numpy)


def check_codes(where: str, tensor: TensorType, codes: Array, remedy: str) -> None:
    """Refuse codes beyond those for which the network's sums are proved.

    Raises: PlatformError naming `where` they are from.
    """
    low, high = int(codes.min()), int(codes.max())
    least, most = tensor.code_limits
    if low < least or high > most:
        raise PlatformError(where, f"found codes from {low} to {high}, allowed {least} to {most}", remedy)


def compare_ops(graph: Graph, inputs: Array, traces: Sequence[bytes]) -> tuple[OpComparison, ...]:
    """Compare the traced values of each run, one after the other in execution order, with the interpreter."""
    ops = traced_ops(graph)
    counts = dict.fromkeys((op.output for op in ops), 0)
    firsts: dict[str, Mismatch] = {}
    for run, (one_input, trace) in enumerate(zip(inputs, traces, strict=True)):
        expected: dict[str, Array] = {}
        interpret(graph, {graph.inputs[0]: one_input}, expected.__setitem__)
        position = 0
        for op in ops:
            tensor = graph.types[op.output]
            found = np.frombuffer(
                trace, tensor.dtype.numpy.newbyteorder("<"), tensor.elements, position
            ).reshape(tensor.shape)
            position += tensor.size_bytes
            wrong = np.argwhere(found != expected[op.output])
            counts[op.output] += len(wrong)
            if len(wrong) and op.output not in firsts:
                index = tuple(int(i) for i in wrong[0])
                firsts[op.output] = Mismatch(run, index, int(found[index]), int(expected[op.output][index]))
    return tuple(
        OpComparison(
            op.output,
            op.kind.value,
            op.loc,
            graph.types[op.output].elements * len(inputs),
            counts[op.output],
            firsts.get(op.output),
        )
        for op in ops
    )


def compare_outputs(graph: Graph, inputs: Array, outputs: Array) -> int:
    """Return how many elements of the outputs [runs, ...] differ from the interpreter's."""
    wrong = 0
    for one_input, found in zip(inputs, outputs, strict=True):
        (expected,) = interpret(graph, {graph.inputs[0]: one_input}).values()
        wrong += int(np.count_nonzero(found != expected))
    return wrong
