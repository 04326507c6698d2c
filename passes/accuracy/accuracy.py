"""Compare the integer graph with the float graph, value by value, over windows that nobody calibrated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log10

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.ops import OPS, VIEWS
from tmc.ir.types import Array, DType
from tmc.passes.accuracy.advice import Finding, accuracy_advice
from tmc.passes.accuracy.beyond_calibration import beyond_calibration
from tmc.passes.accuracy.record import Accuracy, BeyondCalibration, OpAccuracy, OutputAccuracy, WorstOp
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.calibrate.calibration import Basis
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.recipe import DEFAULT, Recipe

EQUAL_DB = 200.0
# Ops whose results hold no numbers of their own, or are none that noise is of.
UNMEASURED = VIEWS | {OpKind.ARGMAX_COLUMNS}
# Windows over which the noise that each op adds is measured; it needs a second float computation of each op.
ADDED_WINDOWS = 2
# Of the ops that add most, relative to their own result, so many with int8 results and so many with wider
# ones (the residual stream, where less noise does more): among these, the effect on the outputs decides.
CANDIDATES = 8
WORST = 3


def accuracy(
    graph: Graph,
    integer: Graph,
    ranges: Ranges,
    samples: Mapping[str, Array],
    basis: Basis,
    recipe: Recipe = DEFAULT,
    *,
    calibrated: bool = True,
) -> Accuracy:
    """Return how far the integer graph is from the float graph that it was made of.

    samples: per graph input an array [S, *input shape], S at least 1; basis: what they are. ranges: of the
    calibration, recipe: of the quantisation; both only for the advice, and for telling what held-back windows
    drive beyond the ranges. calibrated: whether scales follow from these, and are not all the model's.
    Every value is compared with the float value of its name; one that float does not have is a step on the
    way to one that it has. The noise that an op adds is that of its integer
    form against its float form on the same operands, those of the integer graph: what comes from before it
    does not count. The worst ops are those whose added noise, put into the float graph alone, disturbs the
    outputs most, in the window whose outputs are worst.
    """
    count = min(len(samples[name]) for name in graph.inputs)
    computed = (op.output for op in integer.ops if op.kind not in UNMEASURED and op.output in graph.types)
    names = (*integer.inputs, *computed)
    tallies = {name: _Tally() for name in names}
    outputs = {name: _Output() for name in graph.outputs}
    made_by = producers(integer)
    hardest: tuple[float, _Window] | None = None
    for index in range(count):
        inputs = {name: np.asarray(samples[name][index], dtype=np.float32) for name in graph.inputs}
        window = _Window.of(graph, integer, inputs)
        for name, tally in tallies.items():
            tally.compare(window.real[name], window.stored[name], *_span(integer, made_by.get(name), name))
            if index < ADDED_WINDOWS:
                tally.add(window.real[name], window.added(name))
        for name, output in outputs.items():
            output.compare(window.real[name], window.stored[name])
        ratio = window.output_db(window.stored)
        hardest = (ratio, window) if hardest is None or ratio < hardest[0] else hardest
    assert hardest is not None, "there is at least one window"
    nodes = {name: made_by[name].loc if name in made_by else f"input %{name}" for name in names}
    ops = tuple(
        OpAccuracy(name, nodes[name], tally.sqnr_db, tally.added_db, round(tally.clipped, 6))
        for name, tally in tallies.items()
    )
    alone = {name: hardest[1].alone_db(name) for name in _candidates(integer, hardest[1], names)}
    worst = []
    for name in sorted((name for name in alone if alone[name] < EQUAL_DB), key=alone.__getitem__)[:WORST]:
        tally = tallies[name]
        finding = Finding(
            name,
            tally.added_noise / tally.added_elements,
            tally.clipped,
            tally.clipped_noise,
            tally.low,
            tally.high,
            tally.signal == 0.0,
        )
        worst.append(
            WorstOp(
                name,
                nodes[name],
                tally.added_db,
                alone[name],
                accuracy_advice(integer, ranges, recipe, finding),
            )
        )
    results = tuple(output.result(name) for name, output in outputs.items())
    beyond: tuple[BeyondCalibration, ...] = ()
    if calibrated and basis == "held-back windows":
        extremes = {name: (tally.low, tally.high) for name, tally in tallies.items()}
        beyond = beyond_calibration(ranges, extremes, nodes, integer.inputs)
    return Accuracy(basis, count, results, ops, tuple(worst), min(count, ADDED_WINDOWS), beyond)


@dataclass(slots=True)
class _Window:
    """All values of one window: in float, and what the integer graph stored, as real numbers in rows."""

    graph: Graph
    made_by: Mapping[str, Op]
    real: dict[str, Array] = field(default_factory=dict)
    stored: dict[str, Array] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph, integer: Graph, inputs: Mapping[str, Array]) -> _Window:
        window = _Window(graph, producers(graph), dict(inputs))
        made_by = producers(integer)
        interpret(graph, inputs, window.real.__setitem__)

        def store(name: str, codes: Array) -> None:
            rows = _rows(integer, made_by.get(name), name, codes)
            # The float graph may see the same rows through a reshape.
            window.stored[name] = rows.reshape(window.real[name].shape) if name in window.real else rows

        codes = quantise_inputs(integer, inputs)
        for name, array in codes.items():
            store(name, array)
        interpret(integer, codes, store)
        return window

    def added(self, name: str) -> Array:
        """Return the noise of one value that its own op makes: against float on the integer operands."""
        exact = self.real[name] if name in self.graph.inputs else self._float_form(name)
        return np.asarray(self.stored[name] - exact)

    def _float_form(self, name: str) -> Array:
        """Evaluate the float ops between the stored operands of an integer op and its result."""
        op = self.made_by[name]
        operands = [self._operand(operand) for operand in op.inputs]
        return np.asarray(OPS[op.kind].evaluate(operands, op.attrs))

    def _operand(self, name: str) -> Array:
        if name in self.graph.constants:
            return self.graph.constants[name]
        return self.stored[name] if name in self.stored else self._float_form(name)

    def output_db(self, found: Mapping[str, Array]) -> float:
        """Return the worst ratio among the graph outputs that are found."""
        ratios = [
            ratio_db(_power(self.real[name]), _power(found[name] - self.real[name]))
            for name in self.graph.outputs
            if name in found
        ]
        return min(ratios, default=EQUAL_DB)

    def alone_db(self, name: str) -> float:
        """Return the worst ratio of an output if the noise that this op adds were the only one."""
        changed = {name: self.real[name] + self.added(name)}
        for op in self.graph.ops:
            if op.output not in changed and any(operand in changed for operand in op.inputs):
                operands = [
                    changed[operand]
                    if operand in changed
                    else self.graph.constants[operand]
                    if operand in self.graph.constants
                    else self.real[operand]
                    for operand in op.inputs
                ]
                changed[op.output] = np.asarray(OPS[op.kind].evaluate(operands, op.attrs))
        return self.output_db(changed)


@dataclass(slots=True)
class _Tally:
    """Sums over windows for one value; low and high are the float extremes."""

    signal: float = 0.0
    noise: float = 0.0
    added_signal: float = 0.0
    added_noise: float = 0.0
    added_elements: int = 0
    elements: int = 0
    beyond: int = 0
    beyond_noise: float = 0.0
    low: float = inf
    high: float = -inf

    def compare(self, real: Array, stored: Array, least: Array, most: Array) -> None:
        least, most = (end.reshape(real.shape) if end.ndim else end for end in (least, most))
        self.signal += _power(real)
        self.noise += _power(stored - real)
        self.low, self.high = min(self.low, float(real.min())), max(self.high, float(real.max()))
        beyond = np.maximum(np.maximum(least - real, real - most), 0.0)
        self.elements += real.size
        self.beyond += int(np.count_nonzero(beyond))
        self.beyond_noise += _power(beyond)

    def add(self, real: Array, noise: Array) -> None:
        self.added_signal += _power(real)
        self.added_noise += _power(noise)
        self.added_elements += noise.size

    @property
    def sqnr_db(self) -> float:
        return ratio_db(self.signal, self.noise)

    @property
    def added_db(self) -> float:
        return ratio_db(self.added_signal, self.added_noise)

    @property
    def clipped(self) -> float:
        return self.beyond / self.elements

    @property
    def clipped_noise(self) -> float:
        """Return the share of all noise that comes from elements beyond the codes."""
        return min(1.0, self.beyond_noise / self.noise) if self.noise else 0.0


@dataclass(slots=True)
class _Output:
    """Sums over windows for one graph output."""

    signal: float = 0.0
    noise: float = 0.0
    largest_error: float = 0.0
    largest_value: float = 0.0
    windows: int = 0
    agreed: int | None = 0
    margin: float | None = 0.0

    def compare(self, real: Array, stored: Array) -> None:
        self.signal += _power(real)
        self.noise += _power(stored - real)
        self.largest_error = max(self.largest_error, float(np.abs(stored - real).max()))
        self.largest_value = max(self.largest_value, float(np.abs(real).max()))
        self.windows += 1
        if real.dtype == DType.S32.numpy:
            self.margin = None
            self.agreed = None if self.agreed is None else self.agreed + bool((real == stored).all())
            return
        if real.size != real.shape[-1] or real.size < 2 or self.agreed is None:
            self.agreed = None
            return
        wanted, found = int(np.argmax(real)), int(np.argmax(stored))
        self.agreed += wanted == found
        self.margin = max(self.margin or 0.0, float(real.flat[wanted] - real.flat[found]))

    def result(self, name: str) -> OutputAccuracy:
        agreement = None if self.agreed is None else round(100 * self.agreed / self.windows, 2)
        flipped = self.agreed is not None and self.agreed < self.windows and self.margin is not None
        margin = float(f"{self.margin:.4g}") if flipped else None
        return OutputAccuracy(
            name,
            ratio_db(self.signal, self.noise),
            float(f"{self.largest_error:.4g}"),
            float(f"{self.largest_value:.4g}"),
            agreement,
            margin,
        )


def _candidates(integer: Graph, window: _Window, names: tuple[str, ...]) -> list[str]:
    """Return the values whose ops add most noise: of each width, those of the lowest ratios."""
    ratios = {name: ratio_db(_power(window.real[name]), _power(window.added(name))) for name in names}
    narrow = {name for name in names if integer.types[name].dtype is DType.S8}
    return [
        name
        for width in (True, False)
        for name in sorted((name for name in names if (name in narrow) is width), key=ratios.__getitem__)[
            :CANDIDATES
        ]
    ]


def _rows(integer: Graph, op: Op | None, name: str, codes: Array) -> Array:
    """Return stored codes as float32 real numbers, in the order of the float graph."""
    kind = integer.types[name]
    assert kind.quant is not None
    steps = codes.astype(np.float32) - np.float32(kind.quant.zero_point)
    return _in_rows(op, steps * kind.element_scales.astype(np.float32))


def _in_rows(op: Op | None, array: Array) -> Array:
    """Return what an op stores by heads or transposed in rows, as the float graph has it."""
    layout = op.attrs.layout if op is not None and isinstance(op.attrs, QLinearAttrs) else "rows"
    if layout == "heads" or (op is not None and op.kind is OpKind.QROPE):
        return array.transpose(1, 0, 2).reshape(array.shape[1], -1)
    return array.T if layout == "transposed" else array


def _span(integer: Graph, op: Op | None, name: str) -> tuple[Array, Array]:
    """Return the smallest and largest real number that the codes of a value can stand for, by rounding.

    As the value in rows, or one number for all elements.
    """
    kind = integer.types[name]
    assert kind.quant is not None
    scale = kind.element_scales.astype(np.float32)
    scale = _in_rows(op, scale) if scale.ndim else scale
    least, most = kind.code_limits
    zero_point = kind.quant.zero_point
    return scale * np.float32(least - zero_point - 0.5), scale * np.float32(most - zero_point + 0.5)


def _power(array: Array) -> float:
    flat = array.reshape(-1).astype(np.float64)
    return float(flat @ flat)


def ratio_db(signal: float, noise: float) -> float:
    """Return 10 log10 of a ratio to a hundredth, within plus and minus EQUAL_DB."""
    if noise == 0.0:
        return EQUAL_DB
    if signal == 0.0:
        return -EQUAL_DB
    return round(float(np.clip(10 * log10(signal / noise), -EQUAL_DB, EQUAL_DB)), 2)
