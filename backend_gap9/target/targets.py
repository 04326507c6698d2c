"""The targets of this backend: those whose descriptions lie beside this file, and those of a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tmc.backend_gap9.target.read_record import closest
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.target_file import SUFFIX, is_name, read_target, shipped_file
from tmc.ir.errors import TmcError

_SHIPPED = ("gap9", "gap9-cores", "gap9-ne16", "gap9-8mb", "pulp-open")

TARGETS: Mapping[str, Target] = {name: read_target(shipped_file(name)) for name in _SHIPPED}


def target_named(text: str) -> Target:
    """Return the target of this name, or the one that the file of this path describes.

    Raises: TmcError naming the ones there are, or the file and what is wrong in it.
    """
    if text in TARGETS:
        return TARGETS[text]
    path = Path(text)
    if is_name(text):
        beside = Path(f"{text}{SUFFIX}")
        near = (f"did you mean {beside}?",) if beside.is_file() else closest(text, TARGETS)
        allowed = f"{', '.join(TARGETS)}, or the path of a .toml file"
        raise TmcError(
            "--target", f"found {text}, allowed {allowed}", *(near or ("`tmc targets` lists them",))
        )
    if not path.is_file():
        raise TmcError("--target", f"found no file {text}", "`tmc targets` lists the names that need none")
    return read_target(path)
