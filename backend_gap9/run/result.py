"""What a run of a generated network gave, compared with the interpreter: every op, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmc.backend_gap9.emit.golden import STEM
from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.emit.output_directory import is_output
from tmc.backend_gap9.emit.port_bytes import from_little_endian, ports_bytes, unpack_ports
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.ports import Port, each_run, port_names, ports_of
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
class OutputComparison:
    """One output of the network over all runs; `mismatches` counts elements."""

    name: str
    elements: int
    mismatches: int
    first: Mismatch | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """Outputs of a platform, [runs, ...] by name, and the comparison of each and of every op.

    ops, in execution order, is empty for a run without tracing; then only the outputs were compared. cycles
    is None where the platform counts none, and stage_cycles, one number for each stage of the program, is
    empty there.
    init_cycles is what loading the weights that stay in L2 took, once, before the first run.
    """

    platform: str
    outputs: Mapping[str, Array]
    compared: tuple[OutputComparison, ...]
    ops: tuple[OpComparison, ...]
    cycles: int | None
    seconds: float
    stage_cycles: tuple[int, ...] = ()
    init_cycles: int | None = None

    @property
    def mismatches(self) -> int:
        """Return the number of elements that differ, over all ops and the outputs."""
        wrong_outputs = sum(output.mismatches for output in self.compared)
        return wrong_outputs + sum(op.mismatches for op in self.ops)

    @property
    def runs(self) -> int:
        """Return the number of runs."""
        return min(len(array) for array in self.outputs.values())

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
    """The golden side of an output directory: the graph, and of every input [1, ...] codes by name."""

    graph: Graph
    inputs: Mapping[str, Array]


def load_golden(directory: Path) -> Golden:
    """Return graph and golden inputs of an output directory.

    Raises: PlatformError if this is none, or its inputs hold codes beyond the limits; ParseError if its graph
    is damaged.
    """
    if not is_output(directory):
        raise PlatformError(
            str(directory), "found no compiled network, allowed a directory that `tmc compile` wrote"
        )
    graph = load_graph(directory / "golden", STEM)
    inputs, path = ports_of(graph).inputs, directory / "golden" / "input.bin"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlatformError(str(error.filename), f"cannot be read: {error.strerror}") from error
    if len(content) != ports_bytes(inputs):
        raise PlatformError(
            str(path),
            f"found {len(content)} bytes, allowed {ports_bytes(inputs)} of {port_names(inputs)}",
            "compile the network again",
        )
    codes = unpack_ports(inputs, content)
    for port in inputs:
        check_codes(f"{path}: input {port.name}", port.type, codes[port.name], "compile the network again")
    return Golden(graph, {name: array[None] for name, array in codes.items()})


def checked_inputs(ports: tuple[Port, ...], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the codes of every input as [runs, *shape] in its element type.

    inputs: by name, stacked or one; the runs are as many for all.
    Raises: PlatformError naming the input for another shape, floats, or codes beyond the limits, and for
    arrays that are not one for each input.
    """
    if set(inputs) != {port.name for port in ports}:
        raise PlatformError(
            "inputs", f"found arrays {', '.join(sorted(inputs)) or 'none'}, allowed {port_names(ports)}"
        )
    codes = {port.name: _checked_input(port, inputs[port.name]) for port in ports}
    check_runs("inputs", codes)
    return codes


def check_runs(where: str, arrays: Mapping[str, Array]) -> None:
    """Refuse stacks [runs, ...] of different lengths. Raises: PlatformError naming `where` they are from."""
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{len(array)} of {name}" for name, array in arrays.items())
        raise PlatformError(where, f"found {counts}, allowed as many of every input")


def _checked_input(port: Port, codes: Array) -> Array:
    where, kind = f"input %{port.name}", port.type
    if codes.shape == kind.shape:
        codes = codes[None]
    if codes.shape[1:] != kind.shape or codes.shape[0] == 0:
        raise PlatformError(where, f"found shape {codes.shape}, allowed {kind.shape} or a stack of these")
    if not np.issubdtype(codes.dtype, np.integer):
        raise PlatformError(
            where,
            f"found {codes.dtype}, allowed {kind.dtype.numpy}",
            "quantise it: round(value / scale) + zero point, as network.h says",
        )
    check_codes(where, kind, codes, "clip them, as network.h says: the sums are proved between the limits")
    return codes.astype(kind.dtype.numpy)


def check_codes(where: str, tensor: TensorType, codes: Array, remedy: str) -> None:
    """Refuse codes beyond those for which the network's sums are proved.

    Raises: PlatformError naming `where` they are from.
    """
    low, high = int(codes.min()), int(codes.max())
    least, most = tensor.code_limits
    if low < least or high > most:
        raise PlatformError(where, f"found codes from {low} to {high}, allowed {least} to {most}", remedy)


def compare_ops(
    graph: Graph, inputs: Mapping[str, Array], traces: Sequence[bytes]
) -> tuple[OpComparison, ...]:
    """Compare the traced values of each run, one after the other in execution order, with the interpreter."""
    ops = traced_ops(graph)
    counts = dict.fromkeys((op.output for op in ops), 0)
    firsts: dict[str, Mismatch] = {}
    for run, (one_run, trace) in enumerate(zip(each_run(inputs), traces, strict=True)):
        expected: dict[str, Array] = {}
        interpret(graph, one_run, expected.__setitem__)
        position = 0
        for op in ops:
            tensor = graph.types[op.output]
            found = from_little_endian(tensor, trace[position : position + tensor.size_bytes])
            position += tensor.size_bytes
            wrong, first = _mismatches(run, found, expected[op.output])
            counts[op.output] += wrong
            if first is not None:
                firsts.setdefault(op.output, first)
    return tuple(
        OpComparison(
            op.output,
            op.kind.value,
            op.loc,
            graph.types[op.output].elements * len(traces),
            counts[op.output],
            firsts.get(op.output),
        )
        for op in ops
    )


def compare_outputs(
    graph: Graph, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
) -> tuple[OutputComparison, ...]:
    """Compare the outputs, [runs, ...] by name, with the interpreter's."""
    ports = ports_of(graph).outputs
    counts = dict.fromkeys((port.name for port in ports), 0)
    firsts: dict[str, Mismatch] = {}
    runs = zip(each_run(inputs), each_run(outputs), strict=True)
    for run, (one_run, found) in enumerate(runs):
        for name, expected in interpret(graph, one_run).items():
            wrong, first = _mismatches(run, found[name], expected)
            counts[name] += wrong
            if first is not None:
                firsts.setdefault(name, first)
    return tuple(
        OutputComparison(port.name, outputs[port.name].size, counts[port.name], firsts.get(port.name))
        for port in ports
    )


def _mismatches(run: int, found: Array, expected: Array) -> tuple[int, Mismatch | None]:
    """Return how many elements differ, and the first that does."""
    wrong = np.argwhere(found != expected)
    if not len(wrong):
        return 0, None
    index = tuple(int(i) for i in wrong[0])
    return len(wrong), Mismatch(run, index, int(found[index]), int(expected[index]))
