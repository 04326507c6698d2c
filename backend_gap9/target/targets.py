"""The targets of this backend, read from the data files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tmc.backend_gap9.target.read_record import read_record
from tmc.backend_gap9.target.target import KernelTables, Target
from tmc.ir.errors import TmcError


def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


def _changed(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return data with some entries of some of its tables changed."""
    assert all(table.keys() <= data[name].keys() for name, table in changes.items())
    return {**data, **{name: {**data[name], **table} for name, table in changes.items()}}


def _target(name: str, description: str, data: Mapping[str, Any]) -> Target:
    tables = KernelTables(data["kernels"])
    return read_record(Target, {"name": name, "description": description, **data, "kernels": tables}, name)


_DATA = _file("gap9.toml")
_GAP9 = _target("gap9", "all of the chip, 32 MiB of external RAM", _DATA)
_GAP9_8MB = _changed(_DATA, _file("gap9_8mb.toml"))

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        _GAP9,
        replace(_GAP9, name="gap9-cores", description="the eight cores, without the accelerator"),
        _target("gap9-8mb", "all of the chip, 8 MiB of external RAM", _GAP9_8MB),
    )
}


def target_named(name: str) -> Target:
    """Return a target.

    Raises: TmcError naming the ones there are.
    """
    if name not in TARGETS:
        raise TmcError("target", f"found {name}, allowed {', '.join(TARGETS)}", "`tmc targets` lists them")
    return TARGETS[name]
