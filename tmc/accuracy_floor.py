"""The accuracy that a user demands: a compile below it is an error, and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.ir.errors import AccuracyError, CalibrationError
from tmc.passes.accuracy.record import Accuracy, OutputAccuracy
from tmc.passes.calibrate.calibration import Calibration


@dataclass(frozen=True, slots=True)
class Floor:
    """The accuracy below which nothing is written, on held-back windows; None for no floor."""

    output_db: float | None = None
    agreement_percent: float | None = None


NO_FLOOR = Floor()


def check_floor_has_windows(floor: Floor, calibration: Calibration) -> None:
    """Refuse a floor where no window is held back: it would prove nothing."""
    if floor == NO_FLOOR or calibration.basis == "held-back windows":
        return
    found = f"{calibration.count} window" if calibration.meaningful else "noise instead of windows"
    raise CalibrationError(
        "accuracy floor",
        f"found {found} to calibrate on, allowed 2 or more, some of which are held back to measure on",
        "give recorded windows with --calibration FILE.npz; the more, the more the floor proves",
    )


def check_floor(floor: Floor, found: Accuracy) -> None:
    """Refuse a network below the floor, with the op that costs most and what would help.

    An agreement floor is one for the outputs that are a row of classes.
    Raises: AccuracyError naming the output; also for an agreement floor where none is a row of classes.
    """
    classes = any(output.agreement is not None for output in found.outputs)
    for output in found.outputs:
        shortfall = _shortfall(floor, output, found.windows, classes)
        if shortfall is not None:
            remedies = [
                f"most is lost in {op.node}, whose noise alone would leave {op.alone_db:.1f} dB: {op.advice}"
                for op in found.worst[:1]
            ]
            raise AccuracyError(f"output %{output.name}", shortfall, *remedies)


def _shortfall(floor: Floor, output: OutputAccuracy, windows: int, classes: bool) -> str | None:
    """Return what is missing from an output, or None. classes: whether any output is a row of classes."""
    if floor.output_db is not None and output.sqnr_db < floor.output_db:
        return (
            f"found {output.sqnr_db:.1f} dB of signal to quantisation noise on {windows} held-back windows, "
            f"allowed {floor.output_db:g} or more"
        )
    if floor.agreement_percent is None or (output.agreement is None and classes):
        return None
    if output.agreement is None:
        return "found an output that is not one row of classes, allowed an agreement floor for classes only"
    if output.agreement < floor.agreement_percent:
        return (
            f"found the class of float in {output.agreement:g} % of {windows} held-back windows, "
            f"allowed {floor.agreement_percent:g} or more"
        )
    return None
