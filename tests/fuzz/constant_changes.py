"""Damage to the constants of a model: sizes, types, data, numbers, and where they lie."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import onnx
from onnx import TensorProto

from tests.fuzz.draw import any_of, value_name

NUMBERS = (
    *(0.0, -0.0, 1.0, 1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e5, 1e10, 1e18, 1e30, 3e38, -3e38),
    *(float("nan"), float("inf"), -float("inf")),
)
SIZES = (0, 1, 2, 3, -1, 2**20, 2**31, 2**40, 2**62)


def _constant(random: Random, model: onnx.ModelProto) -> onnx.TensorProto | None:
    nested = [each.t for node in model.graph.node for each in node.attribute if each.HasField("t")]
    found: onnx.TensorProto | None = any_of(random, [*model.graph.initializer, *nested])
    return found


def _dims(random: Random, model: onnx.ModelProto) -> None:
    tensor = _constant(random, model)
    if tensor is None:
        return
    choice = random.random()
    if choice < 0.6 and len(tensor.dims):
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(SIZES)
    elif choice < 0.8:
        tensor.dims.append(random.choice(SIZES))
    elif len(tensor.dims):
        del tensor.dims[-1]


def _element_type(random: Random, model: onnx.ModelProto) -> None:
    tensor = _constant(random, model)
    if tensor is not None:
        tensor.data_type = random.choice([*range(24), 77, 2**31 - 1])


def _raw_data(random: Random, model: onnx.ModelProto) -> None:
    tensor = _constant(random, model)
    if tensor is not None:
        data = tensor.raw_data
        tensor.raw_data = random.choice(
            [b"", data[:-1], data[: len(data) // 2], data + b"\0", data * 2, b"\xff" * len(data)]
        )
        if random.random() < 0.2:
            tensor.float_data.extend([1.0])


def _numbers(random: Random, model: onnx.ModelProto) -> None:
    """Put strange numbers into a constant: one, a channel, or all of them."""
    tensor = _constant(random, model)
    if (
        tensor is None
        or tensor.data_type != TensorProto.FLOAT
        or len(tensor.raw_data) % 4
        or not tensor.raw_data
    ):
        return
    array = np.frombuffer(tensor.raw_data, np.float32).copy()
    number = np.float32(random.choice(NUMBERS))
    choice = random.random()
    if choice < 0.4:
        array[random.randrange(array.size)] = number
    elif choice < 0.6:
        array[:: max(1, array.size // 8)] = number
    elif choice < 0.8:
        array[:] = number
    else:
        with np.errstate(all="ignore"):
            array *= number
    tensor.raw_data = array.tobytes()


def _initialisers(random: Random, model: onnx.ModelProto) -> None:
    tensor = any_of(random, model.graph.initializer)
    if tensor is None:
        return
    choice = random.random()
    if choice < 0.4:
        model.graph.initializer.add().CopyFrom(tensor)
    elif choice < 0.8:
        model.graph.initializer.remove(tensor)
    else:
        tensor.name = random.choice(["", value_name(random, model)])


def _external(random: Random, model: onnx.ModelProto) -> None:
    """Say that a constant lies in another file."""
    tensor = _constant(random, model)
    if tensor is None:
        return
    tensor.data_location = TensorProto.EXTERNAL
    places = [
        "../secret",
        "/etc/passwd",
        "m.onnx",
        "",
        ".",
        "missing",
        "a/../../x",
        "data\x00",
        "/dev/zero",
        "fifo",
    ]
    offsets, lengths = ["0", "-1", "x", str(2**62)], ["4", "0", "-4", "y", str(2**40)]
    facts = {
        "location": random.choice(places),
        "offset": random.choice(offsets),
        "length": random.choice(lengths),
    }
    for key, value in facts.items():
        if random.random() < 0.8:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    if random.random() < 0.5:
        tensor.raw_data = b""


def _sparse(random: Random, model: onnx.ModelProto) -> None:
    tensor = any_of(random, model.graph.initializer)
    if tensor is not None:
        sparse = model.graph.sparse_initializer.add()
        sparse.values.CopyFrom(tensor)
        sparse.dims.extend(random.choice([[1], [4, 4], [2**40]]))


CHANGES: tuple[Callable[[Random, onnx.ModelProto], None], ...] = (
    *(
        _dims,
        _element_type,
        _raw_data,
        _numbers,
        _numbers,
        _numbers,
        _numbers,
        _initialisers,
        _external,
        _sparse,
    ),
)
