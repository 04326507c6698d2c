"""The graph: immutable, SSA, values by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from tmc.ir.attrs import Attrs
from tmc.ir.errors import VerifyError
from tmc.ir.types import Array, TensorType


class OpKind(Enum):
    """Every op of the IR; the value is its name in the text form. `tmc ops` prints the table in ops.py."""

    # views: no arithmetic, the output shares or rearranges the input's elements
    RESHAPE = "reshape"
    TRANSPOSE = "transpose"
    SLICE = "slice"
    CONCAT = "concat"
    GATHER = "gather"
    EXPAND = "expand"
    # float primitives, as the frontend finds them
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    NEG = "neg"
    POW = "pow"
    SQRT = "sqrt"
    EXP = "exp"
    LOG = "log"
    ABS = "abs"
    STEP = "step"
    FLOOR = "floor"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    ERF = "erf"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    MATMUL = "matmul"
    SOFTMAX = "softmax"
    REDUCE_MEAN = "reduce_mean"
    REDUCE_MAX = "reduce_max"
    ARGMAX = "argmax"
    CONV = "conv"
    # what a quantised model declares about a float value
    FAKE_QUANTISE = "fake_quantise"
    REQUANT_SHIFT = "requant_shift"
    # float ops of the canonical form
    LINEAR = "linear"
    LAYERNORM = "layernorm"
    GELU = "gelu"
    ROPE = "rope"
    ATTENTION = "attention"
    MEAN_ROWS = "mean_rows"
    SILU = "silu"
    RELU = "relu"
    CLIP = "clip"
    FUNCTION = "function"
    DEPTHWISE_ROWS = "depthwise_rows"
    INTERPOLATE_ROWS = "interpolate_rows"
    # the same number, stored in another form
    CONVERT = "convert"
    # rows in another order, float or integer
    PERMUTE_ROWS = "permute_rows"
    # the largest of runs of rows, float or integer
    MAX_ROWS = "max_rows"
    # the column of the largest of each row, float or integer
    ARGMAX_COLUMNS = "argmax_columns"
    # the product of two computed matrices, group by group
    MATMUL_ROWS = "matmul_rows"
    # integer ops
    QLINEAR = "qlinear"
    QREQUANTISE = "qrequantise"
    QCLIP = "qclip"
    QCONVERT = "qconvert"
    QSOFTMAX = "qsoftmax"
    QMATMUL = "qmatmul"
    QADD = "qadd"
    QMUL = "qmul"
    QLAYERNORM = "qlayernorm"
    QROPE = "qrope"
    QATTENTION = "qattention"
    QMEAN_ROWS = "qmean_rows"
    QDEPTHWISE_ROWS = "qdepthwise_rows"
    QINTERPOLATE_ROWS = "qinterpolate_rows"


@dataclass(frozen=True, slots=True)
class Op:
    """One operation. `loc` is the ONNX node it came from: every diagnostic ends there."""

    kind: OpKind
    inputs: tuple[str, ...]
    output: str
    attrs: Attrs
    loc: str


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Ops in execution order; each value is named once, as an input, a constant or an op's output.

    `types` covers every value, `constants` the values known at compile time. Graphs are equal if all
    fields are, constants bit for bit.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: tuple[Op, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        mine, theirs = ((g.name, g.inputs, g.outputs, g.ops, dict(g.types)) for g in (self, other))
        return (
            mine == theirs
            and self.constants.keys() == other.constants.keys()
            and all(_same_bits(array, other.constants[name]) for name, array in self.constants.items())
        )


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def producers(graph: Graph) -> dict[str, Op]:
    """Return the op that computes each computed value."""
    return {op.output: op for op in graph.ops}


def follow(name: str, step: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return a value and those that steps from it lead to, up to the first from which there is no step.

    Ends for every `step` over finitely many names, for none is taken twice.
    Raises: VerifyError naming the value to which the way leads back.
    """
    way = {name: None}
    while (following := step(name)) is not None:
        if following in way:
            raise VerifyError(f"%{following}", "found a way along views that leads back to it, allowed none")
        way[following] = None
        name = following
    return tuple(way)


def values_through(
    readers: Mapping[str, tuple[Op, ...]], name: str, kinds: Collection[OpKind]
) -> tuple[str, ...]:
    """Return a value and all that ops of some kinds, one behind the other, make of it.

    readers: what `uses` gives. However long the chains are: no step of Python's stack is taken for an op.
    """
    found = {name: None}
    waiting = [name]
    while waiting:
        for op in readers.get(waiting.pop(), ()):
            if op.kind in kinds and op.output not in found:
                found[op.output] = None
                waiting.append(op.output)
    return tuple(found)


def uses(graph: Graph) -> dict[str, tuple[Op, ...]]:
    """Return the ops that read each value, in execution order; an op that reads it twice counts once."""
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for value in dict.fromkeys(op.inputs):
            readers.setdefault(value, []).append(op)
    return {value: tuple(ops) for value, ops in readers.items()}
