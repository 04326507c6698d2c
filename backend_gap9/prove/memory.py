"""The memories of a program as the checker sees them: one provenance tag per byte.

Every byte of every value has a number of its own, its tag; a byte of memory holds the tag of what was last
put there, or UNDEFINED. A tag therefore says which value it is, and which byte of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmc.backend_gap9.kernels.record import Extent
from tmc.backend_gap9.program.buffers import Buffer, ValueShape
from tmc.backend_gap9.program.program import Program
from tmc.ir.errors import PlanError
from tmc.ir.graph import follow

Tags = NDArray[np.int32]
UNDEFINED = -1
# A proof needs 5 bytes for each byte of a value, see check_program: 1.3 GB for as many as this.
MOST_TAGS = 2**28


@dataclass(frozen=True, slots=True)
class Region:
    """rows x row_bytes bytes of one address space, pitch_bytes apart; `end` is the first byte behind it."""

    space: str
    start: int
    rows: int
    row_bytes: int
    pitch_bytes: int

    @property
    def end(self) -> int:
        """Return the first address behind the last row."""
        return self.start + (self.rows - 1) * self.pitch_bytes + self.row_bytes

    @property
    def size_bytes(self) -> int:
        """Return rows * row_bytes."""
        return self.rows * self.row_bytes


def rows_agree(a: Region, b: Region) -> bool:
    """Tell whether the rows of two regions start at the same addresses."""
    pitches_agree = a.rows == 1 or a.pitch_bytes == b.pitch_bytes
    return (a.space, a.start, a.rows) == (b.space, b.start, b.rows) and pitches_agree


def shared_byte(a: Region, b: Region) -> int | None:
    """Return the lowest address that both regions hold, or None. Rows of one region do not overlap."""
    if a.space != b.space or a.end <= b.start or b.end <= a.start:
        return None
    if a.rows > b.rows:
        a, b = b, a
    first = a.start + np.arange(a.rows, dtype=np.int64) * a.pitch_bytes
    behind = first + a.row_bytes
    # For each row of a: the first row of b that ends behind its first byte.
    row = np.maximum(0, (first - b.start - b.row_bytes) // b.pitch_bytes + 1)
    low = np.maximum(first, b.start + row * b.pitch_bytes)
    shared = low[(row < b.rows) & (low < behind)]
    return int(shared.min()) if shared.size else None


class ValueTags:
    """The tags of every value. A view has those of the value whose bytes it shares."""

    def __init__(self, values: Mapping[str, ValueShape], views: Mapping[str, str]) -> None:
        """Number the bytes of all values that are not views, in the order of `values`."""
        self._shapes = values
        # The checker follows views first, and lets only those pass that end; here none may hang either.
        self._roots = {name: follow(name, views.get)[-1] for name in {*values, *views}}
        self._first: dict[str, int] = {}
        total = 0
        for name, shape in values.items():
            if name not in views:
                self._first[name] = total
                total += shape.rows * shape.row_bytes
        if total > MOST_TAGS:
            raise PlanError(
                "attention",
                f"found values of {total:,} bytes in all, attention scores among them, allowed {MOST_TAGS:,}",
                "fewer tokens, or fewer heads: attention has a score of 3 bytes for each query, key and head",
            )
        self.all: Tags = np.arange(total, dtype=np.int32)
        self.all.setflags(write=False)

    def root(self, value: str) -> str:
        """Return the value whose bytes this one shares: itself unless it is a view."""
        return self._roots[value]

    def region(self, value: str, row: int, column_bytes: int, extent: Extent) -> Region | None:
        """Return the tags of a part as a region of the space of tags; None if the value is smaller than that.

        A value of one row is a run of bytes in which a table may have lines of its own, as far apart as in
        memory. Of other values, a run of bytes without gaps may be whole rows.
        """
        shape = self._shapes[value]
        rows, row_bytes, pitch_bytes = extent.rows, extent.row_bytes, shape.row_bytes
        if shape.rows == 1:
            pitch_bytes = extent.pitch_bytes if rows > 1 else row_bytes
        elif column_bytes == 0 and row_bytes % shape.row_bytes == 0 and extent.pitch_bytes == row_bytes:
            rows, row_bytes = rows * row_bytes // shape.row_bytes, shape.row_bytes
        first = row * shape.row_bytes + column_bytes
        part = Region("tags", self._first[self.root(value)] + first, rows, row_bytes, pitch_bytes)
        if shape.rows == 1:
            fits = row == 0 and column_bytes + part.end - part.start <= shape.row_bytes
        else:
            fits = row + rows <= shape.rows and column_bytes + row_bytes <= shape.row_bytes
        return part if fits and row >= 0 and column_bytes >= 0 else None

    def span(self, value: str) -> tuple[int, int]:
        """Return the first tag of a value and its number of bytes."""
        shape = self._shapes[value]
        return self._first[self.root(value)], shape.rows * shape.row_bytes

    def describe(self, tag: int) -> str:
        """Name the value and the byte of it that a tag stands for."""
        if tag == UNDEFINED:
            return "undefined bytes"
        name = max((name for name, first in self._first.items() if first <= tag), key=self._first.__getitem__)
        row, column = divmod(tag - self._first[name], self._shapes[name].row_bytes)
        return f"{name} row {row} byte {column}"


def view(tags: Tags, region: Region) -> Tags:
    """Return a region of an array of tags as a matrix [rows, row_bytes] that shares its memory."""
    return np.ndarray(
        (region.rows, region.row_bytes),
        tags.dtype,
        tags,
        region.start * tags.itemsize,
        (region.pitch_bytes * tags.itemsize, tags.itemsize),
    )


def space_of(buffer: Buffer) -> tuple[str, int]:
    """Return the address space of a buffer, and its start there; the caller's buffers are one each."""
    return (f"caller's {buffer.name}", 0) if buffer.external else (buffer.memory, buffer.offset_bytes)


class Memories:
    """The tags that L1, L2, L3 and the caller's buffers hold."""

    def __init__(self, program: Program) -> None:
        """Start with every byte undefined."""
        sizes = {"l1": program.l1_bytes, "l2": program.l2_bytes, "l3": program.l3_bytes}
        sizes |= {space_of(each)[0]: each.size_bytes for each in program.buffers if each.external}
        self.spaces: dict[str, Tags] = {
            name: np.full(size, UNDEFINED, dtype=np.int32) for name, size in sizes.items()
        }

    def copy(self) -> Memories:
        """Return an independent copy; what nothing can write any more is shared."""
        twin = Memories.__new__(Memories)
        twin.spaces = {
            name: tags.copy() if tags.flags.writeable else tags for name, tags in self.spaces.items()
        }
        return twin

    def view(self, region: Region) -> Tags:
        """Return the tags of a region [rows, row_bytes]; assigning to it writes the memory."""
        return view(self.spaces[region.space], region)
