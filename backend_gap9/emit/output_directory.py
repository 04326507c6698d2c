"""Write an output directory: all of it or nothing, and never over what somebody else put there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tmc.backend_gap9.emit.keep_files import KeptFiles, free_path, keep_files
from tmc.backend_gap9.emit.manifest import MANIFEST, manifest_text, read_manifest
from tmc.ir.errors import TmcError

# The file that tells an output of this compiler, and what its JSON object must name.
MARKER, MARKER_KEYS = "report.json", frozenset({"compiler", "network", "l3_bytes"})


def check_output(path: Path) -> None:
    """Refuse what `write_directory` would refuse, as far as it shows before anything is made.

    Raises: TmcError if something else is there, or nothing can be made there.
    """
    try:
        path = path.resolve()
        _check_free(path)
        parent = path.parent
        while not parent.exists():
            parent = parent.parent
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise _cannot_write(path, error) from error
    if not parent.is_dir():
        raise _cannot_write(path, f"{parent} is not a directory")
    for folder in (parent, path) if path.exists() else (parent,):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _cannot_write(path, f"no permission to write to {folder}")


def write_directory(files: Mapping[str, bytes], path: Path) -> KeptFiles:
    """Write files by relative path, and a manifest of them, into a directory at `path`; return what was kept.

    They are written beside it and moved there at the end, so that it is complete or as it was, whenever this
    stops; a process killed between two renames leaves it beside, from where the next call brings it back. Of
    an earlier output only what its manifest names, unchanged, is replaced or removed.
    Raises: TmcError if something else is there, or it cannot be written.
    """
    path = path.resolve()
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            return _write(files, path)
    except BaseException as error:  # an interrupt must not leave half of it either
        for parent in made:
            with contextlib.suppress(OSError):  # not made yet, or something else came to lie in it
                parent.rmdir()
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def _write(files: Mapping[str, bytes], path: Path) -> KeptFiles:
    fresh, old = path.with_name(f".{path.name}.tmc-new"), path.with_name(f".{path.name}.tmc-old")
    _recover(path, old)
    _check_free(path)
    try:
        _remove(fresh)
        _remove(old)  # its successor stands: the run was stopped before it went
        fresh.mkdir()
        for name, content in {**files, MANIFEST: manifest_text(files)}.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        kept = _keep(path, fresh)
        aside = old if kept.before is None else kept.before
        try:
            if path.exists():
                path.rename(aside)
            fresh.rename(path)
        except BaseException:
            _recover(path, aside)
            raise
    finally:
        with contextlib.suppress(OSError):
            _remove(fresh)
    with contextlib.suppress(OSError):
        _remove(old)
    return kept


def _keep(path: Path, fresh: Path) -> KeptFiles:
    if not path.exists() or not any(path.iterdir()):
        return KeptFiles()
    written = read_manifest(path)
    if written is None:
        return KeptFiles(before=free_path(path.with_name(f"{path.name}.before")))
    return keep_files(path, fresh, written)


def is_output(path: Path) -> bool:
    """Tell whether a directory is an output of this compiler."""
    try:
        facts = json.loads((path / MARKER).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and facts.keys() >= MARKER_KEYS


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let other compiles into directories of this folder wait."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems of networks cannot
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _recover(path: Path, aside: Path) -> None:
    """Bring a directory back that was moved away when the run was stopped."""
    if aside.exists() and not path.exists():
        aside.rename(path)


def _remove(folder: Path) -> None:
    """Remove a folder with all in it, read-only folders too."""
    if not folder.exists():
        return
    folder.chmod(0o700)
    for place, inside, _ in os.walk(folder):
        for name in inside:
            if not Path(place, name).is_symlink():
                Path(place, name).chmod(0o700)
    shutil.rmtree(folder)


def _check_free(path: Path) -> None:
    """Raise: TmcError unless there is nothing at `path`, an empty directory, or an earlier output."""
    if not path.exists():
        return
    if path.is_dir() and (not any(path.iterdir()) or read_manifest(path) is not None or is_output(path)):
        return
    raise TmcError(
        str(path),
        "found files that are no earlier output, allowed a new or empty directory",
        "name another directory, or empty this one",
    )


def _cannot_write(path: Path, reason: OSError | RuntimeError | str) -> TmcError:
    text = reason.strerror if isinstance(reason, OSError) else str(reason)
    return TmcError(str(path), f"cannot be written: {text}", "name another directory")
