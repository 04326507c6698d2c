"""Build a graph op by op: types are inferred, names are made unique, what no output needs is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tmc.ir.attrs import Attrs, ReshapeAttrs
from tmc.ir.errors import VerifyError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.ir.types import Array, DType, Quant, TensorType


class GraphBuilder:
    """Collect the parts of a graph; `graph()` returns it.

    A pass starts from `GraphBuilder.like(graph)`, which takes over inputs, outputs and constants, and then
    adds ops: the old ones with `keep`, new ones with `op`. A pass that makes all values anew starts from an
    empty builder; `reserved` are names that its results will have, so that no constant takes one before.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, TensorType],
        outputs: Sequence[str],
        reserved: Iterable[str] = (),
    ) -> None:
        self._name = name
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._types: dict[str, TensorType] = dict(inputs)
        self._constants: dict[str, Array] = {}
        self._ops: list[Op] = []
        self._forwarded: dict[str, str] = {}
        self._reserved: set[str] = {*outputs, *reserved}
        self._quants: dict[str, Quant | None] = {}

    @staticmethod
    def like(graph: Graph) -> GraphBuilder:
        """Start with the inputs, outputs and constants of a graph; the names of its values are reserved."""
        inputs = {name: graph.types[name] for name in graph.inputs}
        builder = GraphBuilder(graph.name, inputs, graph.outputs, graph.types)
        builder._constants.update(graph.constants)
        builder._types.update({name: graph.types[name] for name in graph.constants})
        builder._quants.update({op.output: graph.types[op.output].quant for op in graph.ops})
        return builder

    def type_of(self, value: str) -> TensorType:
        """Return the type of a value that was added, or of the one it was forwarded to."""
        return self._types[self.current(value)]

    def current(self, value: str) -> str:
        """Return the value that readers of `value` get: itself, or the end of its forwarding."""
        while value in self._forwarded:
            value = self._forwarded[value]
        return value

    def declare(self, name: str, quant: Quant) -> None:
        """Say what the integers of an input stand for, before an op reads it."""
        self._types[name] = replace(self._types[name], quant=quant)

    def constant_of(self, value: str) -> Array | None:
        """Return the array of a constant, None for a computed value or an input."""
        return self._constants.get(self.current(value))

    def fresh(self, stem: str) -> str:
        """Return a name that no value has: the stem, or the stem with a number."""
        name, count = stem, 0
        while name in self._types or name in self._reserved:
            count += 1
            name = f"{stem}.{count}"
        return name

    def constant(self, array: Array, stem: str, quant: Quant | None = None) -> str:
        """Add a constant under a fresh name and return the name."""
        name = self.fresh(stem)
        self._constants[name] = array
        self._types[name] = TensorType(DType.of(array), array.shape, quant)
        return name

    def op(
        self,
        kind: OpKind,
        inputs: Sequence[str],
        attrs: Attrs,
        loc: str,
        output: str | None = None,
        quant: Quant | None = None,
    ) -> str:
        """Add an op and return the name of its result; `output` names it, else it gets a fresh name.

        quant: what the integers of the result stand for.
        Raises: VerifyError if the operands do not fit the op.
        """
        operands = tuple(self.current(name) for name in inputs)
        name = self.fresh(kind.value) if output is None else output
        try:
            inferred = OPS[kind].infer([self._types[operand] for operand in operands], attrs)
        except ValueError as found:
            raise VerifyError(f"{loc} ({kind.value})", str(found)) from found
        self._types[name] = replace(inferred, quant=quant)
        self._ops.append(Op(kind, operands, name, attrs, loc))
        return name

    def keep(self, op: Op) -> str:
        """Add an op of the old graph as it is, reading forwarded values where there are some."""
        return self.op(op.kind, op.inputs, op.attrs, op.loc, op.output, self._quants.get(op.output))

    def reshape(self, value: str, shape: Sequence[int], loc: str, output: str | None = None) -> str:
        """Add a reshape; without an output name, return the value itself if it has that shape already."""
        if output is None and self.type_of(value).shape == tuple(shape):
            return self.current(value)
        attrs, quant = ReshapeAttrs(tuple(int(size) for size in shape)), self.type_of(value).quant
        return self.op(OpKind.RESHAPE, [value], attrs, loc, output, quant)

    def forward(self, old: str, new: str) -> None:
        """Let everybody who reads `old` from now on read `new`, and the caller if it is an output.

        The output keeps its name; an op that has it already gets another.
        """
        if self.current(new) != old:
            self._forwarded[old] = self.current(new)

    def graph(self) -> Graph:
        """Return the graph: ops, constants and types that the outputs need, in the order of adding."""
        self._make_way()
        rename: dict[str, str] = {}
        for output in self._outputs:
            target = self.current(output)
            if target == output:
                continue
            if target in self._inputs or target in self._constants or target in (*rename, *self._outputs):
                # Nothing to rename: the output is an input, a constant, or one more name of another output.
                del self._forwarded[output]
                self.reshape(target, self._types[target].shape, output, output)
            else:
                rename[target] = output
        needed = set(self._outputs) | set(rename)
        ops: list[Op] = []
        for op in reversed(self._ops):
            if op.output in needed:
                needed.update(op.inputs)
                inputs = tuple(rename.get(name, name) for name in op.inputs)
                ops.append(replace(op, inputs=inputs, output=rename.get(op.output, op.output)))
        constants = {name: array for name, array in self._constants.items() if name in needed}
        names = (*self._inputs, *constants)
        types = {name: self._types[name] for name in names}
        back = {new: old for old, new in rename.items()}
        types.update({op.output: self._types[back.get(op.output, op.output)] for op in reversed(ops)})
        return Graph(self._name, self._inputs, self._outputs, tuple(reversed(ops)), types, constants)

    def _make_way(self) -> None:
        """Give values that have the name of an output, but are not it in the end, names of their own."""
        made = {op.output for op in self._ops}
        moved = (name for name in self._outputs if name in made and self.current(name) != name)
        new = {name: self.fresh(name) for name in moved}
        self._types.update({new[name]: self._types[name] for name in new})
        self._ops = [
            replace(
                op,
                inputs=tuple(new.get(name, name) for name in op.inputs),
                output=new.get(op.output, op.output),
            )
            for op in self._ops
        ]
