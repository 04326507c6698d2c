"""Find the values that windows held back from calibration drive out of the calibrated range."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.passes.accuracy.record import BeyondCalibration
from tmc.passes.calibrate.calibrate import Ranges

# Some of the values inside a network go a little further in any window; the input itself is told at once.
NOTABLE_SHARE = 0.1


def beyond_calibration(
    ranges: Ranges,
    extremes: Mapping[str, tuple[float, float]],
    nodes: Mapping[str, str],
    inputs: tuple[str, ...],
) -> tuple[BeyondCalibration, ...]:
    """Return the values that went beyond their calibrated range and 0: inputs first, the furthest first.

    extremes: per value the least and the most that it held in float; nodes: where it comes from. A value
    inside of the network counts from NOTABLE_SHARE on, in parts of its largest calibrated magnitude.
    """
    found = []
    for name, (low, high) in extremes.items():
        known = ranges.values[name]
        least, most = min(known.low, 0.0), max(known.high, 0.0)  # codes have one for 0
        beyond = max(high - most, least - low)
        share = beyond / known.magnitude if known.magnitude else float(beyond > 0)
        if share > (0.0 if name in inputs else NOTABLE_SHARE):
            reach = high if high - most >= least - low else low
            found.append(BeyondCalibration(name, nodes[name], reach, least, most, round(share, 4)))
    return tuple(sorted(found, key=lambda value: (value.name not in inputs, -value.share)))
