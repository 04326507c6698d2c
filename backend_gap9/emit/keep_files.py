"""Carry over what somebody else put into an output directory, or changed there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tmc.backend_gap9.emit.manifest import MANIFEST, checksum

YOURS = ".yours"  # behind the name of a file that cannot stay under its own


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """What an output directory held that no compile wrote, by relative path.

    in_place: files, links and empty folders that are where they were. renamed: what was changed since the
    last compile, or stands in the way of this one, with its new path. before: the new path of the whole
    directory, where it was written by a version that left no manifest.
    """

    in_place: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    before: Path | None = None


def keep_files(path: Path, fresh: Path, written: Mapping[str, str]) -> KeptFiles:
    """Bring into `fresh`, which holds the files of this compile, what `path` holds beside those of the last.

    written: the checksums of what the last one wrote. Files are linked, so that `path` stays as it is, and
    copied where the file system cannot link. No link of the user's is followed.
    Raises: OSError if something can be neither linked nor copied.
    """
    strange = [name for name in _entries(path, "") if not _is_ours(path, fresh, name, written)]
    keeping = _Keeping(path, fresh)
    for name in strange:
        if name not in written and keeping.is_free(name):
            keeping.carry(name, name)
    stayed = {name for name in strange if os.path.lexists(fresh / name) and name in keeping.carried}
    for name in strange:
        if name not in stayed:
            keeping.carry(name, keeping.other_name(name))
    for place, _, _ in os.walk(path):
        twin = fresh / Path(place).relative_to(path)
        if twin.is_dir() and not twin.is_symlink():
            shutil.copymode(place, twin)
    renamed = {name: keeping.carried[name] for name in strange if name not in stayed}
    return KeptFiles(tuple(name for name in strange if name in stayed), renamed)


def free_path(path: Path) -> Path:
    """Return the path, with a number behind it if something is there."""
    candidate, count = path, 1
    while os.path.lexists(candidate):
        count += 1
        candidate = path.with_name(f"{path.name}-{count}")
    return candidate


def _entries(folder: Path, beginning: str) -> Iterator[str]:
    """Yield the paths of all files, links and empty folders."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = f"{beginning}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            inside = list(_entries(folder / entry.name, f"{name}/"))
            yield from inside or [name]
        elif name != MANIFEST:
            yield name


def _is_ours(path: Path, fresh: Path, name: str, written: Mapping[str, str]) -> bool:
    """Tell whether a file is as a compile left it: the last one, or, as far as it matters, this one."""
    entry, new = path / name, fresh / name
    if entry.is_symlink() or not entry.is_file():
        # A folder that this compile fills needs no carrying.
        return entry.is_dir() and not entry.is_symlink() and new.is_dir()
    if name not in written and not new.is_file():
        return False
    found = entry.read_bytes()
    return checksum(found) == written.get(name) or (new.is_file() and new.read_bytes() == found)


@dataclass(slots=True)
class _Keeping:
    """What was carried so far, by its old relative path."""

    path: Path
    fresh: Path
    carried: dict[str, str] = field(default_factory=dict)

    def is_free(self, name: str) -> bool:
        """Tell whether nothing of this compile is at a path, nor a file where it needs a folder."""
        folders = [self.fresh / parent for parent in PurePosixPath(name).parents]
        blocked = any(os.path.lexists(folder) and not folder.is_dir() for folder in folders)
        return not blocked and not os.path.lexists(self.fresh / name)

    def other_name(self, name: str) -> str:
        """Return a free name: that of the file, or of the folder in the way, with .yours behind it."""
        parts = PurePosixPath(name).parts
        for count in range(1, len(parts)):
            blocked = self.fresh / Path(*parts[:count])
            if os.path.lexists(blocked) and not blocked.is_dir():
                other = blocked.with_name(f"{blocked.name}{YOURS}")
                return str(PurePosixPath(other.relative_to(self.fresh).as_posix(), *parts[count:]))
        place = self.fresh / name
        return free_path(place.with_name(f"{place.name}{YOURS}")).relative_to(self.fresh).as_posix()

    def carry(self, name: str, to: str) -> None:
        """Link or copy a file, a link or an empty folder."""
        source, target = self.path / name, self.fresh / to
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() and not source.is_symlink():
            target.mkdir()
        else:
            try:
                os.link(source, target, follow_symlinks=False)
            except OSError:
                shutil.copy2(source, target, follow_symlinks=False)
        self.carried[name] = to
