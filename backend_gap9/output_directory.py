"""Write an output directory: all of it or nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tmc.ir.errors import TmcError

# The file that tells an output of this compiler, and what its JSON object must name.
MARKER, MARKER_KEYS = "report.json", frozenset({"compiler", "network", "l3_bytes"})


def write_directory(files: Mapping[str, bytes], path: Path) -> None:
    """Write files by relative path into a new directory at `path`, complete or not at all.

    They are written beside it and moved there at the end. An earlier output is replaced as a whole.
    Raises: TmcError if something else is there, or it cannot be written.
    """
    path = path.resolve()
    if not _may_be_replaced(path):
        raise TmcError(
            str(path),
            "found files that are no earlier output, allowed a new or empty directory",
            "name another directory, or empty this one",
        )
    fresh, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    try:
        for leftover in (fresh, old):
            if leftover.exists():
                shutil.rmtree(leftover)
        fresh.mkdir(parents=True)
        for name, content in files.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(fresh, ignore_errors=True)
        raise TmcError(str(path), f"cannot be written: {error.strerror}") from error


def is_output(path: Path) -> bool:
    """Tell whether a directory is an output of this compiler."""
    try:
        facts = json.loads((path / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.keys() >= MARKER_KEYS


def _may_be_replaced(path: Path) -> bool:
    if not path.exists():
        return True
    return path.is_dir() and (is_output(path) or not any(path.iterdir()))
