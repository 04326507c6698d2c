"""Run a generated network on the simulators of the cluster: the project's own, and GVSoC.

Both run the same program. The instruction-set simulator is quick and strict and knows no cycles; GVSoC counts
them.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tmc.backend_gap9.emit.machine import Machine, read_machine
from tmc.backend_gap9.emit.output_directory import MARKER
from tmc.backend_gap9.emit.port_bytes import from_little_endian, pack_ports
from tmc.backend_gap9.kernels.record import Isa
from tmc.backend_gap9.run.build import build_iss, build_riscv
from tmc.backend_gap9.run.console import ConsoleFacts, parse_console
from tmc.backend_gap9.run.result import (
    OutputComparison,
    RunResult,
    checked_inputs,
    compare_outputs,
    load_golden,
)
from tmc.backend_gap9.run.simulators import find_gvsoc, gvsoc_command, iss_command, simulate
from tmc.backend_gap9.run.value_sums import compare_sums
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.ir.ports import Ports, each_run, ports_of
from tmc.ir.types import Array

# A network of scalar kernels takes about this many cycles for a multiply-accumulate, all cores at work.
# Tracing and slow machines come on top, in the other factors.
_SCALAR_CYCLES_PER_MAC = 1.5
_ISS_INSTRUCTIONS_PER_CYCLE = 40
_ISS_INSTRUCTIONS_PER_SECOND = 4_000_000
_GVSOC_CYCLES_PER_SECOND = 100_000
_START_SECONDS = 120.0
_QUIET_SECONDS = 30.0  # before the first stage GVSoC builds its model, and the network loads its weights


def run_iss(
    directory: Path,
    inputs: Mapping[str, Array] | None = None,
    *,
    trace: bool = True,
    isa: Isa = "xpulp",
    simulator: Path | None = None,
) -> RunResult:
    """Run an output directory on the instruction-set simulator, on codes by input or on its golden ones.

    With `trace` every op is compared, else the outputs only. isa: which kernels. simulator: one that is built
    already.
    Raises: PlatformError if a tool is missing, the build fails, the program traps or does not end.
    """
    job = _job("iss", directory, inputs, isa)
    instructions_max = 1_000_000_000 + _ISS_INSTRUCTIONS_PER_CYCLE * job.cycles_expected
    seconds = _START_SECONDS + instructions_max / _ISS_INSTRUCTIONS_PER_SECOND
    with tempfile.TemporaryDirectory() as folder:
        iss = simulator or build_iss(Path(folder))

        def command(elf: Path, flash: Path) -> list[str]:
            return iss_command(iss, job.machine, elf, flash, instructions_max)

        result = _run(job, trace, seconds, command)
    return replace(result, cycles=None, stage_cycles=(), init_cycles=None)


def run_gvsoc(
    directory: Path,
    inputs: Mapping[str, Array] | None = None,
    *,
    trace: bool = True,
    isa: Isa = "xpulp",
    gvsoc: Path | None = None,
    properties: Sequence[str] = (),
    timeout_seconds: float | None = None,
) -> RunResult:
    """Run an output directory on GVSoC, on codes by input or on its golden ones.

    The cycles are of the first input, in a run without tracing. With `trace` every op is compared, in runs of
    their own. isa: which kernels. gvsoc: the program, else the one on the path. properties: NAME=VALUE for
    the target, such as free_transfers=1. The default time limit is many times what the modelled cycles take,
    and so is the time after which a stage that does not end is a hang.
    Raises: PlatformError if a tool is missing, the build fails, the program fails, hangs or does not end.
    """
    job = _job("gvsoc", directory, inputs, isa)
    job = replace(job, quiet_seconds=_QUIET_SECONDS + job.stage_cycles_expected / _GVSOC_CYCLES_PER_SECOND)
    program = find_gvsoc(gvsoc)
    seconds = timeout_seconds or _START_SECONDS + job.cycles_expected / _GVSOC_CYCLES_PER_SECOND
    with tempfile.TemporaryDirectory() as folder:

        def command(elf: Path, flash: Path) -> list[str]:
            return gvsoc_command(program, job.machine, elf, flash, Path(folder), properties)

        counted = _run(job, False, seconds, command)
        if not trace:
            return counted
        traced = _run(job, True, seconds, command)
    return replace(
        counted,
        compared=tuple(map(_both, counted.compared, traced.compared)),
        ops=traced.ops,
        seconds=counted.seconds + traced.seconds,
    )


def _both(one: OutputComparison, other: OutputComparison) -> OutputComparison:
    """Return the comparison of an output in runs with and without tracing."""
    return OutputComparison(
        one.name,
        one.elements + other.elements,
        one.mismatches + other.mismatches,
        one.first or other.first,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What to run: codes [runs, ...] by input, and what each stage does.

    cycles_expected, stage_cycles_expected: of a run, and of its longest stage. quiet_seconds: how long it may
    print nothing.
    """

    platform: str
    directory: Path
    machine: Machine
    graph: Graph
    ports: Ports
    inputs: Mapping[str, Array]
    isa: Isa
    stages: tuple[str, ...]
    cycles_expected: int
    stage_cycles_expected: int
    quiet_seconds: float = math.inf


