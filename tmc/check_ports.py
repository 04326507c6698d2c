"""Every output has to be a value of its own: a port is a buffer, and nothing copies from one into another."""

from __future__ import annotations

from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, OpKind, follow, producers


def check_ports(graph: Graph) -> None:
    """Refuse outputs that hold the elements of an input or of another output.

    Raises: UnsupportedModel naming both.
    """
    made_by = producers(graph)

    def viewed(name: str) -> str | None:
        op = made_by.get(name)
        return op.inputs[0] if op is not None and op.kind is OpKind.RESHAPE else None

    taken = {name: f"input {name}" for name in graph.inputs}
    for name in graph.outputs:
        root = follow(name, viewed)[-1]
        if root in taken:
            raise UnsupportedModel(
                f"output {name}",
                f"found the elements of {taken[root]} again, allowed values of its own",
                "leave this output out of the network, and read the other one",
            )
        taken[root] = f"output {name}"
