"""The compiler from end to end: read this page first.

    ONNX file --frontend--> float Graph --passes--> integer Graph
              --staging--> Staged --planning--> Plan --schedule--> Program --emit--> directory of C

Every arrow is checked: the imported graph against onnxruntime, every pass by the verifier, the plan and the
program by checkers that share no code with what made them. Nothing is written unless all of it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tmc import __version__
from tmc.accuracy_floor import NO_FLOOR, Floor, check_floor, check_floor_has_windows
from tmc.backend_gap9.emit.emit import emit
from tmc.backend_gap9.emit.keep_files import KeptFiles
from tmc.backend_gap9.emit.output_directory import check_output, write_directory
from tmc.backend_gap9.emit.stack_need import check_stack
from tmc.backend_gap9.kernels.costs import check_costs
from tmc.backend_gap9.kernels.table import COSTS
from tmc.backend_gap9.plan.fits import check_fits
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_plan import check_plan
from tmc.backend_gap9.prove.check_program import CheckReport, check_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.cut_linears import cut_linears
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.staged import Staged
from tmc.backend_gap9.target.target import Target
from tmc.calibration import choose_calibration
from tmc.check_ports import check_ports
from tmc.frontend.input_types import Shapes
from tmc.frontend.onnx_import import identifier, load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime, oracle_of
from tmc.integer_inputs import StatedRanges, integer_inputs
from tmc.ir.errors import TmcError, UnsupportedModel
from tmc.ir.graph import Graph
from tmc.ir.types import Array
from tmc.passes.accuracy.accuracy import accuracy
from tmc.passes.accuracy.record import Accuracy
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.calibrate.calibration import Calibration
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import NamedPass, Pass
from tmc.passes.quantise_model import How, Quantised, quantise_model
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import Scales
from tmc.passes.watch import Watch
from tmc.report.agreement import file_agreement
from tmc.report.captions import captions
from tmc.report.facts import Origin, Report, build_report
from tmc.report.page import report_files

Value = Graph | Ranges | Scales | Accuracy | Staged | Plan | Program

REFERENCE_SAMPLES = 2  # compared with onnxruntime, which takes as long as interpreting them


@dataclass(frozen=True, slots=True)
class Options:
    """What to compile, for what, and where to: without an output nothing is written.

    shapes: of inputs whose sizes the file leaves open.
    input_ranges: the smallest and the largest integer that a network of integers reads.
    wide: names of values, or of their nodes, that are stored in 16 bits where the recipe would take 8.
    judge_shapes: hold shapes to the target before any sample is looked at; not where the plan is not wanted.
    canonicalise: the passes to canonical form; researchers hand in their own.
    """

    model: Path
    target: Target
    output: Path | None = None
    calibration: Path | None = None
    name: str | None = None
    shapes: Shapes = field(default_factory=dict)
    input_ranges: StatedRanges = field(default_factory=dict)
    resident_weights: bool = True  # else every inference brings all weights from L3
    judge_shapes: bool = True
    recipe: Recipe = DEFAULT
    wide: frozenset[str] = frozenset()
    floor: Floor = NO_FLOOR
    canonicalise: tuple[Pass | NamedPass, ...] = CANONICALISE


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compile made. reference_difference: imported graph to the oracle, relative to the range.

    kept_files: what the output directory held of others.
    """

    graph: Graph
    plan: Plan
    program: Program
    report: Report
    calibration: Calibration
    accuracy: Accuracy
    reference_difference: float
    oracle: str
    quantised: Quantised
    proof: CheckReport
    files: Mapping[str, bytes] = field(repr=False)
    kept_files: KeptFiles


