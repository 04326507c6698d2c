"""The targets of this backend, read from the data files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import TmcError

Record = TypeVar("Record")


def _read(record: type[Record], data: Mapping[str, Any]) -> Record:
    """Return a record from a table that names each of its fields; tables inside it are records too."""
    hints = get_type_hints(record)
    assert data.keys() == hints.keys(), f"{record.__name__}: {sorted(data.keys() ^ hints.keys())}"
    return record(**{name: _value(hint, data[name]) for name, hint in hints.items()})


def _value(kind: type[Any], data: Any) -> Any:
    if is_dataclass(kind):
        return _read(kind, data)
    assert type(data) is kind, f"{data!r} is no {kind.__name__}"
    return data


def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


def _changed(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return data with some entries of some of its tables changed."""
    assert all(table.keys() <= data[name].keys() for name, table in changes.items())
    return {**data, **{name: {**data[name], **table} for name, table in changes.items()}}


_DATA = _file("gap9.toml")
_GAP9 = _read(Target, {"name": "gap9", "description": "all of the chip, 32 MiB of external RAM", **_DATA})
_GAP9_8MB = _changed(_DATA, _file("gap9_8mb.toml"))

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        _GAP9,
        replace(_GAP9, name="gap9-cores", description="the eight cores, without the accelerator"),
        _read(
            Target, {"name": "gap9-8mb", "description": "all of the chip, 8 MiB of external RAM", **_GAP9_8MB}
        ),
    )
}


def target_named(name: str) -> Target:
    """Return a target.

    Raises: TmcError naming the ones there are.
    """
    if name not in TARGETS:
        raise TmcError("target", f"found {name}, allowed {', '.join(TARGETS)}", "`tmc targets` lists them")
    return TARGETS[name]
