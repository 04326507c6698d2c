"""What a comparison of an integer graph with its float graph found; made by passes, printed by reports."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.passes.calibrate.calibration import Basis


@dataclass(frozen=True, slots=True)
class OpAccuracy:
    """One value of the integer graph against the float value of its name, over all windows.

    sqnr_db: signal to quantisation noise. added_db: the same for the noise that this op alone adds, whatever
    its operands hold. clipped: share of the float elements beyond its codes. The input counts as an op.
    """

    name: str
    node: str
    sqnr_db: float
    added_db: float
    clipped: float


@dataclass(frozen=True, slots=True)
class WorstOp:
    """An op whose own noise costs most. alone_db: the output's ratio if no other op added noise."""

    name: str
    node: str
    added_db: float
    alone_db: float
    advice: str


@dataclass(frozen=True, slots=True)
class OutputAccuracy:
    """One graph output. largest_error in the output's units, largest_value that of the float output.

    agreement: percent of windows in which the largest element is that of float, None where the output is not
    one row of elements; of an output of indices, percent of windows in which all are those of float.
    flipped_margin: the largest lead, in float, of the float choice over the integer one; None of indices.
    """

    name: str
    sqnr_db: float
    largest_error: float
    largest_value: float
    agreement: float | None
    flipped_margin: float | None


@dataclass(frozen=True, slots=True)
class BeyondCalibration:
    """A value that held-back windows drive out of its calibrated range [low, high], with 0, in float.

    reach: its element furthest out. share: how far that is beyond the range, in parts of the largest
    magnitude in it.
    """

    name: str
    node: str
    reach: float
    low: float
    high: float
    share: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The integer graph against float over `windows` windows. Ratios in dB, 200 for equality.

    basis: what the windows are; figures on noise mean nothing. worst: at most three ops, worst first, none
    where nothing is lost; their alone_db is that of the window whose outputs are worst. added_windows: over
    how many of the windows added_db is. beyond: values out of their calibrated ranges, inputs first, then
    the furthest first; where there are any, other windows may lose more than these figures say.
    """

    basis: Basis
    windows: int
    outputs: tuple[OutputAccuracy, ...]
    ops: tuple[OpAccuracy, ...]
    worst: tuple[WorstOp, ...]
    added_windows: int = 0
    beyond: tuple[BeyondCalibration, ...] = ()