def _job(platform: str, directory: Path, inputs: Mapping[str, Array] | None, isa: Isa) -> _Job:
    golden = load_golden(directory)
    ports = ports_of(golden.graph)
    facts: dict[str, Any] = json.loads((directory / MARKER).read_text(encoding="utf-8"))
    # The cost model is one of the fast kernels.
    macs_cycles = int(_SCALAR_CYCLES_PER_MAC * facts["macs"]) if isa == "scalar" else 0
    longest = max((stage["cycles"] + stage["l3_wait_cycles"] for stage in facts["stages"]), default=0)
    return _Job(
        platform,
        directory,
        read_machine(directory),
        golden.graph,
        ports,
        golden.inputs if inputs is None else checked_inputs(ports.inputs, inputs),
        isa,
        tuple(", ".join(stage["ops"]) for stage in facts["stages"]),
        int(facts["cycles_estimate"]) + macs_cycles,
        int(longest) + macs_cycles,
    )


def _run(job: _Job, trace: bool, seconds: float, command: Callable[[Path, Path], list[str]]) -> RunResult:
    """Build and run a program for every input and compare. command: of a program and its flash's content."""
    start = time.perf_counter()
    runs: list[ConsoleFacts] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, one_run in enumerate(each_run(job.inputs)):
            input_file = Path(folder) / f"input{number}.bin"
            input_file.write_bytes(pack_ports(job.ports.inputs, one_run))
            program = build_riscv(job.directory, Path(folder), input_file, trace=trace, isa=job.isa)
            words = command(program, (job.directory / "weights.bin").resolve())
            runs.append(parse_console(job.platform, _simulated(job, words, seconds)))
    outputs = {
        port.name: np.stack([_output(job, number, run) for run in runs])
        for number, port in enumerate(job.ports.outputs)
    }
    return RunResult(
        job.platform,
        outputs,
        compare_outputs(job.graph, job.inputs, outputs),
        compare_sums(job.graph, job.inputs, [run.sums for run in runs]) if trace else (),
        runs[0].cycles,
        time.perf_counter() - start,
        tuple(stage.cycles for stage in runs[0].stages),
        runs[0].init_cycles,
    )


def _simulated(job: _Job, words: Sequence[str], seconds: float) -> str:
    return simulate(job.platform, words, seconds, job.stages, job.quiet_seconds)


def _output(job: _Job, number: int, run: ConsoleFacts) -> Array:
    port, content = job.ports.outputs[number], run.outputs.get(number, b"")
    if len(content) != port.type.size_bytes:
        raise PlatformError(
            job.platform,
            f"found output {port.name} of {len(content)} bytes, allowed {port.type.size_bytes}",
        )
    return from_little_endian(port.type, content)
