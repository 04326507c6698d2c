"""The integer graph of a model with declared codes, as far as it is emitted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Literal

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import Array, DType, Quant, TensorType
from tmc.passes.declared.values import Coded, Root, Rounding
from tmc.passes.integer_ops.declared_weights import DeclaredWeights
from tmc.passes.integer_ops.linear import CodeRange, LinearCodes, LinearTask, overflow
from tmc.passes.integer_ops.requantise_factors import requantise_factors

INT8 = CodeRange(-128, 127)
Ties = Literal["even", "up"]
IDENTITY = np.arange(-128, 128).astype(np.int8)
# A float32 bias this near to a whole number of product steps is one: an int32 times a float32 scale.
WHOLE = 2.0**-20
NOTE = "its scales do not belong together, or it has too many inputs: quantise the network again"


class DeclaredCodes:
    """Emits integer ops on demand, each once. What they compute has the name of the float value."""

    def __init__(self, graph: Graph) -> None:
        self._float = graph
        inputs = {name: TensorType(DType.S8, graph.types[name].shape) for name in graph.inputs}
        computed = (op.output for op in graph.ops)
        self._builder = GraphBuilder(graph.name, inputs, graph.outputs, computed)
        self._locs: dict[str, str] = {}
        self._stored: dict[tuple[str, ...], str] = {}
        self._given_back: set[str] = set()
        self._given: set[Rounding] = set()

    def graph(self) -> Graph:
        """Return what was emitted as a graph."""
        return self._builder.graph()

    def give(self, rounding: Rounding) -> None:
        """Declare the graph's input as the codes of a rounding."""
        self._given.add(rounding)
        self._builder.declare(rounding.root.value, _quant(rounding))

    def join(self, source: Rounding, kind: OpKind, inputs: tuple[str, str], attrs: a.Attrs, loc: str) -> None:
        """Emit the codes of a rounding as an op of two values of codes."""
        self._emit(kind, inputs, attrs, source.root.value, loc, _quant(source))
        self._given.add(source)

    def rounded(self, x: Coded) -> str:
        """Return the value that holds the codes of x."""
        assert x.grid is not None
        low, high = x.grid.limits
        steps = np.rint(x.reals.astype(np.float64) / float(x.grid.scale)) + x.grid.zero_point
        table = np.clip(steps, low, high).astype(np.int8)
        source, name = x.source, x.grid.op.output
        given = source in self._given
        if given and np.array_equal(table, IDENTITY):
            return source.root.value
        key = ("rounded", source.op.output, name)
        if key not in self._stored:
            self._stored[key] = name
            if given:
                self._again(source, x.grid, table)
            elif not self._narrow(source, x.grid, table):
                self._requantise(source, x.grid, table)
        return self._stored[key]

    def rows(self, value: str, shape: tuple[int, ...]) -> str:
        """Return a value as rows of another shape."""
        if self._builder.type_of(value).shape == shape:
            return value
        key = ("rows", value, str(shape))
        if key not in self._stored:
            name = self._builder.fresh(f"{value}.rows")
            self._locs[name] = self._loc(value)
            self._stored[key] = self._builder.reshape(value, shape, self._locs[name], name)
        return self._stored[key]

    def output(self, name: str, value: str, shape: tuple[int, ...]) -> None:
        """Make a value an output of the graph, under the output's name."""
        taken = value in self._float.inputs or value in self._given_back
        if taken or self._builder.type_of(value).shape != shape:
            self._builder.reshape(value, shape, self._loc(value), name)
        else:
            self._given_back.add(value)
            self._builder.forward(name, value)

    def linear_root(self, op: Op, value: str, x: Rounding, weight: DeclaredWeights, bias: Array) -> Root:
        """Return the exact sums of a linear op of int8 codes: integers, their meaning and their range.

        Raises: QuantisationError if a sum does not provably fit int32.
        """
        codes = weight.codes.astype(np.int64)
        steps = [x.scale * Fraction(float(scale)) for scale in weight.scale]
        whole, rest = [], []
        for step, real in zip(steps, bias.tolist(), strict=True):
            exact = Fraction(real) / step
            near = round(exact)
            whole.append(min(max(near, -(2**33)), 2**33))
            difference = exact - near
            rest.append(Fraction(0) if abs(difference) <= WHOLE * max(1, abs(near)) else difference * step)
        integers = np.array([whole]) - x.zero_point * codes.sum(axis=1)
        count = len(codes)
        linear = LinearCodes(codes, weight.scale, np.ones(count, dtype=np.int64), integers, 0)
        task = LinearTask(op.loc, codes, integers, Quant((1.0,)), INT8, np.ones(count), 0, residual=False)
        broken = overflow(task, linear)
        if broken is not None:
            raise QuantisationError(op.loc, f"found {broken}, allowed int32", NOTE)
        positive, negative = np.maximum(codes, 0).sum(axis=1), np.minimum(codes, 0).sum(axis=1)
        low = INT8.low * positive + INT8.high * negative + integers[0]
        high = INT8.high * positive + INT8.low * negative + integers[0]
        ranges = tuple(CodeRange(int(least), int(most)) for least, most in zip(low, high, strict=True))
        return Root(value, ranges, tuple(steps), tuple(rest), linear, op, tuple(steps))

    def sums(self, root: Root, name: str = "") -> str:
        """Return the int32 value of the sums of a linear op; as `name`, of what they stand for behind it."""
        op, linear = root.op, root.linear
        assert op is not None and linear is not None, "lower_declared asks for the sums of linear ops alone"
        same, name = root.slope == root.steps or not name, name or op.output
        name = op.output if same else name
        key = ("sums", name)
        if key not in self._stored:
            scales = tuple(float(step) for step in (root.steps if same else root.slope))
            same = len(set(scales)) == 1
            quant = Quant(scales[:1]) if same else Quant(scales, per="channel")
            operands = self._linear_operands(name, root, linear)
            attrs = QLinearAttrs(0, "s32")
            self._stored[key] = self._emit(OpKind.QLINEAR, operands, attrs, name, op.loc, quant)
        return self._stored[key]

    def _again(self, source: Rounding, grid: Rounding, table: Array) -> None:
        """Emit a table of the codes of the graph's input."""
        shape = self._builder.type_of(source.root.value).shape
        rows = self.rows(source.root.value, (prod(shape[:-1]), shape[-1]))
        name, one, none = grid.op.output, [Fraction(1)] * shape[-1], [Fraction(0)] * shape[-1]
        factors = requantise_factors(grid.op.loc, [INT8] * shape[-1], one, none)
        self._emit_requantise(rows, factors, table, QRequantiseAttrs(), grid, name)

    def _requantise(self, source: Rounding, grid: Rounding, table: Array) -> None:
        """Emit the rounding of integers to codes, and what follows from the codes alone."""
        root, attrs = source.root, source.attrs
        x = root.value if root.linear is None else self.sums(root)
        if isinstance(attrs, a.FakeQuantiseAttrs):
            slope = [factor / source.scale for factor in root.slope]
            offset = [added / source.scale for added in root.offset]
        else:
            slope = [Fraction(factor, 2**attrs.shift) for factor in source.mul]
            offset = [Fraction(added, 2**attrs.shift) for added in source.add]
        factors = requantise_factors(source.op.loc, root.codes, slope, offset)
        ties: Ties = "even" if isinstance(attrs, a.FakeQuantiseAttrs) else "up"
        # requantise_factors keeps results below 2^31, and the importer shifts to 31 and mul to int32: so
        # products and mul fit at the shift of the model, and the factors are its integers, not rounded.
        exact = isinstance(attrs, a.FakeQuantiseAttrs) or int(factors[:, 1].min()) >= attrs.shift
        assert exact, "a RequantShift whose results fit 32 bits fits 64 bits before its shift"
        self._emit_requantise(
            x, factors, table, QRequantiseAttrs(source.zero_point, ties), grid, grid.op.output
        )

    def _emit_requantise(
        self, x: str, factors: Array, table: Array, attrs: QRequantiseAttrs, grid: Rounding, name: str
    ) -> None:
        operands = (
            x,
            self._builder.constant(factors, f"{name}.factors"),
            self._builder.constant(table, f"{name}.table"),
        )
        self._emit(OpKind.QREQUANTISE, operands, attrs, name, grid.op.loc, _quant(grid))

    def _narrow(self, source: Rounding, grid: Rounding, table: Array) -> bool:
        """Emit linear op and RequantShift as one op, if that provably fits int32; tell whether it does."""
        attrs, root = source.attrs, source.root
        if not isinstance(attrs, a.RequantShiftAttrs) or root.linear is None:
            return False
        multiplier = np.array(source.mul, dtype=np.int64)
        added = (
            np.array(source.add, dtype=np.int64) + (2**attrs.shift >> 1) + (source.zero_point << attrs.shift)
        )
        bias = root.linear.bias[0]
        for ends in ((code.low for code in root.codes), (code.high for code in root.codes)):
            plain = np.array(list(ends), dtype=np.int64) - bias
            for steps in (
                plain,
                plain * multiplier,
                bias * multiplier + added,
                (plain + bias) * multiplier + added,
            ):
                if steps.min() < -(2**31) or steps.max() >= 2**31:
                    return False
        name = grid.op.output
        linear = replace(root.linear, multiplier=multiplier, bias=(bias * multiplier + added)[None])
        operands = self._linear_operands(name, root, linear)
        plain_table = np.array_equal(table, IDENTITY)
        if not plain_table:
            operands = (*operands, self._builder.constant(table, f"{name}.table"))
        out = QLinearAttrs(attrs.shift, table=not plain_table)
        assert root.op is not None
        self._emit(OpKind.QLINEAR, operands, out, name, root.op.loc, _quant(grid))
        return True

    def _linear_operands(self, name: str, root: Root, linear: LinearCodes) -> tuple[str, ...]:
        scales = tuple(float(scale) for scale in linear.weight_scale)
        quant = Quant(scales[:1]) if len(set(scales)) == 1 else Quant(scales, per="output_channel")
        return (
            root.value,
            self._builder.constant(linear.weight.astype(np.int8), f"{name}.weight", quant),
            self._builder.constant(linear.multiplier.astype(np.int32), f"{name}.multiplier"),
            self._builder.constant(linear.bias.astype(np.int32), f"{name}.bias"),
        )

    def _emit(
        self, kind: OpKind, inputs: tuple[str, ...], attrs: a.Attrs, name: str, loc: str, quant: Quant | None
    ) -> str:
        self._locs[name] = loc
        return self._builder.op(kind, inputs, attrs, loc, name, quant)

    def _loc(self, value: str) -> str:
        return self._locs.get(value, value)


def _quant(rounding: Rounding) -> Quant:
    return Quant((float(rounding.scale),), rounding.zero_point)


def in_order(index: Array) -> bool:
    """Tell whether elements stand in the order in which they were computed."""
    return bool((index.reshape(-1) == np.arange(index.size)).all())
