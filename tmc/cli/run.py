"""`tmc run` and `tmc report`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tmc.backend_gap9.emit.output_directory import MARKER, is_output
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import Mismatch, RunResult, load_golden
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.cli.port_files import read_inputs, write_outputs
from tmc.ir.errors import PlatformError
from tmc.ir.types import Array
from tmc.passes.calibrate.codes import Clipped
from tmc.passes.declared.kept_declarations import KeptDeclarations
from tmc.report.accelerator import AcceleratorUse, share_text

Codes = Mapping[str, Array]
Run = Callable[[argparse.Namespace, Codes | None], RunResult]


def _gvsoc(options: argparse.Namespace, codes: Codes | None) -> RunResult:
    return run_gvsoc(
        options.directory,
        codes,
        trace=not options.no_trace,
        gvsoc=options.gvsoc,
        properties=options.property,
    )


PLATFORMS: Mapping[str, Run] = {
    "host": lambda options, codes: run_host(options.directory, codes, trace=not options.no_trace),
    "iss": lambda options, codes: run_iss(options.directory, codes, trace=not options.no_trace),
    "gvsoc": _gvsoc,
}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument("--on", required=True, choices=tuple(PLATFORMS), help="where to run it")
    parser.add_argument(
        "--input",
        metavar="X.npz",
        type=Path,
        help="an array for each input, one or a stack, real numbers or codes (of a single input an npy will "
        "do); default: the golden inputs",
    )
    parser.add_argument(
        "--output",
        metavar="Y.npz",
        type=Path,
        help="write the outputs: real numbers for real inputs, codes for codes; Y.npy gets that of a single "
        "output, or is a file for each of several, Y.NAME.npy",
    )
    parser.add_argument("--no-trace", action="store_true", help="compare the outputs only, not every op")
    parser.add_argument("--gvsoc", metavar="PROGRAM", type=Path, help="GVSoC, if it is not on the path")
    parser.add_argument(
        "--property",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of the GVSoC target, such as free_transfers=1",
    )


def run(options: argparse.Namespace) -> int:
    """Run a compiled directory and compare; return 1 where a single element is wrong."""
    graph, given = load_golden(options.directory).graph, None
    if options.input is not None:
        given = read_inputs(options.input, graph)
    clipped = None if given is None else given.clipped
    result = PLATFORMS[options.on](options, None if given is None else given.codes)
    facts = json.loads((options.directory / MARKER).read_text(encoding="utf-8"))
    stages = _stages(facts, result)
    if options.output is not None:
        write_outputs(options.output, graph, result.outputs, real=clipped is not None)
    if options.json:
        print(json.dumps(_as_json(result, stages, clipped)))
    else:
        for name, found in (clipped or {}).items():
            print(_clipped_text(name, found, facts.get("declared")))
        _summarise(result, stages, facts)
    return 0 if result.bit_exact else 1


@dataclass(frozen=True, slots=True)
class _StageCycles:
    """Measured and modelled cycles of one stage, waiting for its weights included.

    beside: on a target with an accelerator, how the model has them.
    """

    name: str
    ops: tuple[str, ...]
    cycles: int
    modelled_cycles: int
    mac_per_cycle: float
    beside: _Beside | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the stage as a JSON object."""
        facts = asdict(self)
        beside = facts.pop("beside")
        return facts if beside is None else facts | beside


@dataclass(frozen=True, slots=True)
class _Beside:
    """Modelled cycles of one stage: jobs of the accelerator, the cores, what transfers and jobs expose."""

    job_cycles: int
    compute_cycles: int
    exposed_cycles: int


def _stages(facts: Mapping[str, Any], result: RunResult) -> tuple[_StageCycles, ...]:
    """Return the stages of a run whose platform counts cycles, else nothing. facts: of the report."""
    return tuple(
        _StageCycles(
            stage["name"],
            tuple(stage["ops"]),
            cycles,
            stage["cycles"] + stage["l3_wait_cycles"],
            round(stage["macs"] / cycles, 2),
            _beside(stage),
        )
        for stage, cycles in zip(facts["stages"], result.stage_cycles, strict=False)
    )


def _beside(stage: Mapping[str, Any]) -> _Beside | None:
    """Return what runs beside each other in a stage of the report, None without an accelerator."""
    if "job_cycles" not in stage:
        return None
    return _Beside(stage["job_cycles"], stage["compute_cycles"], stage["exposed_cycles"])


def _as_json(
    result: RunResult, stages: tuple[_StageCycles, ...], clipped: Mapping[str, Clipped] | None
) -> dict[str, Any]:
    ops = [
        {"name": op.name, "op": op.op, "node": op.node, "elements": op.elements, "mismatches": op.mismatches}
        for op in result.ops
    ]
    return {
        "ok": True,
        "bit_exact": result.bit_exact,
        "platform": result.platform,
        "mismatches": result.mismatches,
        "runs": result.runs,
        "inputs_clipped": None
        if clipped is None
        else {name: asdict(found) | {"share": found.share} for name, found in clipped.items()},
        "cycles": result.cycles,
        "seconds": round(result.seconds, 3),
        "outputs": [
            {"name": each.name, "elements": each.elements, "mismatches": each.mismatches}
            for each in result.compared
        ],
        "layers": ops,
        "stages": [stage.as_json() for stage in stages],
    }


