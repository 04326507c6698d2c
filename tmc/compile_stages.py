"""The stages of a compile that make a value to look at: one table, in the order of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.cut_linears import cut_linears
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.frontend.onnx_import import load_model
from tmc.passes.accuracy.accuracy import accuracy
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.declared.lower_declared import lower_declared
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.pipeline import NamedPass, Pass, named
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.equalise import EQUALISE


@dataclass(frozen=True, slots=True)
class CompileStage:
    """A stage: the name under which `Watch.after` sees what it made, and the function that makes it.

    is_pass: `tmc passes` lists it. calibrated: a model that is not taken code by code comes through here.
    planned: it needs room in the memories of the target.
    """

    name: str
    function: Callable[..., object]
    is_pass: bool = True
    calibrated: bool = True
    planned: bool = False


def compile_stages(canonicalise: Sequence[Pass | NamedPass] = CANONICALISE) -> tuple[CompileStage, ...]:
    """Return the table, with these passes to canonical form."""
    return (
        CompileStage("import", load_model, is_pass=False),
        CompileStage("lower_declared", lower_declared, is_pass=False, calibrated=False),
        *(CompileStage(entry.name, _function(entry.run)) for entry in map(named, canonicalise)),
        CompileStage("calibrate", calibrate),
        *(CompileStage(rewrite.__name__, rewrite) for rewrite in EQUALISE),
        CompileStage("choose_scales", choose_scales),
        CompileStage("quantise", quantise),
        CompileStage("pad_rows", pad_rows),
        CompileStage("accuracy", accuracy),
        CompileStage("cut_linears", cut_linears, planned=True),
        CompileStage("offload", offload, planned=True),
        CompileStage("stages", stage_graph, is_pass=False, planned=True),
        CompileStage("plan", make_plan, is_pass=False, planned=True),
        CompileStage("program", build_program, is_pass=False, planned=True),
    )


def value_names(canonicalise: Sequence[Pass | NamedPass] = CANONICALISE) -> tuple[str, ...]:
    """Return the names that `Watch.after` sees of a model that is calibrated, in order."""
    return tuple(stage.name for stage in compile_stages(canonicalise) if stage.calibrated)


def _function(run: Pass) -> Callable[..., object]:
    """Return the function of a pass, from under what is bound to it: its documentation says what it does."""
    return run.func if isinstance(run, partial) else run
