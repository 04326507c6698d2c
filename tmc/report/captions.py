"""The facts of a report as sentences for the comments of the generated files."""

from __future__ import annotations

from tmc.backend_gap9.emit.captions import Captions
from tmc.report.facts import Report


def captions(report: Report) -> Captions:
    """Return what the generated files say about where they come from and what is planned."""
    stages = (_stage_facts(report, number) for number in range(len(report.stages)))
    return Captions(made_by(report), _network_facts(report), tuple(stages))


def made_by(report: Report) -> str:
    """Return the sentence that says where a generated file comes from."""
    origin = report.origin
    return (
        f"Made by {origin.compiler} from {origin.model} (sha256 {origin.model_sha256[:16]}) "
        f"for {report.target}."
    )


def _network_facts(report: Report) -> tuple[str, ...]:
    return (
        made_by(report),
        f"{len(report.stages)} stages, {report.macs:,} multiply-accumulates, {report.cycles_estimate:,} "
        f"modelled cycles. L1 {report.l1.peak_bytes:,} of {report.l1.budget_bytes:,} bytes, "
        f"L2 {report.l2.peak_bytes:,} of {report.l2.budget_bytes:,}, L3 {report.l3.peak_bytes:,}.",
    )


def _stage_facts(report: Report, number: int) -> tuple[str, ...]:
    row = report.stages[number]
    waiting = "L2" if report.accelerator is None else f"L2 and {report.accelerator.name.upper()}"
    jobs = f", {row.job_cycles:,} cycles of jobs" if row.job_cycles else ""
    return (
        f"Stage {number} of {len(report.stages)}.",
        f"Tiles: {row.tiles}. L1: {row.l1_peak_bytes:,} bytes.",
        f"Modelled: {row.cycles:,} cycles = {row.compute_cycles:,} of kernels + {row.exposed_cycles:,} of "
        f"waiting for {waiting}; at least {row.bound_cycles:,} with any tiles. {row.macs:,} "
        f"multiply-accumulates{jobs}.",
    )
