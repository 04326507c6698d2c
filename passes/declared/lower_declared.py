"""Turn a float graph whose every value is declared by the model into the integer graph of the same codes.

Between two roundings to int8 codes a quantised network has either a linear op, whose exact integer sums are
rounded by a 64-bit product, or functions of single elements, which are tables of 256 codes. Nothing else is
lowered here, and nothing is approximated: docs/numerics.md, section 5, says how exactly the codes are those
of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qadd import QAddAttrs, ends_of_sums
from tmc.ir.integer.qmul import QMulAttrs
from tmc.ir.integer.qmul import ends_of_sums as ends_of_products
from tmc.ir.ops import MOVES, OPS, POINTWISE
from tmc.ir.shapes import is_int32
from tmc.ir.types import Array, DType
from tmc.passes.canonical.fold_bias import fold_bias
from tmc.passes.canonical.fold_constants import fold_constants
from tmc.passes.canonical.lower_conv import lower_conv
from tmc.passes.canonical.lower_linear import lower_linear
from tmc.passes.canonical.name_values import name_values
from tmc.passes.canonical.order_ops import order_ops
from tmc.passes.canonical.separate_outputs import separate_outputs
from tmc.passes.declared.codes import INT8, DeclaredCodes, in_order
from tmc.passes.declared.values import Coded, InputValue, Joined, LoweredValue, Root, Rounding, Sums
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.pipeline import run_passes

_PREPARE = (fold_constants, lower_linear, lower_conv, fold_bias, separate_outputs, order_ops, name_values)
_NOTE = (
    "every op between two roundings has to be a linear op, a function of single elements, or a view that "
    "keeps rows whole"
)


def prepare_declared(graph: Graph) -> Graph:
    """Return a float graph with linear ops in place of matrix products, in the order and with the names that
    `lower_declared` keeps."""
    return run_passes(graph, _PREPARE)


def lower_declared(
    graph: Graph, weight_scales: tuple[float, ...], unsigned_inputs: Collection[str] = ()
) -> Graph:
    """Return the integer graph of a prepared float graph with FAKE_QUANTISE or REQUANT_SHIFT ops.

    weight_scales: those of the model's integer constants. unsigned_inputs: of the inputs that no
    FAKE_QUANTISE reads, those that hold integers from 0 to 255, and not from -128 to 127. Values keep their
    names.
    Raises: QuantisationError naming the first op that has no exact integer form.
    """
    lowering = _Lowering(graph, weight_scales, unsigned_inputs)
    for op in graph.ops:
        lowering.add(op)
    return lowering.finish()


class _Lowering:
    """The walk: what each float value is, in terms of the integer values that `codes` has emitted."""

    def __init__(
        self, graph: Graph, weight_scales: tuple[float, ...], unsigned_inputs: Collection[str]
    ) -> None:
        self.graph = graph
        self._weight_scales = weight_scales
        self._unsigned_inputs = unsigned_inputs
        self._codes = DeclaredCodes(graph)
        self._inputs: dict[str, Rounding] = {}
        self._known: dict[str, LoweredValue] = {}
        for name in graph.inputs:
            shape = graph.types[name].shape
            self._known[name] = InputValue(name, np.arange(prod(shape)).reshape(shape))

    def finish(self) -> Graph:
        """Return the integer graph."""
        for name in self.graph.outputs:
            x = self._known[name]
            if isinstance(x, Coded) and x.grid is not None and in_order(x.index):
                self._codes.output(name, self._codes.rounded(x), x.index.shape)
            elif isinstance(x, Sums) and _stands_for_sums(x) and in_order(x.index):
                self._codes.output(name, self._codes.sums(x.root, name), x.index.shape)
            else:
                raise QuantisationError(
                    f"output %{name}",
                    "found a value that is not rounded to codes in the "
                    "order of its rows, allowed codes or the sums of a linear op",
                    _NOTE,
                )
        return self._codes.graph()

    def add(self, op: Op) -> None:
        """Note what the result of an op is."""
        x = next((self._known[name] for name in op.inputs if name in self._known), None)
        if x is None:
            raise self._error(op, f"{op.kind.value} of constants")
        if op.kind in MOVES:
            index = np.asarray(OPS[op.kind].evaluate([x.index], op.attrs))
            self._known[op.output] = replace(x, index=index)
        elif isinstance(op.attrs, a.FakeQuantiseAttrs | a.RequantShiftAttrs):
            self._known[op.output] = self._round(op, op.attrs, x)
        elif op.kind is OpKind.LINEAR:
            self._known[op.output] = self._linear(op, x)
        elif op.kind in POINTWISE:
            self._known[op.output] = self._pointwise(op, x)
        else:
            raise self._error(op, f"{op.kind.value} of a quantised value")

    def _round(self, op: Op, attrs: a.FakeQuantiseAttrs | a.RequantShiftAttrs, x: LoweredValue) -> Coded:
        if isinstance(attrs, a.FakeQuantiseAttrs) and attrs.wide:
            raise self._error(op, "codes of 16 bits")
        if isinstance(x, Joined):
            return self._round_joined(op, attrs, x)
        if isinstance(x, InputValue):
            if isinstance(attrs, a.FakeQuantiseAttrs):
                return self._given(op, x, attrs)
            x = self._integers(op, x)
        if isinstance(x, Coded) and self._is_uniform(op, x):
            rounding = Rounding(x.source.root, op, attrs)
            return Coded(x.source, self._evaluate(op, x), rounding, x.index)
        if isinstance(x, Coded):
            x = self._line(op, x)
        if isinstance(attrs, a.FakeQuantiseAttrs):
            rounding = Rounding(x.root, op, attrs, x.relu)
        else:
            offset = x.root.offset
            if x.root.slope != (1,) * len(offset) or any(each.denominator != 1 for each in offset) or x.relu:
                raise self._error(op, "requant_shift of a value that is no integer sum")
            given = (self._per_channel(op, self.graph.constants[name], x) for name in op.inputs[1:])
            mul, add = (tuple(map(int, constant)) for constant in given)
            shifted = zip(add, mul, offset, strict=True)
            add = tuple(addend + factor * int(steps) for addend, factor, steps in shifted)
            rounding = Rounding(x.root, op, attrs, False, mul, add)
        return Coded(rounding, rounding.reals(), rounding, x.index)

    def _round_joined(
        self, op: Op, attrs: a.FakeQuantiseAttrs | a.RequantShiftAttrs, joined: Joined
    ) -> Coded:
        """Return the codes of a RequantShift of the sum, difference or product of two values of integers."""
        kind = joined.op.kind
        numbers = [self.graph.constants[name] for name in op.inputs[1:]]
        if not isinstance(attrs, a.RequantShiftAttrs) or any(array.size != 1 for array in numbers):
            raise self._error(
                op, f"{kind.value} of two values without one RequantShift of the tensor behind it"
            )
        if not in_order(joined.index):
            raise self._error(op, f"{kind.value} of two values in another order")
        x, z = joined.x.grid, joined.z.grid
        assert x is not None and z is not None, "_joined takes codes alone"
        zero = Rounding(x.root, op, attrs).zero_point
        whole = a.RequantShiftAttrs(0, -128 - zero, 127 - zero)
        shape = self.graph.types[joined.op.output].shape
        shape = (prod(shape[:-1]), shape[-1])
        inputs = tuple(self._codes.rows(self._codes.rounded(each), shape) for each in (joined.x, joined.z))
        mul, add = (int(array.reshape(-1)[0]) for array in numbers)
        joint, fits = _JOINED[kind](mul, add, attrs.shift, zero, (x.zero_point, z.zero_point))
        if not fits:
            raise self._error(op, f"{kind.value} of two values whose requantisation leaves 32 bits")
        # Saturation is that of int8: what the model clips further is a table of these codes.
        full = (attrs.low, attrs.high) == (whole.low, whole.high)
        name = op.output if full else joined.op.output
        source = Rounding(Root(name, (INT8,), (Fraction(1),), (Fraction(0),)), op, whole)
        self._codes.join(source, _QUANTISED[kind], (inputs[0], inputs[1]), joint, joined.op.loc)
        grid = Rounding(source.root, op, attrs)
        return Coded(source, grid.reals(), grid, np.arange(joined.index.size).reshape(joined.index.shape))

    def _given(self, op: Op, x: InputValue, attrs: a.FakeQuantiseAttrs | a.RequantShiftAttrs) -> Coded:
        """Return the codes of the graph's input: the caller makes them."""
        root = Root(x.name, (INT8,), (Fraction(1),), (Fraction(0),))
        grid = Rounding(root, op, attrs)
        port = attrs
        if isinstance(attrs, a.FakeQuantiseAttrs) and not x.plain:
            zero_point = attrs.zero_point + x.offset / Fraction(attrs.scale)
            if zero_point.denominator != 1 or not -128 <= zero_point <= 127 or x.slope <= 0:
                raise self._error(op, f"a rounding of input %{x.name} whose zero point is no code")
            port = replace(attrs, scale=float(Fraction(attrs.scale) / x.slope), zero_point=int(zero_point))
        first = self._inputs.setdefault(x.name, grid if port is attrs else Rounding(root, op, port))
        if first.attrs != port:
            raise self._error(op, f"a second rounding of input %{x.name}, with another scale")
        self._codes.give(first)
        return Coded(first, grid.reals(), grid, x.index)

    def _integers(self, op: Op, x: InputValue) -> Coded:
        """Take an input that nothing rounds as integers, in a network of integers."""
        if not x.plain or _no_shifts(self.graph):
            raise self._error(op, f"input %{x.name}, which nothing rounds to codes")
        high = 255 if x.name in self._unsigned_inputs else 127
        integers = self._given(op, x, a.RequantShiftAttrs(0, high - 255, high))
        self._known[op.inputs[0]] = integers
        return integers

    def _linear(self, op: Op, x: LoweredValue) -> Sums:
        """Note the exact sums of a linear op."""
        if isinstance(x, InputValue):
            x = self._integers(op, x)
        if not isinstance(x, Coded) or x.grid is None:
            raise self._error(op, "a linear op of a value that is not rounded to codes")
        if not in_order(x.index):
            raise self._error(op, "rows of elements in another order than they were computed in")
        weight, bias = (self.graph.constants[name] for name in op.inputs[1:])
        integers = isinstance(x.grid.attrs, a.RequantShiftAttrs)
        found = declared_weights(weight, (1.0,) if integers else self._weight_scales)
        if found is None or len(bias) != 1:
            what = "weights that the model does not give as integers" if found is None else "a bias per row"
            raise self._error(op, what, "quantise the weights too: 8 bits, symmetric")
        value = self._codes.rows(self._codes.rounded(x), self.graph.types[op.inputs[0]].shape)
        root = self._codes.linear_root(op, value, x.grid, found, bias[0])
        shape = self.graph.types[op.output].shape
        return Sums(root, np.arange(prod(shape)).reshape(shape))

    def _pointwise(self, op: Op, x: LoweredValue) -> LoweredValue:
        """Apply a function of single elements: to 256 reals, or, with a constant per channel, to a line."""
        if isinstance(x, Coded) and self._is_uniform(op, x):
            reals = self._evaluate(op, x)
            return Coded(x.source, reals, self._moved(op, x, reals), x.index)
        joined = self._joined(op)
        if joined is not None:
            return joined
        if isinstance(x, InputValue) and op.kind in _LINES and self._number(op) is not None:
            slope, offset = _LINES[op.kind](x.slope, x.offset, Fraction(self._number(op) or 0.0))
            return replace(x, slope=slope, offset=offset)
        if isinstance(x, Sums) and op.kind is OpKind.RELU:
            return replace(x, relu=True)
        if sum(name in self._known for name in op.inputs) > 1 or isinstance(x, Joined):
            raise self._error(op, f"{op.kind.value} of two quantised values")
        if isinstance(x, InputValue) or op.kind not in (OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.DIV):
            raise self._error(op, f"{op.kind.value} of a value that is not rounded to codes")
        if isinstance(x, Coded):
            x = self._line(op, x)
        (other,) = (self.graph.constants[name] for name in op.inputs if name in self.graph.constants)
        divides = op.kind is OpKind.DIV and (op.inputs[0] in self.graph.constants or not other.all())
        if x.relu or divides:
            raise self._error(op, f"{op.kind.value} of a value that is not rounded to codes")
        constant = [Fraction(float(value)) for value in self._per_channel(op, other, x)]
        pairs = zip(x.root.slope, x.root.offset, constant, strict=True)
        reverse = op.kind is OpKind.SUB and op.inputs[0] in self.graph.constants
        lines = [_LINES[op.kind](slope, offset, value) for slope, offset, value in pairs]
        lines = [(-slope, -offset) for slope, offset in lines] if reverse else lines
        root = replace(
            x.root, slope=tuple(line[0] for line in lines), offset=tuple(line[1] for line in lines)
        )
        return replace(x, root=root)

    def _joined(self, op: Op) -> Joined | None:
        """Return an op of two values of integers in a network of such, None for any other op."""
        if op.kind not in _JOINED or any(name not in self._known for name in op.inputs):
            return None
        if _no_shifts(self.graph):
            return None
        x, z = (self._known[name] for name in op.inputs)
        x, z = (self._integers(op, each) if isinstance(each, InputValue) else each for each in (x, z))
        for each in (x, z):
            integers = isinstance(each, Coded) and each.grid is not None
            if not integers or not isinstance(each.grid.attrs, a.RequantShiftAttrs):  # type: ignore[union-attr]
                return None
            if not in_order(each.index) or each.index.shape != self.graph.types[op.output].shape:
                return None
        assert isinstance(x, Coded) and isinstance(z, Coded)
        return Joined(op, x, z, x.index)

    def _moved(self, op: Op, x: Coded, reals: Array) -> Rounding | None:
        """Return the grid of codes that an op has moved or stretched by a number, if it is one."""
        number, grid = self._number(op), x.grid
        if number is None or grid is None or not isinstance(grid.attrs, a.FakeQuantiseAttrs):
            return None
        slope, offset = _LINES[op.kind](grid.scale, -grid.zero_point * grid.scale, Fraction(number))
        zero_point = -offset / slope if slope > 0 else Fraction(1, 2)
        if zero_point.denominator != 1 or not -128 <= zero_point <= 127:
            return None
        attrs = replace(grid.attrs, scale=float(slope), zero_point=int(zero_point))
        steps = np.rint(x.reals / np.float32(grid.scale))
        same = np.array_equal((steps - float(zero_point - grid.zero_point)) * np.float32(slope), reals)
        return replace(grid, op=op, attrs=attrs) if same else None

    def _number(self, op: Op) -> float | None:
        """Return the number that an op adds, takes away, multiplies or divides by, if it does that."""
        constants = [name for name in op.inputs if name in self.graph.constants]
        if op.kind not in _LINES or len(constants) != 1:
            return None
        constant = self.graph.constants[constants[0]]
        first = op.kind in (OpKind.SUB, OpKind.DIV) and constants[0] == op.inputs[0]
        usable = constant.size == 1 and not first and (op.kind is not OpKind.DIV or constant.all())
        return float(constant.reshape(-1)[0]) if usable else None

    def _line(self, op: Op, x: Coded) -> Sums:
        """Return codes as integers that each channel may scale and shift on its own."""
        if x.grid is None or not in_order(x.index):
            raise self._error(op, f"{op.kind.value} of a value that is not rounded to codes")
        shape = (prod(x.index.shape[:-1]), x.index.shape[-1])
        value = self._codes.rows(self._codes.rounded(x), shape)
        slope, offset = x.grid.scale, -x.grid.zero_point * x.grid.scale
        return Sums(Root(value, (INT8,) * shape[1], (slope,) * shape[1], (offset,) * shape[1]), x.index)

    def _is_uniform(self, op: Op, x: Coded) -> bool:
        """Tell whether an op treats all elements of a value alike: its other operands are single numbers, or
        functions of the same codes in the same order."""
        for name in op.inputs:
            other = self._known.get(name)
            if other is None:
                if self.graph.constants[name].size != 1:
                    return False
            elif (
                not isinstance(other, Coded)
                or other.source is not x.source
                or not np.array_equal(other.index, x.index)
            ):
                return False
        return True

    def _evaluate(self, op: Op, x: Coded) -> Array:
        """Return a uniform op of all 256 codes."""
        operands = []
        for name in op.inputs:
            other = self._known.get(name)
            constant = self.graph.constants.get(name)
            assert isinstance(other, Coded) or constant is not None, "uniform ops alone come here"
            operands.append(constant.reshape(()) if constant is not None else other.reals)  # type: ignore[union-attr]
        with np.errstate(all="ignore"):
            return np.asarray(OPS[op.kind].evaluate(operands, op.attrs), dtype=np.float32)

    def _per_channel(self, op: Op, constant: Array, x: Sums) -> Array:
        """Return a constant that is broadcast to x as one number for each channel of its root."""
        ordered = np.empty(x.index.size, dtype=constant.dtype)
        ordered[x.index.reshape(-1)] = np.broadcast_to(constant, x.index.shape).reshape(-1)
        rows = ordered.reshape(-1, len(x.root.slope))
        if (rows != rows[0]).any():
            raise self._error(op, "a constant that differs from row to row", "one per tensor or per channel")
        return np.asarray(rows[0])

    def _error(self, op: Op, found: str, *notes: str) -> QuantisationError:
        return QuantisationError(
            op.loc, f"found {found}, allowed what follows exactly from codes", *notes, _NOTE
        )


