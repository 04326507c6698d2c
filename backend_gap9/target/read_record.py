"""Records from tables of a target's file: the keys of a table are the fields of its record."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any, NoReturn, TypeVar, get_type_hints

from tmc.backend_gap9.target.target import KernelTables
from tmc.ir.errors import TmcError

Record = TypeVar("Record")
Table = Mapping[str, Any]

STACK_ALIGNMENT_BYTES = 16  # of the stack pointer, by the calling convention of RISC-V
# What the run time, the simulators and the address map of a PULP cluster can take: the least and the most,
# and what divides it.
_LIMITS: Mapping[str, tuple[int, int, int]] = {
    "cores": (1, 8, 1),
    "cluster_hz": (1_000_000, 2_000_000_000, 1),
    "l1.size_bytes": (1 << 10, 1 << 20, 1 << 10),
    "l2.size_bytes": (1 << 10, 15 << 20, 1 << 10),
    "l3.size_bytes": (1 << 10, 1 << 30, 1 << 10),
    "stacks.worker_bytes": (256, 1 << 16, STACK_ALIGNMENT_BYTES),
    "stacks.controller_bytes": (256, 1 << 16, STACK_ALIGNMENT_BYTES),
    "dma.max_bytes": (1 << 10, (1 << 17) - 1, 1),  # a field of 17 bits
    "dma.queue_entries": (1, 16, 1),
    "l3_channel.alignment_bytes": (4, 4096, 4),
}
# Of all others, those that may be 0; the costs of kernels may be too, but for the sizes of their blocks.
_MAY_BE_ZERO = frozenset({"reserved_bytes", "runtime_bytes", "startup_cycles", "cold_cycles", "line_cycles"})
_BLOCK = frozenset({"rows", "channels"})


def read_record(kind: type[Record], table: Table, where: str, prefix: str = "", **known: str) -> Record:
    """Return a record. where: the file; prefix: the name of its table and a dot; known: fields without a key.

    Raises: TmcError naming the file, the key, what was found and what is allowed.
    """
    return _Reader(where).record(kind, table, prefix, **known)


def closest(word: str, words: Iterable[str]) -> tuple[str, ...]:
    """Return a note with the word that was probably meant; none if none is near."""
    near = difflib.get_close_matches(word, list(words), 1, 0.5)
    return tuple(f"did you mean {each}?" for each in near)


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where

    def record(self, kind: type[Record], table: Table, prefix: str, **known: str) -> Record:
        """Return a record. prefix: the name of its table and a dot; known: fields that have no key."""
        hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in known}
        for key in table:
            if key not in hints:
                found = f"{prefix}{key}: found an unknown key, allowed {', '.join(hints)}"
                raise TmcError(self._where, found, *closest(key, hints))
        for name in hints:
            if name not in table:
                found = f"{prefix}{name}: found no such key, and no base that has it"
                raise TmcError(self._where, found, 'give it, or a base such as base = "gap9"')
        values = {name: self._value(hint, table[name], prefix + name) for name, hint in hints.items()}
        return kind(**known, **values)

    def _value(self, kind: type[Any], found: Any, key: str) -> Any:
        if kind is KernelTables:
            return KernelTables(self._where, found)  # their kernels read them
        if is_dataclass(kind):
            if not isinstance(found, dict):
                self._refuse(key, found, f"a table [{key}]")
            return self.record(kind, found, f"{key}.")
        if kind is float and type(found) is int:
            found = float(found)
        if type(found) is not kind:
            self._refuse(key, found, {int: "an integer", float: "a number", str: "a text"}[kind])
        if kind is not str:
            self._check_number(key, found)
        return found

    def _check_number(self, key: str, found: float) -> None:
        name = key.rpartition(".")[2]
        if key in _LIMITS:
            least, most, step = _LIMITS[key]
            if not least <= found <= most or found % step:
                multiples = f", multiples of {step:,}" if step > 1 else ""
                self._refuse(key, found, f"{least:,} to {most:,}{multiples}")
        elif (key.startswith("kernels.") and name not in _BLOCK) or name in _MAY_BE_ZERO:
            if not 0 <= found < float("inf"):
                self._refuse(key, found, "0 or more")
        elif not 0 < found < float("inf"):
            self._refuse(key, found, "more than 0")

    def _refuse(self, key: str, found: object, allowed: str) -> NoReturn:
        shown = f"{found:,}" if type(found) in (int, float) else repr(found)
        raise TmcError(self._where, f"{key}: found {shown}, allowed {allowed}")
