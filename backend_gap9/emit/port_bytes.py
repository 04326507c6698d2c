"""Ports as bytes: one behind the other, each a multiple of 4 bytes (runtime_c/include/tmc_ports.h)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.ports import Port
from tmc.ir.types import Array, TensorType

ALIGNMENT_BYTES = 4


def little_endian(array: Array) -> bytes:
    """Return the bytes of an array as the target stores it, row by row."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def from_little_endian(kind: TensorType, content: bytes) -> Array:
    """Return the array of a type that some bytes of its size hold."""
    array = np.frombuffer(content, kind.dtype.numpy.newbyteorder("<"))
    return array.astype(kind.dtype.numpy).reshape(kind.shape)


def ports_bytes(ports: tuple[Port, ...]) -> int:
    """Return the size of all ports."""
    return sum(_padded(port) for port in ports)


def pack_ports(ports: tuple[Port, ...], arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of one array for each port, padded with zeros."""
    return b"".join(little_endian(arrays[port.name]).ljust(_padded(port), b"\0") for port in ports)


def unpack_ports(ports: tuple[Port, ...], content: bytes) -> dict[str, Array]:
    """Return the array of each port, by name. content: of the size of all ports."""
    arrays, offset = {}, 0
    for port in ports:
        arrays[port.name] = from_little_endian(port.type, content[offset : offset + port.type.size_bytes])
        offset += _padded(port)
    return arrays


def _padded(port: Port) -> int:
    return port.type.size_bytes + -port.type.size_bytes % ALIGNMENT_BYTES