def _stands_for_sums(x: Sums) -> bool:
    """Tell whether integer sums, times a positive number for each channel, are all that a value is."""
    pairs = zip(x.root.slope, x.root.offset, strict=True)
    return not x.relu and all(slope > 0 and abs(offset) <= slope / 2 for slope, offset in pairs)


def _no_shifts(graph: Graph) -> bool:
    return all(op.kind is not OpKind.REQUANT_SHIFT for op in graph.ops)


_Joint = tuple[QAddAttrs | QMulAttrs, bool]


def _added(mul: int, add: int, shift: int, zero: int, zeros: tuple[int, int], sign: int = 1) -> _Joint:
    """Return the attributes of ((x + sign z) mul + add + 2^shift / 2) >> shift, and if they fit int32."""
    bias = add + (1 << shift >> 1) + (zero << shift) - mul * (zeros[0] + sign * zeros[1])
    attrs = QAddAttrs(mul, sign * mul, bias, shift)
    return attrs, is_int32(*ends_of_sums(attrs, DType.S8, DType.S8))


def _multiplied(mul: int, add: int, shift: int, zero: int, zeros: tuple[int, int]) -> _Joint:
    """Return the attributes of (x z mul + add + 2^shift / 2) >> shift, and if they fit int32."""
    attrs = QMulAttrs(mul, add + (1 << shift >> 1) + (zero << shift), shift, *zeros)
    return attrs, is_int32(*ends_of_products(attrs, DType.S8, DType.S8))


_JOINED: Mapping[OpKind, Callable[[int, int, int, int, tuple[int, int]], _Joint]] = {
    OpKind.ADD: _added,
    OpKind.SUB: partial(_added, sign=-1),
    OpKind.MUL: _multiplied,
}
_QUANTISED = {OpKind.ADD: OpKind.QADD, OpKind.SUB: OpKind.QADD, OpKind.MUL: OpKind.QMUL}
_Line = tuple[Fraction, Fraction]
_LINES: Mapping[OpKind, Callable[[Fraction, Fraction, Fraction], _Line]] = {
    OpKind.ADD: lambda slope, offset, value: (slope, offset + value),
    OpKind.SUB: lambda slope, offset, value: (slope, offset - value),
    OpKind.MUL: lambda slope, offset, value: (slope * value, offset * value),
    OpKind.DIV: lambda slope, offset, value: (slope / value, offset / value),
}
