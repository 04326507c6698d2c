"""The text of everything that a compile shows: for --print-ir-after and --dump-dir."""

from __future__ import annotations

from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.plan.text import print_plan
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.program.text import print_program
from tmc.backend_gap9.stages.staged import Staged
from tmc.backend_gap9.stages.text import print_staged
from tmc.driver import Value
from tmc.ir.graph import Graph
from tmc.ir.text import print_graph
from tmc.passes.accuracy.record import Accuracy
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.scales.choose_scales import Scales


def print_value(value: Value) -> str:
    """Return what a compile made as text."""
    match value:
        case Graph():
            return print_graph(value)
        case Ranges():
            return _print_ranges(value)
        case Scales():
            return _print_scales(value)
        case Accuracy():
            return _print_accuracy(value)
        case Staged():
            return print_staged(value)
        case Plan():
            return print_plan(value)
        case Program():
            return print_program(value)


def _print_ranges(ranges: Ranges) -> str:
    lines = [f"ranges over {ranges.samples} samples"]
    lines += [f"%{name}: {found.low:.6g} to {found.high:.6g}" for name, found in ranges.values.items()]
    return "\n".join(lines) + "\n"


def _print_scales(scales: Scales) -> str:
    lines = ["real = scale * (code - zero point); several scales are those of heads or columns"]
    for name, quant in scales.quants.items():
        parts = [f"{scale:.6g}" for scale in dict.fromkeys(quant.scale)]
        lines.append(f"%{name}: {scales.roles[name].value}, zero point {quant.zero_point}, {' '.join(parts)}")
    return "\n".join(lines) + "\n"


def accuracy_lines(found: Accuracy) -> list[str]:
    """Return what a comparison with float found: one line for each output and each of the worst ops."""
    lines = []
    for output in found.outputs:
        text = (
            f"%{output.name} {output.sqnr_db:.1f} dB, error at most {output.largest_error:.3g} of values "
            f"up to {output.largest_value:.3g}"
        )
        if output.agreement is not None:
            text += f", same largest element in {output.agreement:g} %"
        if output.flipped_margin is not None:
            text += f", where not, float leads by at most {output.flipped_margin:.3g}"
        lines.append(text)
    for op in found.worst:
        lines.append(
            f"{op.node}: its noise alone would leave {op.alone_db:.1f} dB of the worst window; {op.advice}"
        )
    return lines


def beyond_text(found: Accuracy) -> str | None:
    """Return what held-back windows drive out of the calibrated range, None if nothing."""
    if not found.beyond:
        return None
    first, *others = found.beyond
    where = first.node if first.node == f"input %{first.name}" else f"%{first.name} ({first.node})"
    text = (
        f"{where} reaches {first.reach:.4g} in {found.windows} held-back windows, "
        f"{first.low:.4g} to {first.high:.4g} in calibration: {100 * first.share:.2g} % beyond"
    )
    if others:
        text += f"; so do {len(others)} more value{'s' if len(others) > 1 else ''}"
    return f"{text}; other windows may lose more than the figures say"


def _print_accuracy(found: Accuracy) -> str:
    lines = [
        f"integer against float over {found.windows} {found.basis}",
        *accuracy_lines(found),
        f"value: signal to noise; to the noise that its op adds, over {found.added_windows} of them; "
        "share clipped",
    ]
    lines += [f"%{op.name}: {op.sqnr_db:.2f} dB; {op.added_db:.2f} dB; {op.clipped:g}" for op in found.ops]
    return "\n".join(lines) + "\n"
