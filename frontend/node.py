"""One ONNX node as the importers see it: operands, attributes, and errors that name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tmc.frontend.limits import check_elements
from tmc.ir.attrs import Attrs, FakeQuantiseAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import UnsupportedModel, VerifyError
from tmc.ir.graph import OpKind
from tmc.ir.ops import MOVES
from tmc.ir.types import Array, DType

# What stands for minus infinity, which no float32 arithmetic can be compared by: a softmax makes 0 of it too.
MASKED = -1e30
# Where quantisers put ops that ONNX does not define; some put them in ONNX's own domain.
INTEGER_DOMAINS = ("PACTOps", "ai.onnx.contrib")


def node_name(node: onnx.NodeProto) -> str:
    """Return the node's name, or where it has none its type and first output."""
    return str(node.name) or f"{node.op_type} -> {next(iter(node.output), '')}"


def op_name(node: onnx.NodeProto) -> str:
    """Return the op type, with its domain where that is not ONNX's own."""
    plain = node.domain in ("", "ai.onnx", *INTEGER_DOMAINS)
    return str(node.op_type) if plain else f"{node.domain}.{node.op_type}"


@dataclass(slots=True)
class ImportState:
    """The state of one import: values computed so far in the graph, and values known already."""

    builder: GraphBuilder
    opset: int
    known: dict[str, Array] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, str] = field(default_factory=dict)
    # ONNX tensors that hold 8-bit codes: what they stand for, and what uint8 ones have more than int8 ones
    codes: dict[str, tuple[FakeQuantiseAttrs, int]] = field(default_factory=dict)
    # ONNX tensors that a Round gives: the value before it, and the node; those of a Clip, with its limits
    rounded: dict[str, tuple[str, str]] = field(default_factory=dict)
    clipped: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    # ONNX tensors of truth values that are computed or given: 1 for true, 0 for false
    truths: set[str] = field(default_factory=set)
    # whether a RequantShift stands before: then values are integers
    shifted: bool = False
    # known tensors that were rounded to integers
    integers: set[str] = field(default_factory=set)
    # ONNX tensors that are another value between zeros: that value, zeros before and behind for each axis
    padded: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    # the scales of constants that the file holds as integers
    weight_scales: set[float] = field(default_factory=set)
    # nodes without an importer, and ONNX tensors that follow from them
    unsupported: list[onnx.NodeProto] = field(default_factory=list)
    out_of_reach: set[str] = field(default_factory=set)


def refuse_rounded(state: ImportState, names: Iterable[str]) -> None:
    """Refuse to read what a Round gives.

    Raises: UnsupportedModel naming the Round.
    """
    for name in names:
        if name in state.rounded:
            raise UnsupportedModel(
                f"{state.rounded[name][1]} (Round)",
                "found a Round of any number, allowed one with a Clip to 16 bits or less before or behind it",
                "clip to the ends of the codes, as in torch.clamp(torch.round(x / s), -128, 127) * s",
            )