def _clipped_text(name: str, clipped: Clipped, declared: Mapping[str, Any] | None) -> str:
    """Return what became of a real input; declared: what the report says of a quantised model."""
    least, most = clipped.allowed
    reach = f"codes stand for {least:.4g} to {most:.4g}, the largest input is {clipped.largest:.4g}"
    if clipped.elements == 0:
        return f"input {name}: none of {clipped.of_elements:,} numbers was clipped: {reach}"
    remedy = "calibrate on windows as loud as these"
    if declared is not None and declared["exact"]:
        remedy = "the quantised model clips them too"
        if name in declared["inputs"]:
            remedy = "compile with the --input-range of all that may come"
    return (
        f"input {name}: {clipped.elements:,} of {clipped.of_elements:,} numbers ({clipped.share:.2%}) "
        f"were clipped: {reach}; {remedy}"
    )


def _summarise(result: RunResult, stages: tuple[_StageCycles, ...], facts: Mapping[str, Any]) -> None:
    use = _accelerator_use(facts)
    if stages:
        print(
            f"{'stage':<10} {'measured':>12} {'modelled':>12} {'error':>7} {_beside_heads(use)}"
            f"{'MAC/cycle':>10}  ops"
        )
    for stage in stages:
        error = stage.modelled_cycles / stage.cycles - 1
        print(
            f"{stage.name:<10} {stage.cycles:>12,} {stage.modelled_cycles:>12,} {error:>7.1%} "
            f"{_beside_text(stage.beside, stage.cycles)}{stage.mac_per_cycle:>10.2f}  {', '.join(stage.ops)}"
        )
    if result.cycles is not None:
        print(f"cycles: {result.cycles:,}")
        if use is not None:
            print(use.text(facts["macs"], result.cycles))
    elements = sum(op.elements for op in result.ops)
    print(f"{result.platform}: {result.runs} runs in {result.seconds:.2f} s")
    if result.bit_exact and not result.ops:
        print("bit-exact: the outputs equal the interpreter's; ops were not compared")
        return
    if result.bit_exact:
        print(f"bit-exact: {elements:,} elements of {len(result.ops)} ops equal the interpreter's")
        return
    print(f"NOT bit-exact: {result.mismatches:,} elements differ")
    for output in result.compared:
        if output.first is not None:
            print(
                f"output {output.name}: {output.mismatches:,} of {output.elements:,} elements differ, "
                f"the first in {_place_text(output.first)}"
            )
    wrong = result.first_wrong
    if wrong is not None and wrong.first is not None:
        print(f"first: {wrong.name} ({wrong.op}, from {wrong.node}), {_place_text(wrong.first)}")


def _place_text(first: Mismatch) -> str:
    return f"run {first.run}, index {first.index}: found {first.found}, expected {first.expected}"


def report(options: argparse.Namespace) -> int:
    """Summarise a compiled directory."""
    directory = Path(options.directory)
    if not is_output(directory):
        raise PlatformError(
            str(directory), "found no compiled network", "give a directory that `tmc compile` wrote"
        )
    facts = json.loads((directory / MARKER).read_text(encoding="utf-8"))
    try:
        lines = [*_report_lines(facts), f"details: {directory / 'report.html'}"]
    except (KeyError, TypeError) as error:
        raise PlatformError(
            str(directory / MARKER),
            f"found other facts than a report's ({error})",
            "compile the network again",
        ) from error
    print(json.dumps({"ok": True, **facts}) if options.json else "\n".join(lines))
    return 0


def _report_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{facts['network']} for {facts['target']}, {facts['macs']:,} multiply-accumulates, "
        f"{facts['cycles_estimate']:,} cycles by the cost model"
    )
    if facts["declared"] is not None:
        yield f"declared: {KeptDeclarations(**facts['declared']).summary()}"
    for memory in ("l1", "l2", "l3"):
        peak_bytes, budget_bytes = facts[f"{memory}_peak_bytes"], facts[f"{memory}_budget_bytes"]
        yield f"{memory.upper()}  {peak_bytes:>10,} bytes of {budget_bytes:,}"
    need_bytes, stack_bytes = facts["worker_stack"]["need_bytes"], facts["stacks"]["worker_bytes"]
    yield f"worker stack: at most {need_bytes:,} of {stack_bytes:,} bytes"
    use = _accelerator_use(facts)
    if use is not None:
        yield use.text(facts["macs"], facts["cycles_estimate"])
    heads = f"{'exposed':>10} " if use is None else _beside_heads(use)
    yield f"{'stage':<10} {'cycles':>12} {heads}{'MAC/cycle':>10}  ops"
    for stage in facts["stages"]:
        rate = stage["macs"] / stage["cycles"]
        exposed = _beside_text(_beside(stage), stage["cycles"]) or f"{stage['exposed_cycles']:>10,} "
        yield f"{stage['name']:<10} {stage['cycles']:>12,} {exposed}{rate:>10.2f}  {', '.join(stage['ops'])}"


def _accelerator_use(facts: Mapping[str, Any]) -> AcceleratorUse | None:
    return AcceleratorUse(**facts["accelerator"]) if "accelerator" in facts else None


def _beside_heads(use: AcceleratorUse | None) -> str:
    return "" if use is None else f"{use.name.upper():>10} {'busy':>5} {'cores':>10} {'exposed':>10} "


def _beside_text(beside: _Beside | None, cycles: int) -> str:
    """Return what runs beside each other in a stage, under its heads; cycles: of the stage."""
    if beside is None:
        return ""
    busy = share_text(beside.job_cycles, cycles)
    return f"{beside.job_cycles:>10,} {busy:>5} {beside.compute_cycles:>10,} {beside.exposed_cycles:>10,} "
