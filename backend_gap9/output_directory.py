"""Write an output directory: all of it or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tmc.ir.errors import TmcError

# The file that tells an output of this compiler, and what its JSON object must name.
MARKER, MARKER_KEYS = "report.json", frozenset({"compiler", "network", "l3_bytes"})


def check_output(path: Path) -> None:
    """Refuse what `write_directory` would refuse, as far as it shows before anything is made.

    Raises: TmcError if something else is there, or nothing can be made there.
    """
    path = path.resolve()
    try:
        _check_free(path)
        parent = path.parent
        while not parent.exists():
            parent = parent.parent
    except OSError as error:
        raise _cannot_write(path, error.strerror) from error
    if not parent.is_dir():
        raise _cannot_write(path, f"{parent} is not a directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _cannot_write(path, f"no permission to write to {parent}")


def write_directory(files: Mapping[str, bytes], path: Path) -> None:
    """Write files by relative path into a new directory at `path`, complete or not at all.

    They are written beside it and moved there at the end. An earlier output is replaced as a whole.
    Raises: TmcError if something else is there, or it cannot be written.
    """
    path = path.resolve()
    fresh, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        _check_free(path)
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
    except BaseException as error:  # an interrupt must not leave half of it either
        shutil.rmtree(fresh, ignore_errors=True)
        with contextlib.suppress(OSError):
            if old.exists() and not path.exists():
                old.rename(path)
        for parent in made:
            with contextlib.suppress(OSError):  # not made yet, or something else came to lie in it
                parent.rmdir()
        if isinstance(error, OSError):
            raise _cannot_write(path, error.strerror) from error
        raise


def is_output(path: Path) -> bool:
    """Tell whether a directory is an output of this compiler."""
    try:
        facts = json.loads((path / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.keys() >= MARKER_KEYS


def _check_free(path: Path) -> None:
    """Raise: TmcError unless there is nothing at `path`, an empty directory, or an earlier output."""
    if not path.exists() or (path.is_dir() and (is_output(path) or not any(path.iterdir()))):
        return
    raise TmcError(
        str(path),
        "found files that are no earlier output, allowed a new or empty directory",
        "name another directory, or empty this one",
    )


def _cannot_write(path: Path, reason: str | None) -> TmcError:
    return TmcError(str(path), f"cannot be written: {reason}", "name another directory")
