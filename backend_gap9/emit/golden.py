"""golden/: the integer graph, the inputs of one run and what every op makes of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.emit.port_bytes import little_endian, pack_ports
from tmc.backend_gap9.program.buffers import value_shape
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.ports import Ports
from tmc.ir.store import graph_files
from tmc.ir.types import Array

STEM = "graph"


def golden_files(graph: Graph, ports: Ports, golden_inputs: Mapping[str, Array]) -> dict[str, bytes]:
    """Return the files of golden/ for one array of codes per input."""
    checksums: dict[str, int] = {}

    def observe(value: str, array: Array) -> None:
        checksums[value] = zlib.crc32(little_endian(array))

    outputs = interpret(graph, golden_inputs, observe)
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
        "golden/input.bin": pack_ports(ports.inputs, golden_inputs),
        "golden/output.bin": pack_ports(ports.outputs, outputs),
        "golden/values.json": ("[\n" + ",\n".join(rows) + "\n]\n").encode(),
    }
