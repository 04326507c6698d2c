"""Read a description of a target: a TOML file with all fields of `Target`, or a base and what differs.

    base = "gap9"               # the name of a shipped target, or the path of a file, from this one's folder
    description = "half a chip"
    cores = 4

    [l1]
    size_bytes = 49_152

A name in a file may be left out only where the base has it. The name of a target is that of its file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tmc.backend_gap9.target.read_record import closest, read_record
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import TmcError

Table = dict[str, Any]

SHIPPED_FOLDER = Path(__file__).parent
SUFFIX = ".toml"
BASE = "base"
ACCELERATORS = ("", "ne16")


def read_target(path: Path) -> Target:
    """Return the target that a file describes.

    Raises: TmcError naming the file, the key, what was found and what is allowed.
    """
    target = read_record(Target, _whole_table(path, ()), str(path), name=path.stem)
    _check_memories(path, target)
    if target.accelerator not in ACCELERATORS:
        allowed = ", ".join(map(repr, ACCELERATORS))
        raise TmcError(str(path), f"accelerator: found {target.accelerator!r}, allowed {allowed}")
    return target


def _whole_table(path: Path, above: tuple[Path, ...]) -> Table:
    """Return the content of a file, over that of its base. above: the files that ask for it."""
    if path.resolve() in above:
        names = " on ".join(each.name for each in (*above, path.resolve()))
        raise TmcError(str(path), f"found a base that rests on itself: {names}", "name another base")
    table = _table(path)
    base = table.pop(BASE, None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise TmcError(
            str(path), f"{BASE}: found {base!r}, allowed a name or a path", 'such as base = "gap9"'
        )
    below = shipped_file(base) if is_name(base) else path.parent / base
    if not below.is_file():
        shipped = ", ".join(shipped_names())
        raise TmcError(
            str(path),
            f"{BASE}: found no target {base}, allowed {shipped}, or the path of a file",
            *closest(base, shipped_names()),
        )
    return _merged(_whole_table(below, (*above, path.resolve())), table)


def is_name(text: str) -> bool:
    """Tell whether a text is the name of a target, and no path."""
    return not text.endswith(SUFFIX) and "/" not in text and "\\" not in text


def shipped_file(name: str) -> Path:
    """Return where the target of this name would lie."""
    return SHIPPED_FOLDER / f"{name}{SUFFIX}"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the targets that lie beside this file."""
    return tuple(sorted(path.stem for path in SHIPPED_FOLDER.glob(f"*{SUFFIX}")))


def _table(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TmcError(str(path), f"cannot be read: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise TmcError(str(path), "found bytes that are no UTF-8, allowed a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise TmcError(str(path), f"found no TOML: {error}", "see toml.io for what is") from error


def _merged(base: Table, changes: Table) -> Table:
    """Return a table with the entries of another over its own, tables within them likewise."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _check_memories(path: Path, target: Target) -> None:
    """Refuse a memory that is full before a network comes, and an alignment that addresses cannot have."""
    needs = (
        ("l1", target.l1.size_bytes, target.l1_usable_bytes, "stacks of all cores and l1.runtime_bytes"),
        ("l2", target.l2.size_bytes, target.l2.usable_bytes, "l2.reserved_bytes"),
        ("l3", target.l3.size_bytes, target.l3.usable_bytes, "l3.reserved_bytes"),
    )
    alignment_bytes = target.l3_channel.alignment_bytes
    if alignment_bytes & (alignment_bytes - 1):
        found = f"found {alignment_bytes}, allowed powers of two"
        raise TmcError(str(path), f"l3_channel.alignment_bytes: {found}")
    for memory, size_bytes, usable_bytes, what in needs:
        if usable_bytes <= 0:
            found = f"{size_bytes:,} bytes, of which {what} take {size_bytes - usable_bytes:,}"
            raise TmcError(str(path), f"{memory}: found {found}", "a plan needs some of them")
        if usable_bytes % 4:
            found = f"{usable_bytes:,} bytes for plans, allowed multiples of 4"
            raise TmcError(str(path), f"{memory}: found {found}", f"change {what}")
