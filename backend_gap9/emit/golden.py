"""golden/: the integer graph, one input and what every op makes of it."""

from __future__ import annotations

import json
import zlib

from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.program.buffers import value_shape
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.store import graph_files
from tmc.ir.types import Array

STEM = "graph"


def golden_files(graph: Graph, golden_input: Array) -> dict[str, bytes]:
    """Return the files of golden/ for one integer input."""
    (input_name,), (output_name,) = graph.inputs, graph.outputs
    checksums: dict[str, int] = {}

    def observe(value: str, array: Array) -> None:
        checksums[value] = zlib.crc32(little_endian(array))

    outputs = interpret(graph, {input_name: golden_input}, observe)
    rows = []
    for op in traced_ops(graph):
        tensor, shape = graph.types[op.output], value_shape(graph.types[op.output])
        row = {
            "name": op.output,
            "node": op.loc,
            "dtype": tensor.dtype.value,
            "shape": tensor.shape,
            "rows": shape.rows,
            "row_bytes": shape.row_bytes,
            "crc32": f"{checksums[op.output]:08x}",
        }
        rows.append(json.dumps(row))
    return {
        **{f"golden/{name}": content for name, content in graph_files(graph, STEM).items()},
        "golden/input.bin": little_endian(golden_input),
        "golden/output.bin": little_endian(outputs[output_name]),
        "golden/values.json": ("[\n" + ",\n".join(rows) + "\n]\n").encode(),
    }


def little_endian(array: Array) -> bytes:
    """Return the bytes of an array as the target stores it, row by row."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