def compile_model(options: Options, watch: Watch | None = None) -> Compiled:
    """Compile an ONNX file and write the output directory.

    Raises: TmcError naming the ONNX node, what was found, what is allowed and what to do; then nothing is
    written.
    """
    watch = watch or Watch()
    done = watch.done
    _check_request(options)

    watch.stage(f"import {options.model.name}")
    model = load_model(options.model, options.name, options.shapes)
    for text in model.notes:
        watch.note(text)
    imported = model.graph
    _check_interface(options.model, imported, options.target)
    check_ports(imported)
    done("import", imported)
    calibration = choose_calibration(options.model, options.calibration, imported, model.truths)
    check_floor_has_windows(options.floor, calibration)
    calibration, integers = integer_inputs(imported, calibration, options.input_ranges)
    watch.stage(f"compare with {oracle_of(imported)}")
    difference = check_against_onnxruntime(options.model, imported, calibration.first(REFERENCE_SAMPLES))
    done("compare")

    how = How(options.canonicalise, options.recipe, wide=options.wide)
    if options.judge_shapes:
        how = replace(how, fits=partial(check_fits, target=options.target))
    quantised = quantise_model(imported, calibration, how, model.weight_scales, integers, watch)
    integer, held_back = quantised.graph, calibration.held_back
    check_ports(integer)  # what passes found out to be the same

    watch.stage(f"compare with float on {_count(held_back)} {calibration.basis}")
    exact = quantised.kept is not None and quantised.kept.exact
    exactness = accuracy(
        *(quantised.real, integer, quantised.ranges, held_back, calibration.basis, options.recipe),
        calibrated=not exact,
    )
    done("accuracy", exactness)
    check_floor(options.floor, exactness)
    kept = file_agreement(options.model, imported, quantised, calibration)

    watch.stage("plan tiles and memories")
    integer = cut_linears(integer, options.target)
    done("cut_linears", integer)
    integer = offload(integer, options.target)
    done("offload", integer)
    staged = stage_graph(integer, options.target)
    done("stages", staged)
    plan = make_plan(staged, options.target, resident_weights=options.resident_weights)
    done("plan", plan)
    check_plan(plan, integer, options.target)
    done("check_plan")
    watch.stage("schedule, and prove the program")
    program = build_program(plan)
    done("program", program)
    proof = check_program(program, integer, plan, staged.contents, options.target)
    check_cycles(plan, program, proof, options.target)
    check_stack(program, integer, options.target)
    done("check_program")

    watch.stage("emit C")
    report = build_report(
        *(plan, program, options.target, _origin(options), exactness, kept, proof.replayed),
        loudness=quantised.loudness,
    )
    golden = quantise_inputs(integer, calibration.first(1)[0])
    files = emit(integer, program, staged.contents, captions(report), options.target, golden)
    files |= report_files(report)
    kept_files = KeptFiles() if options.output is None else write_directory(files, options.output)
    done("emit")
    return Compiled(
        integer,
        plan,
        program,
        report,
        calibration,
        exactness,
        difference,
        oracle_of(imported),
        quantised,
        proof,
        files,
        kept_files,
    )


def _check_request(options: Options) -> None:
    """Refuse, before any work, what cannot lead to C: a missing model, a name that C cannot take, a target
    without the costs of all kernels, an output without a place."""
    if not options.model.is_file():
        raise UnsupportedModel(str(options.model), "found no file of this name", "check the path")
    if options.name is not None and options.name != identifier(options.name):
        raise TmcError(
            "--name",
            f"found {options.name!r}, allowed letters, digits and _, no digit first",
            f"for example --name {identifier(options.name)}",
        )
    check_costs(options.target, COSTS)
    if options.output is not None:
        check_output(options.output)


def _check_interface(model: Path, graph: Graph, target: Target) -> None:
    for kind, names in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if not names:
            raise UnsupportedModel(
                model.name, f"found no {kind}, allowed one or more", "export the network, not a constant"
            )
        elements, room = sum(graph.types[name].elements for name in names), target.l2.size_bytes
        if elements > room:
            raise UnsupportedModel(
                f"{kind if len(names) > 1 else kind.removesuffix('s')} {', '.join(names)}",
                f"found {elements:,} elements, allowed {room:,}: in L2 each takes a byte or more",
                "cut the recording into shorter windows",
            )


def _count(samples: Mapping[str, Array]) -> int:
    return min(len(array) for array in samples.values())


def _origin(options: Options) -> Origin:
    digest = hashlib.sha256(options.model.read_bytes()).hexdigest()
    steps = options.recipe.changed() | {f"bits {name}": "16" for name in sorted(options.wide)}
    return Origin(options.model.name, digest, f"tmc {__version__}", steps)
