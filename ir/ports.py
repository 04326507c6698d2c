"""The inputs and outputs of a network, as those who call it see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tmc.ir.graph import Graph
from tmc.ir.types import Array, TensorType


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: its name, and the element type, shape, scale, zero point and bits of its codes."""

    name: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class Ports:
    """What a network takes and gives, each in the order of the graph."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def ports_of(graph: Graph) -> Ports:
    """Return the ports of a graph."""
    return Ports(
        tuple(Port(name, graph.types[name]) for name in graph.inputs),
        tuple(Port(name, graph.types[name]) for name in graph.outputs),
    )


def port_names(ports: tuple[Port, ...]) -> str:
    """Return the names of some ports for a message."""
    return ", ".join(port.name for port in ports)


def each_run(arrays: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Yield the arrays of one run after the other: per name an array [runs, ...], the same runs for all."""
    for run in range(min(len(array) for array in arrays.values())):
        yield {name: array[run] for name, array in arrays.items()}
