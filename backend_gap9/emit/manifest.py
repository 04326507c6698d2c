"""The manifest of an output directory: which files a compile wrote there, with a checksum of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

MANIFEST = "manifest.json"


def manifest_text(files: Mapping[str, bytes]) -> bytes:
    """Return the manifest of files by relative path."""
    sums = {name: checksum(content) for name, content in sorted(files.items())}
    return (json.dumps({"written_by": "tmc", "sha256": sums}, indent=1) + "\n").encode()


def read_manifest(folder: Path) -> Mapping[str, str] | None:
    """Return the checksum of each file that a compile wrote into a folder; None if it holds no manifest."""
    try:
        facts = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    sums = facts.get("sha256") if isinstance(facts, dict) and facts.get("written_by") == "tmc" else None
    return sums if isinstance(sums, dict) else None


def checksum(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()