class Node:
    """Read one node and emit its ops."""

    def __init__(self, proto: onnx.NodeProto, state: ImportState) -> None:
        self.proto = proto
        self.loc = node_name(proto)
        self.opset = state.opset
        self.builder = state.builder
        self._state = state
        self._attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}

    def error(self, what: str, *notes: str) -> UnsupportedModel:
        """Return an error about this node; without a note of its own it gets a general one."""
        notes = notes or ("change this node in the network, or the options of the export",)
        return UnsupportedModel(f"{self.loc} ({op_name(self.proto)})", what, *notes)

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute as a Python value; strings are decoded."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def attribute_array(self, name: str) -> Array:
        """Return a numeric attribute, whether it is a number, a list or a tensor."""
        value = self._attributes[name]
        return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)

    def codes(self, index: int) -> tuple[FakeQuantiseAttrs, int] | None:
        """Return what an input's codes stand for, None if it holds no codes."""
        return self._state.codes.get(self.proto.input[index])

    def declare_codes(self, name: str, attrs: FakeQuantiseAttrs, shift: int) -> None:
        """Note that an ONNX tensor holds codes: int8 ones, plus `shift`."""
        self._state.codes[name] = (attrs, shift)

    def declare_rounded(self) -> None:
        """Note that the result is input 0 rounded: what only a Clip may read."""
        self._state.rounded[self.proto.output[0]] = (self.value(0), self.loc)

    def rounded(self, index: int) -> str | None:
        """Return the value that an input is the Round of, None if it is none."""
        return self._state.rounded.get(self.proto.input[index], (None, ""))[0]

    def refuse_rounded(self) -> None:
        """Refuse a Round that something but a Clip reads."""
        if self.proto.op_type != "Clip":
            refuse_rounded(self._state, self.proto.input)

    def declare_clipped(self, low: float, high: float) -> None:
        """Note that the result is input 0 clipped."""
        self._state.clipped[self.proto.output[0]] = (self.value(0), low, high)

    def clipped(self, index: int) -> tuple[str, float, float] | None:
        """Return what an input is the Clip of, and its limits, None if it is none."""
        return self._state.clipped.get(self.proto.input[index])

    def declare_integers(self) -> None:
        """Note that the file computes with integers: that constants may be some."""
        self._state.weight_scales.add(1.0)

    def declare_shift(self) -> None:
        """Note that a RequantShift makes integers of values."""
        self._state.shifted = True

    @property
    def is_shifted(self) -> bool:
        """Tell whether a RequantShift has made integers of values before."""
        return self._state.shifted

    def declare_padding(self, name: str, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """Note that an ONNX tensor is input 0 with so many zeros around it, on each axis."""
        if min(*before, *after) >= 0 and not any((*before[:2], *after[:2])):
            self._state.padded[name] = (self.value(0), before[2:], after[2:])

    def unpadded(
        self, index: int, before: tuple[int, ...], after: tuple[int, ...]
    ) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        """Return an input [batch, channels, ...] and the zeros around its spatial axes.

        Given are those that an op adds; returned with them are those that a Pad has put there.
        """
        name = self.proto.input[index]
        if name not in self._state.padded:
            return self.value(index), before, after
        value, *zeros = self._state.padded[name]
        both = (map(sum, zip(*pair, strict=True)) for pair in zip((before, after), zeros, strict=True))
        low, high = (tuple(counts) for counts in both)
        return value, low, high

    def has(self, index: int) -> bool:
        """Tell whether an optional input is given."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def is_integer(self, index: int) -> bool:
        """Tell whether an input is computed, and holds integers: what an ArgMax gives."""
        return not self.is_known(index) and self.builder.type_of(self.value(index)).dtype is DType.S32

    def is_truth(self, index: int) -> bool:
        """Tell whether an input is computed or given, and holds truth values."""
        return self.proto.input[index] in self._state.truths

    def is_known(self, index: int) -> bool:
        """Tell whether an input is known at compile time."""
        return self.proto.input[index] in self._state.known

    def known(self, index: int, what: str) -> Array:
        """Return an input that must be known at compile time; `what` names it in the error."""
        name = self.proto.input[index]
        if name not in self._state.known:
            raise self.error(
                f"found {what} {name} computed at run time, allowed a constant",
                "export with static shapes and constants folded",
            )
        return self._state.known[name]

    def integers(self, index: int, what: str) -> tuple[int, ...]:
        """Return a known input as a tuple of integers."""
        array = self.known(index, what)
        self.refuse(array.dtype.kind not in "iu", f"{what} of {array.dtype}", "integers")
        return tuple(int(value) for value in array.reshape(-1))

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an input."""
        name = self.proto.input[index]
        if name in self._state.known:
            return tuple(self._state.known[name].shape)
        return self.builder.type_of(self._state.values[name]).shape

    def value(self, index: int) -> str:
        """Return an input as a value of the graph; a known one becomes a float32 constant.

        Raises: UnsupportedModel if it is not finite in float32.
        """
        name = self.proto.input[index]
        if name in self._state.known:
            if name not in self._state.uploaded:
                self._state.uploaded[name] = self.constant(self._state.known[name], name)
            return self._state.uploaded[name]
        return self._state.values[name]

    def constant(self, array: Array, name: str) -> str:
        """Add a float32 constant to the graph; minus infinity, as masks hold it, becomes finite."""
        with np.errstate(over="ignore"):
            single = np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)
        single = np.where(np.isneginf(single), np.float32(MASKED), single)
        wrong = int(np.count_nonzero(~np.isfinite(single)))
        if wrong:
            raise self.error(
                f"found {wrong} of {single.size} elements of {name} NaN or beyond float32, "
                "allowed finite float32 numbers",
                "the network was not trained to the end",
            )
        return self.builder.constant(single, name)

    def integer_constant(self, array: Array, name: str) -> str:
        """Add an int32 constant to the graph."""
        return self.builder.constant(np.ascontiguousarray(array, dtype=np.int32), name)

    def scalar(self, number: float) -> str:
        """Add a float32 constant of rank 0."""
        return self.constant(np.array(number, dtype=np.float32), f"{self.loc}.scalar")

    def emit(self, kind: OpKind, inputs: Sequence[str], attrs: Attrs | None = None) -> str:
        """Add an op whose loc is this node; shapes that do not fit are the model's fault."""
        computed = [name for name in inputs if self.builder.constant_of(name) is None]
        indices = [name for name in computed if self.builder.type_of(name).dtype is DType.S32]
        self.refuse(
            bool(indices) and kind not in MOVES,
            "arithmetic on the integers of an ArgMax",
            "these as a result of the network",
            "let the network end in the ArgMax, or in the values that it reads",
        )
        try:
            value = self.builder.op(kind, inputs, attrs or Attrs(), self.loc)
        except (VerifyError, ValueError) as found:
            what = found.what if isinstance(found, VerifyError) else str(found)
            raise self.error(what, "the file contradicts itself: export it again") from found
        check_elements(f"{self.loc} ({op_name(self.proto)})", self.builder.type_of(value).shape)
        return value

    def apply(self, kind: OpKind, *operands: str | float) -> str:
        """Add an op without attributes; numbers become constants of rank 0."""
        return self.emit(kind, [self.scalar(x) if isinstance(x, float) else x for x in operands])

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Add a reshape unless the value has that shape."""
        before = self.builder.type_of(value).elements
        if prod(shape) != before:
            raise self.error(
                f"found {before} elements for shape {tuple(shape)}, allowed the same number",
                "export with static shapes",
            )
        return self.builder.reshape(value, shape, self.loc)

    def rank(self, index: int) -> int:
        """Return the rank of an input."""
        return len(self.shape(index))

    def axis(self, value: int, rank: int) -> int:
        """Return an axis counted from 0."""
        if not -rank <= value < rank:
            raise self.error(f"found axis {value}, allowed {-rank} to {rank - 1}")
        return value % rank

    def refuse(self, condition: bool, found: str, allowed: str, *notes: str) -> None:
        """Raise if the condition holds."""
        if condition:
            raise self.error(f"found {found}, allowed {allowed}", *notes)
