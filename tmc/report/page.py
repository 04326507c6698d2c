"""report.html and report.json: the memory map of L2 over the stages, and tables of stages and ops."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from tmc.passes.accuracy.record import Accuracy, OutputAccuracy
from tmc.report.accelerator import share_text
from tmc.report.captions import made_by
from tmc.report.facts import MemoryRow, OpRow, Report, StageRow

WIDTH, HEIGHT, LEFT, BOTTOM = 960, 420, 84, 24
_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#e15759", "#9c755f", "#edc948")


@dataclass(frozen=True, slots=True)
class Rectangle:
    """One buffer in the memory map."""

    x: int
    y: int
    width: int
    height: int
    colour: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A number on an axis of the memory map; a line goes across it at y, its text stands at text_y."""

    x: int
    y: int
    text_y: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its heads, and its rows of text."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageText:
    """What the template of report.html prints."""

    made_by: str
    summary: str
    width: int
    height: int
    left: int
    rectangles: tuple[Rectangle, ...]
    stage_labels: tuple[Label, ...]
    byte_labels: tuple[Label, ...]
    tables: tuple[Table, ...]


def report_files(report: Report) -> dict[str, bytes]:
    """Return the report's files of the output directory by name."""
    page = _ENVIRONMENT.get_template("report.html.j2").render(r=report, page=page_text(report))
    return {
        "report.html": page.encode(),
        "report.json": (json.dumps(report.to_json(), indent=1) + "\n").encode(),
    }


def _template(name: str) -> str:
    return (files("tmc.report") / name).read_text(encoding="utf-8")


_ENVIRONMENT = Environment(
    loader=FunctionLoader(_template),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
    autoescape=True,
)


def page_text(report: Report) -> PageText:
    """Return what report.html says."""
    plot_bottom = HEIGHT - BOTTOM
    columns = max(1, len(report.stages))
    top_bytes = max(1, report.l2.budget_bytes, report.l2.peak_bytes)

    def across(stage: int) -> int:
        return LEFT + stage * (WIDTH - LEFT) // columns

    def up(offset_bytes: int) -> int:
        return plot_bottom - offset_bytes * plot_bottom // top_bytes

    rectangles = []
    for number, buffer in enumerate(report.l2_buffers):
        first, last = max(0, buffer.first), min(columns - 1, buffer.last)
        end = buffer.offset_bytes + buffer.size_bytes
        place = f"{buffer.size_bytes:,} bytes at {buffer.offset_bytes:,}"
        rectangles.append(
            Rectangle(
                across(first),
                up(end),
                across(last + 1) - across(first),
                up(buffer.offset_bytes) - up(end),
                _COLOURS[number % len(_COLOURS)],
                f"{buffer.name}: {place}, stages {first} to {last}",
            )
        )
    marks = (("budget", report.l2.budget_bytes), ("peak", report.l2.peak_bytes))
    return PageText(
        made_by(report),
        f"{report.macs:,} multiply-accumulates, {report.weights_bytes:,} bytes of packed constants, "
        f"{report.cycles_estimate:,} modelled cycles "
        f"({report.cycles_estimate * 1000 / report.cluster_hz:.1f} ms at "
        f"{report.cluster_hz // 1_000_000} MHz), {report.exposed_fetch_cycles:,} of them waiting for L3. "
        f"{report.stack_text}."
        + "".join(f" Recipe: {step}={value}." for step, value in report.origin.recipe.items())
        + ("" if report.declared is None else f" Of the quantised model: {report.declared.summary()}.")
        + ("" if report.loudness_text is None else f" Loudness: {report.loudness_text}.")
        + ("" if report.accelerator_text is None else f" {report.accelerator_text}."),
        WIDTH,
        HEIGHT,
        LEFT,
        tuple(rectangles),
        tuple(Label(across(n), HEIGHT - 8, HEIGHT - 8, str(n)) for n in range(columns)),
        tuple(_byte_label(up(value), name, value) for name, value in marks),
        (
            _interface_table(report),
            *_accuracy_tables(report.accuracy),
            _memory_table(report),
            _stage_table(report),
            _op_table(report),
        ),
    )


def _byte_label(y: int, name: str, size_bytes: int) -> Label:
    """Return a line of the map; its text stays inside the picture."""
    return Label(0, y, max(10, y + 3), f"{name} {size_bytes:,}")


def _interface_table(report: Report) -> Table:
    rows = tuple(
        (
            f"{what} {port.name}",
            f"{port.dtype} {'x'.join(map(str, port.shape))}",
            f"{len(port.scales)} scales" if len(port.scales) > 1 else "".join(map(repr, port.scales)),
            str(port.zero_point),
            f"{port.limits[0]:,} to {port.limits[1]:,}",
        )
        for what, ports in (("input", report.inputs), ("output", report.outputs))
        for port in ports
    )
    return Table("Interface", ("port", "type", "scale", "zero point", "codes"), rows)


