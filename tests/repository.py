"""The repository's own files, as the tests of its rules see them."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Sub-packages of tmc, each in a top-level folder of its own.
SUBPACKAGES = ("frontend", "ir", "passes", "backend_gap9", "runtime_c")
PRODUCT = ("tmc", *SUBPACKAGES)
FOLDERS = (*PRODUCT, "tests", "examples", "docs", "bench", ".ci")


def files_under(*folders: str) -> tuple[Path, ...]:
    """List regular files under top-level folders, sorted, as paths from the root; links are not followed."""
    found: list[Path] = []
    for folder in folders:
        for parent, directories, names in os.walk(ROOT / folder):
            directories[:] = [d for d in directories if d != "__pycache__" and not d.endswith(".egg-info")]
            found += [Path(parent, name).relative_to(ROOT) for name in names]
    return tuple(sorted(path for path in found if not (ROOT / path).is_symlink()))


def all_files() -> tuple[Path, ...]:
    """List the files of every folder of the project and of its root, sorted, as paths from the root.

    In a worktree `.git` is a file; it is no file of the project.
    """
    top = [path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_file() and not path.is_symlink()]
    return tuple(sorted((*(path for path in top if path.name != ".git"), *files_under(*FOLDERS))))


def module_name(path: Path) -> str:
    """Return the dotted name under which a Python file of the product is imported."""
    parts = path.with_suffix("").parts
    parts = parts if parts[0] == "tmc" else ("tmc", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
