"""Graphs on disk: the text form, and beside it the constants as an npz file that numpy opens."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from tmc.ir.errors import ParseError
from tmc.ir.graph import Graph
from tmc.ir.text import parse_graph, print_graph
from tmc.ir.types import Array

# The earliest date a zip file can hold: numpy.savez leaves the choice to the zip module.
_DATE = (1980, 1, 1, 0, 0, 0)


def graph_files(graph: Graph, stem: str) -> dict[str, bytes]:
    """Return STEM.ir and STEM.npz by name; equal graphs give equal bytes."""
    constants = io.BytesIO()
    with zipfile.ZipFile(constants, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(graph.constants.items()):
            content = io.BytesIO()
            native = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            np.lib.format.write_array(content, native, version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), content.getvalue())
    return {f"{stem}.ir": print_graph(graph).encode(), f"{stem}.npz": constants.getvalue()}


def save_graph(graph: Graph, directory: Path, stem: str) -> None:
    """Write the files of a graph into a directory that is there."""
    for name, content in graph_files(graph, stem).items():
        (directory / name).write_bytes(content)


def load_graph(directory: Path, stem: str) -> Graph:
    """Return the graph that `save_graph` wrote.

    Raises: ParseError if a file is missing or damaged, or the two do not belong together.
    """
    path = directory / f"{stem}.ir"
    try:
        text = path.read_text(encoding="utf-8")
        path = directory / f"{stem}.npz"
        with zipfile.ZipFile(path) as archive:
            constants = {
                name.removesuffix(".npy"): _read_array(archive.read(name)) for name in archive.namelist()
            }
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ParseError(
            str(path), f"found a file that cannot be read: {error}", "write both files again with save_graph"
        ) from error
    return parse_graph(text, constants)


def _read_array(content: bytes) -> Array:
    array: Array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