def _memory_table(report: Report) -> Table:
    def row(name: str, memory: MemoryRow) -> tuple[str, ...]:
        sizes = (memory.peak_bytes, memory.bound_bytes, memory.budget_bytes)
        return (name, *(f"{size:,}" for size in sizes))

    rows = (row("L1", report.l1), row("L2", report.l2), row("L3", report.l3))
    return Table("Memory", ("memory", "peak bytes", "no plan below", "budget"), rows)


def _accuracy_tables(found: Accuracy | None) -> tuple[Table, ...]:
    """Return the comparison with float: outputs, and the ops that cost most."""
    if found is None:
        return ()
    note = ": for want of recorded windows, so it means nothing" if found.basis == "noise" else ""
    outputs = Table(
        f"Against float, on {found.windows} {found.basis}{note}",
        ("output", "dB", "largest error", "largest value", "same largest element", "float leads by at most"),
        tuple(_output_row(output) for output in found.outputs),
    )
    worst = Table(
        f"Where most is lost: own noise over {found.added_windows} windows, alone in the worst of "
        f"{found.windows}",
        ("ONNX node", "output", "dB of its own noise", "dB of the network with it alone", "what would help"),
        tuple(
            (op.node, op.name, f"{op.added_db:.1f}", f"{op.alone_db:.1f}", op.advice) for op in found.worst
        ),
    )
    if not found.beyond:
        return outputs, worst
    beyond = Table(
        f"Beyond the calibrated range in {found.windows} held-back windows: calibrate on more, the loudest "
        "among them",
        ("ONNX node", "output", "reaches", "calibrated from", "to", "% beyond its largest"),
        tuple(
            (
                each.node,
                each.name,
                *(f"{end:.4g}" for end in (each.reach, each.low, each.high)),
                f"{100 * each.share:.2g}",
            )
            for each in found.beyond
        ),
    )
    return outputs, beyond, worst


def _output_row(output: OutputAccuracy) -> tuple[str, ...]:
    agreement = "" if output.agreement is None else f"{output.agreement:g} %"
    margin = "" if output.flipped_margin is None else f"{output.flipped_margin:.3g}"
    sizes = (f"{output.largest_error:.3g}", f"{output.largest_value:.3g}")
    return (output.name, f"{output.sqnr_db:.1f}", *sizes, agreement, margin)


def _op_accuracy(row: OpRow) -> tuple[str, ...]:
    if row.sqnr_db is None or row.added_db is None or row.clipped is None:
        return "", "", ""
    return f"{row.sqnr_db:.1f}", f"{row.added_db:.1f}", f"{100 * row.clipped:.3g}"


def _stage_table(report: Report) -> Table:
    jobs = () if report.accelerator is None else (f"jobs of {report.accelerator.name.upper()}", "of cycles")
    heads = (
        "stage",
        "ops",
        "tiles",
        "cycles",
        "kernels",
        "transfers",
        *jobs,
        "exposed",
        "no tiles below",
        "MAC per cycle",
        "L1 bytes",
    )
    rows = tuple(
        (
            stage.name,
            ", ".join(stage.ops),
            stage.tiles,
            f"{stage.cycles:,}",
            f"{stage.compute_cycles:,}",
            f"{stage.dma_cycles:,}",
            *_job_columns(stage),
            f"{stage.exposed_cycles:,}",
            f"{stage.bound_cycles:,}",
            f"{stage.macs / max(1, stage.cycles):.1f}",
            f"{stage.l1_peak_bytes:,}",
        )
        for stage in report.stages
    )
    return Table("Stages, modelled cycles", heads, rows)


def _job_columns(stage: StageRow) -> tuple[str, ...]:
    if stage.job_cycles is None:
        return ()
    return f"{stage.job_cycles:,}", share_text(stage.job_cycles, stage.cycles)


def _op_table(report: Report) -> Table:
    rows = tuple(
        (
            row.name,
            row.op,
            row.node,
            str(row.stage),
            f"{row.dtype} {'x'.join(map(str, row.shape))}",
            f"{row.macs:,}",
            ", ".join(row.kernels),
            *_op_accuracy(row),
        )
        for row in report.ops
    )
    heads = (
        "output",
        "op",
        "ONNX node",
        "stage",
        "type",
        "MACs",
        "kernels",
        "dB",
        "dB of its own noise",
        "% clipped",
    )
    windows = "" if report.accuracy is None else f", compared over {report.accuracy.windows} windows"
    return Table(f"Ops{windows}", heads, rows)
