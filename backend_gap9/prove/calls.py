"""Calls: which parts of which values a kernel touches, and whether these are the ones that its op needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.kernels.record import Extent, OperandRule
from tmc.backend_gap9.kernels.table import KERNELS, RECORDS
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.program import Call, Operand, Program
from tmc.backend_gap9.prove.claims import CheckedCall, Claim
from tmc.backend_gap9.prove.memory import Region, ValueTags
from tmc.backend_gap9.prove.place import Numbers, Place
from tmc.backend_gap9.prove.relations.table import wanted
from tmc.backend_gap9.prove.relations.wanted import ConstantLines
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op


class CallRules:
    """What a call may read and write, from the graph, the constants and the kernel table."""

    def __init__(
        self,
        program: Program,
        graph: Graph,
        plan: Plan,
        contents: Mapping[str, bytes],
        tags: ValueTags,
        target: Target,
    ) -> None:
        """Collect ops by output value and constant blocks by name."""
        self._cores = target.cores
        self._program, self._graph, self._tags = program, graph, tags
        self._ops = {op.output: op for op in graph.ops}
        self._block_stage = {entry.block.name: entry.block.stage for entry in plan.residency}
        self._contents = {name: np.frombuffer(data, np.uint8) for name, data in contents.items()}
        self._scratch: dict[str, tuple[str, str]] = {}  # scratch value -> op, and what it is for

    def new_stage(self) -> None:
        """Forget scratch values: they live within one stage."""
        self._scratch = {}

    def check(
        self, stage_number: int, call: Call, numbers: Numbers, place: Place, *, is_job: bool
    ) -> CheckedCall:
        """Return the call with its numbers and claims. is_job: the accelerator runs it.

        Raises: CheckError where the call does not fit its kernel, its op or its values.
        """
        kernel, op = KERNELS.get(call.kernel), self._ops.get(call.op)
        record = None if op is None else RECORDS.get((op.kind, "cores"))
        if kernel is None or op is None or record is None or kernel not in record.kernels:
            what = "no op" if op is None else op.kind.value
            raise place.error(f"found {call.kernel} for {what}, allowed a kernel of the table for its op")
        fields = [operand.field for operand in call.operands], [rule.field for rule in kernel.operands]
        names = [argument.field for argument in call.arguments], list(kernel.arguments)
        for found, allowed in (fields, names):
            if sorted(found) != sorted(allowed):
                raise place.error(f"found fields {', '.join(found)}, allowed {', '.join(allowed)}")
        arguments = {each.field: numbers.value(each.value, place) for each in call.arguments}
        split = arguments.get("split", 0)
        if 1 << split > self._cores:
            raise place.error(f"found split {split}, allowed groups of at most {self._cores} cores")
        if kernel.is_job != is_job:
            raise place.error(
                f"found {call.kernel} as a {'job' if is_job else 'call'}, allowed a "
                f"{'job' if kernel.is_job else 'call'}"
            )
        operands = {operand.field: operand for operand in call.operands}
        claims = tuple(
            self._claim(rule, operands[rule.field], op, arguments, numbers, place) for rule in kernel.operands
        )
        checked = CheckedCall(call.kernel, op, arguments, claims)
        self._compare(stage_number, checked, place)
        return checked

    def _claim(
        self,
        rule: OperandRule,
        operand: Operand,
        op: Op,
        arguments: Mapping[str, int],
        numbers: Numbers,
        place: Place,
    ) -> Claim:
        field, value = rule.field, operand.part.value
        try:
            extent = rule.extent(arguments)
        except ZeroDivisionError:
            raise place.error(f"operand {field}: found a division by 0 in its extent") from None
        if min(extent.rows, extent.row_bytes) < 1 or extent.pitch_bytes < extent.row_bytes * (
            extent.rows > 1
        ):
            raise place.error(
                f"operand {field}: found {extent.rows} rows of {extent.row_bytes} bytes, "
                f"{extent.pitch_bytes} apart, allowed rows that do not overlap"
            )
        if value not in self._program.values:
            raise place.error(f"operand {field}: found the value {value}, allowed a value of the program")
        row = numbers.value(operand.part.row, place)
        column_bytes = numbers.value(operand.part.column_bytes, place)
        before = after = self._part(field, value, row, column_bytes, extent, place)
        if rule.access == "read":
            return Claim(field, rule.access, value, row, column_bytes, extent, before, None)
        if rule.access == "write":
            return Claim(field, rule.access, value, row, column_bytes, extent, None, after)
        if op.inputs[-1] not in self._program.values:
            raise place.error(
                f"operand {field}: found an op without a residual, allowed one with", f"op of {op.loc}"
            )
        before = self._part(field, op.inputs[-1], row, column_bytes, extent, place)
        return Claim(field, rule.access, value, row, column_bytes, extent, before, after)

    def _part(
        self, field: str, value: str, row: int, column_bytes: int, extent: Extent, place: Place
    ) -> Region:
        part = self._tags.region(value, row, column_bytes, extent)
        if part is None:
            shape = self._program.values[value]
            raise place.error(
                f"operand {field}: found {extent.rows} rows of {extent.row_bytes} bytes from row {row} "
                f"byte {column_bytes} of {value}, allowed {shape.rows} rows of {shape.row_bytes} bytes"
            )
        return part

    def _compare(self, stage_number: int, call: CheckedCall, place: Place) -> None:
        """Compare the claims and numbers of a call with what it needs to compute the part that it writes."""
        try:
            needs = wanted(call, self._graph)
        except ValueError as error:
            raise place.error(str(error), f"op of {call.op.loc}") from None
        for name, number in needs.numbers.items():
            if call.arguments[name] != number:
                raise place.error(
                    f"found {name} {call.arguments[name]}, allowed {number}", f"op of {call.op.loc}"
                )
        for claim in call.claims:
            where = f"operand {claim.field}: "
            if claim.field in needs.constants:
                if self._block_stage.get(claim.value) != stage_number:
                    raise place.error(
                        f"{where}found {claim.value}, allowed constants of stage {stage_number}"
                    )
                self._compare_constants(claim, needs.constants[claim.field], place)
                continue
            value, row, column_bytes = needs.values[claim.field]
            if value is None:
                self._use_scratch(claim, needs.roles.get(claim.field, claim.field), call.op, place)
            elif claim.value != value:
                raise place.error(f"{where}found %{claim.value}, allowed %{value}", f"op of {call.op.loc}")
            if (claim.row, claim.column_bytes) != (row, column_bytes):
                raise place.error(
                    f"{where}found row {claim.row} byte {claim.column_bytes} of {claim.value}, "
                    f"allowed row {row} byte {column_bytes}"
                )

    def _compare_constants(self, claim: Claim, needed: ConstantLines, place: Place) -> None:
        part, (first, size_bytes) = claim.before, self._tags.span(claim.value)
        contents = self._contents.get(claim.value)
        if contents is None or contents.size != size_bytes or part is None:
            raise place.error(
                f"operand {claim.field}: found no contents for {claim.value}, allowed {size_bytes} bytes"
            )
        shape, strides = (part.rows, part.row_bytes), (part.pitch_bytes, 1)
        found = np.ndarray(shape, np.uint8, contents, part.start - first, strides)
        if needed.data.shape[1] < part.row_bytes:
            raise place.error(
                f"operand {claim.field}: found a read of {part.row_bytes} bytes, "
                f"allowed {needed.data.shape[1]}"
            )
        if not np.array_equal(found[needed.lines], needed.data[:, : part.row_bytes]):
            raise place.error(
                f"operand {claim.field}: found other bytes in {claim.value} than the constants of the graph, "
                f"from byte {part.start - first} on"
            )

    def _use_scratch(self, claim: Claim, role: str, op: Op, place: Place) -> None:
        """A value that lives within one stage serves one op, in one role."""
        serves = self._scratch.setdefault(claim.value, (op.output, role))
        known = claim.value in self._graph.types or claim.value in self._block_stage
        if known or serves != (op.output, role):
            raise place.error(
                f"operand {claim.field}: found {claim.value}, allowed a value of its own in this stage"
            )
