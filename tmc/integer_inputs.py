"""Which integers a network of integers (RequantShift) reads: as stated, or as samples or the model show.

The file says float32 and means integers of 8 bits, signed or not. A port of the wrong ones would clip what
comes, and the codes would be another network's: so it is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from tmc.ir.attrs import RequantShiftAttrs
from tmc.ir.errors import CalibrationError
from tmc.ir.graph import Graph, Op, OpKind, uses, values_through
from tmc.ir.ops import MOVES
from tmc.ir.types import Array
from tmc.passes.calibrate.calibration import Calibration

Limits: TypeAlias = tuple[int, int]
# The smallest and the largest integer by input; under None: of all that have none of their own.
StatedRanges: TypeAlias = Mapping[str | None, Limits]
SIGNED: Limits = (-128, 127)
UNSIGNED: Limits = (0, 255)
# Where integers have to come from noise: three deviations of it on each side span the range.
NOISE_DEVIATIONS = 6


def integer_inputs(
    graph: Graph, calibration: Calibration, stated: StatedRanges
) -> tuple[Calibration, dict[str, Limits]]:
    """Return samples that fit, and the integers that ports hold: SIGNED or UNSIGNED, by input.

    stated: the smallest and the largest integer by the user. Noise becomes integers of the range. An input
    that the network rounds itself, or that is calibrated, has no such port, and its samples stay as they are.
    Raises: CalibrationError for a range that is no 8 bits or of no such input, for samples that are no
    integers in it, and where nothing says which integers come.
    """
    readers = {name: _readers(graph, name) for name in graph.inputs}
    reading = [name for name in graph.inputs if _reads_integers(graph, readers[name])]
    _check_stated(graph, reading, stated)
    samples, ports = dict(calibration.samples), dict[str, Limits]()
    for name in reading:
        own = stated.get(name, stated.get(None))
        ports[name] = _port(graph, name, readers[name], calibration, own)
        samples[name] = _samples(name, calibration, ports[name], own)
    return replace(calibration, samples=samples), ports


def _check_stated(graph: Graph, reading: Sequence[str], stated: StatedRanges) -> None:
    """Refuse ranges of inputs that are not there, or that no integers are read from."""
    for name in stated:
        if name is not None and name not in graph.inputs:
            raise CalibrationError(
                "--input-range", f"found a range of input %{name}, allowed {', '.join(graph.inputs)}"
            )
        if name not in reading if name is not None else not reading:
            where = f"%{name}" if name is not None else ", ".join(f"%{each}" for each in graph.inputs)
            raise CalibrationError(
                "--input-range",
                f"found a range of integers for input {where}, which the network does not read as integers, "
                "allowed for networks of integers (RequantShift)",
                "leave it out: the range of this input is that of --calibration, or the model's own",
            )


def _samples(name: str, calibration: Calibration, port: Limits, stated: Limits | None) -> Array:
    """Return the samples of an input as integers in its range; noise is brought into it."""
    least, most = port if stated is None else stated
    array = calibration.samples[name]
    if not calibration.meaningful:
        middle, step = (least + most) / 2, (most - least) / NOISE_DEVIATIONS
        return np.clip(np.rint(middle + step * array), least, most).astype(np.float32)
    low, high = float(array.min()), float(array.max())
    if (array != np.rint(array)).any() or low < least or high > most:
        ranges = (SIGNED, UNSIGNED) if stated is None else (stated,)
        raise CalibrationError(
            f"input %{name}",
            f"found numbers from {low:g} to {high:g}, allowed integers "
            f"{' or '.join(f'from {a} to {b}' for a, b in ranges)}",
            "the network is one of integers (RequantShift): give integers"
            + ("" if stated is None else " inside --input-range, or a wider range"),
        )
    return array


def _reads_integers(graph: Graph, readers: list[Op]) -> bool:
    """Tell whether a network computes with the integers that its input holds."""
    shifts = any(op.kind is OpKind.REQUANT_SHIFT for op in graph.ops)
    return shifts and any(op.kind is not OpKind.FAKE_QUANTISE for op in readers)


def _readers(graph: Graph, name: str) -> list[Op]:
    """Return the ops that read a value or a view of it."""
    readers = uses(graph)
    values = values_through(readers, name, MOVES)
    return [op for value in values for op in readers.get(value, ()) if op.kind not in MOVES]


def _port(
    graph: Graph, name: str, readers: list[Op], calibration: Calibration, stated: Limits | None
) -> Limits:
    """Return the integers that the port has to hold."""
    if stated is not None:
        return _port_of(stated)
    if calibration.meaningful:
        return SIGNED if float(calibration.samples[name].min()) < 0 else UNSIGNED
    proved = [port for port in (SIGNED, UNSIGNED) if all(_saturates(graph, op, port) for op in readers)]
    if not proved:
        raise CalibrationError(
            f"input %{name}",
            "found nothing that says which integers come, allowed int8 (-128 to 127) or uint8 (0 to 255)",
            "say what the network was quantised for, --input-range=-128:127 or --input-range=0:255, or give "
            "samples with --calibration FILE.npz",
        )
    return proved[0]


def _port_of(stated: Limits) -> Limits:
    low, high = stated
    for port in (UNSIGNED, SIGNED):
        if port[0] <= low < high <= port[1]:
            return port
    raise CalibrationError(
        "--input-range",
        f"found {low}:{high}, allowed a part of -128:127 or of 0:255, the lower end first",
        "networks of integers (RequantShift) read 8 bits, signed or not",
    )


def _saturates(graph: Graph, op: Op, port: Limits) -> bool:
    """Tell whether an op gives for every integer beyond a port what it gives for the port's end."""
    if not isinstance(op.attrs, RequantShiftAttrs):
        return False
    mul, add = (graph.constants[name].astype(np.int64) for name in op.inputs[1:])
    low, high = ((end * mul + add + (2**op.attrs.shift >> 1)) >> op.attrs.shift for end in port)
    rising = (low <= op.attrs.low) & (high >= op.attrs.high)
    falling = (low >= op.attrs.high) & (high <= op.attrs.low)
    return bool(np.where(mul > 0, rising, np.where(mul < 0, falling, True)).all())
