"""Records from tables of a TOML file: each field is named, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

from tmc.ir.errors import TmcError

Record = TypeVar("Record")


def read_record(record: type[Record], data: Mapping[str, Any], where: str) -> Record:
    """Return a record from a table that names each of its fields; tables inside it are records too.

    Raises: TmcError naming the table and the entry that lacks, is too much, or is of another kind.
    """
    hints = get_type_hints(record)
    for name in sorted(hints.keys() - data.keys()):
        raise TmcError(f"target, table {where}", f"found no entry {name}, allowed a number for each entry")
    for name in sorted(data.keys() - hints.keys()):
        raise TmcError(f"target, table {where}", f"found the entry {name}, allowed {', '.join(hints)}")
    return record(**{name: _value(hint, data[name], f"{where}.{name}") for name, hint in hints.items()})


def _value(kind: type[Any], data: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(data, Mapping):
        return read_record(kind, data, where)
    if type(data) is not kind:
        raise TmcError(f"target, entry {where}", f"found {data!r}, allowed one of type {kind.__name__}")
    return data
