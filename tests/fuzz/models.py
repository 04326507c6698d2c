"""Small valid models of every kind that tmc takes, drawn at random."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, write_mlp

Array = NDArray[Any]
ACTIVATIONS = ("Relu", "Tanh", "Sigmoid", "Gelu", "Erf", "Neg", "Sqrt", "Softmax")
CHAIN_NODES = 1200


def draw_model(random: Random) -> onnx.ModelProto:
    """Return a model; equal states of `random` give equal models."""
    return random.choice(KINDS)(random)


def _weights(random: Random, *shape: int) -> Array:
    noise = np.random.default_rng(random.getrandbits(32)).standard_normal(shape)
    return (noise / max(shape[0], 1) ** 0.5).astype(np.float32)


def _written(*arguments: Any, **named: Any) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(write(Path(folder) / "m.onnx", *arguments, **named))


def _transformer(random: Random) -> onnx.ModelProto:
    shape = Architecture(
        channels=random.choice([1, 2, 3]),
        patches=random.choice([1, 2, 5]),
        patch=random.choice([2, 4, 10]),
        dim=random.choice([8, 16, 24]),
        heads=random.choice([1, 2]),
        hidden=random.choice([8, 16]),
        layers=random.choice([0, 1, 1, 2]),
        classes=random.choice([1, 3, 6]),
        rope=random.choice(["none", "flat", "cyclic"]),
        channel_bias=random.random() < 0.5,
        head=random.choice(["concat", "mean", "tokens"]),
        gelu=random.choice(["none", "tanh"]),
    )
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(write_transformer(Path(folder) / "m.onnx", shape, random.randrange(4)))


def _layers(random: Random) -> onnx.ModelProto:
    """Linear layers and activations, at every rank, as Gemm or MatMul and Add."""
    rank = random.choice([1, 2, 2, 3, 4])
    widths = [random.choice([1, 3, 8, 16]) for _ in range(random.choice([1, 2, 3]) + 1)]
    shape = [*(random.choice([1, 2, 5]) for _ in range(rank - 1)), widths[0]]
    nodes, constants, x = [], {}, "x"
    for number, (depth, columns) in enumerate(itertools.pairwise(widths)):
        constants[f"w{number}"] = _weights(random, depth, columns)
        constants[f"b{number}"] = _weights(random, columns)
        if rank == 2 and random.random() < 0.5:
            nodes.append(node("Gemm", f"{x} w{number} b{number}", f"s{number}"))
        else:
            nodes.append(node("MatMul", f"{x} w{number}", f"p{number}"))
            nodes.append(node("Add", f"p{number} b{number}", f"s{number}"))
        x = f"s{number}"
        if number < len(widths) - 2 or random.random() < 0.3:
            nodes.append(node(random.choice(ACTIVATIONS), x, f"a{number}"))
            x = f"a{number}"
    nodes.append(node("Identity", x, "y"))
    return _written(nodes, {"x": shape}, constants=constants, opset=random.choice([13, 17, 20, 24]))


def _requant_shift(random: Random) -> onnx.ModelProto:
    """Integer layers with a RequantShift each, at every rank."""
    rank = random.choice([1, 2, 3, 4])
    widths = [random.choice([1, 4, 8]) for _ in range(random.choice([1, 2]) + 1)]
    shape = [*(random.choice([1, 2, 3]) for _ in range(rank - 1)), widths[0]]
    noise = np.random.default_rng(random.getrandbits(32))
    nodes, constants, x = [], {}, "x"
    for number, (depth, columns) in enumerate(itertools.pairwise(widths)):
        last = number == len(widths) - 2
        constants[f"w{number}"] = noise.integers(-127, 128, (depth, columns)).astype(np.float32)
        constants[f"m{number}"] = noise.integers(1, 99, random.choice([(), (columns,)])).astype(np.float32)
        constants[f"c{number}"] = noise.integers(-999, 999, random.choice([(), (columns,)])).astype(
            np.float32
        )
        levels, signed = random.choice([(256.0, 1.0), (256.0, 0.0), (16.0, 1.0)])
        nodes.append(node("MatMul", f"{x} w{number}", f"p{number}"))
        domain = random.choice(["", "PACTOps.", "ai.onnx.contrib."])
        name = "y" if last else f"x{number}"
        attributes = {"div": 2.0 ** random.choice([0, 8, 16]), "n_levels": levels, "signed": signed}
        nodes.append(node(f"{domain}RequantShift", f"p{number} m{number} c{number}", name, **attributes))
        x = name
    return _written(nodes, {"x": shape}, constants=constants, opset=13)


@cache
def _quantised_files() -> tuple[bytes, ...]:
    """Return the files of onnxruntime's quantiser, which takes too long to run for each model."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = Architecture(channels=2, patches=2, patch=4, dim=16, heads=2, hidden=16, classes=3)
        transformer = write_transformer(folder / "t.onnx", shape)
        for source in (write_mlp(folder / "m.onnx"), transformer):
            for per_channel, activations in ((False, "uint8"), (True, "int8")):
                target = quantise(source, folder / "q.onnx", per_channel, activations)
                found.append(target.read_bytes())
    return tuple(found)


def _quantised(random: Random) -> onnx.ModelProto:
    return onnx.load_from_string(random.choice(_quantised_files()))


def _patches(random: Random) -> onnx.ModelProto:
    """A convolution that cuts patches, a LayerNorm, a mean over tokens, a linear head."""
    channels, patch, tokens = random.choice([1, 2, 4]), random.choice([2, 5, 10]), random.choice([1, 4, 6])
    dim, classes = random.choice([8, 12]), random.choice([2, 5])
    nodes = [
        node("Conv", "x k b", "c", strides=[patch], kernel_shape=[patch]),
        node("Transpose", "c", "t", perm=[0, 2, 1]),
        node("LayerNormalization", "t g o", "n", axis=-1),
        node("ReduceMean", "n", "m", axes=[1], keepdims=0),
        node("Gemm", "m w v", "y"),
    ]
    constants = {
        "k": _weights(random, dim, channels, patch),
        "b": _weights(random, dim),
        "g": np.ones(dim, np.float32),
        "o": np.zeros(dim, np.float32),
        "w": _weights(random, dim, classes),
        "v": _weights(random, classes),
    }
    return _written(nodes, {"x": (1, channels, patch * tokens)}, constants=constants, opset=17)


def _salad(random: Random) -> onnx.ModelProto:
    """Ops that move and combine elements, most of them valid, in an order that no network has."""
    ints = {"i0": [0], "i1": [1], "i2": [2], "ends": [3], "flat": [0, -1], "half": [2, 2], "one": [1, 1]}
    constants = {name: np.array(value, dtype=np.int64) for name, value in ints.items()}
    constants |= {
        "w": _weights(random, 4, 4),
        "s": np.float32(0.05),
        "z": np.int8(3),
        "v": _weights(random, 4),
    }
    menu: list[tuple[str, str, dict[str, Any]]] = [
        ("Slice", "{x} i1 ends i1", {}),
        ("Slice", "{x} ends i0 i0", {}),
        ("Concat", "{x} {x}", {"axis": random.choice([0, 1, -1])}),
        ("Gather", "{x} i1", {"axis": random.choice([0, 1])}),
        ("GatherND", "{x} half", {}),
        ("Tile", "{x} half", {}),
        ("Expand", "{x} flat", {}),
        ("Reshape", "{x} flat", {}),
        ("Flatten", "{x}", {"axis": random.choice([0, 1, 2])}),
        ("Unsqueeze", "{x} i0", {}),
        ("Squeeze", "{x} i0", {}),
        ("Transpose", "{x}", {}),
        ("MatMul", "{x} w", {}),
        ("Add", "{x} v", {}),
        ("Mul", "{x} {x}", {}),
        ("Div", "{x} v", {}),
        ("Pow", "{x} s", {}),
        ("Softmax", "{x}", {"axis": -1}),
        ("ReduceMean", "{x}", {"axes": [random.choice([0, 1, -1])], "keepdims": random.choice([0, 1])}),
        ("GlobalAveragePool", "{x}", {}),
        ("QuantizeLinear", "{x} s z", {}),
        ("DequantizeLinear", "{x} s z", {}),
        ("Cast", "{x}", {"to": random.choice([1, 10, 7])}),
        ("Shape", "{x}", {}),
        ("Resize", "{x} _ _ half", {"mode": "linear"}),
        ("Attention", "{x} {x} {x}", {"q_num_heads": 2, "kv_num_heads": 2}),
        ("com.microsoft.SkipLayerNormalization", "{x} {x} v v", {}),
        ("com.microsoft.BiasGelu", "{x} v", {}),
        ("com.microsoft.RotaryEmbedding", "{x} i0 w w", {}),
        ("Where", "i1 {x} {x}", {}),
        ("Dropout", "{x}", {}),
        ("Split", "{x}", {"axis": 0}),
    ]
    nodes, x = [], "x"
    for number in range(random.randrange(1, 7)):
        kind, operands, attributes = random.choice(menu)
        nodes.append(node(kind, operands.format(x=x), f"t{number}", **attributes))
        x = f"t{number}"
    nodes.append(node(random.choice(["Identity", "Relu"]), x, "y"))
    shape = random.choice([(4, 4), (1, 4, 4), (2, 4), (4,), (1, 2, 2, 4)])
    model = _written(nodes, {"x": shape}, outputs=(), constants=constants, opset=random.choice([13, 17, 23]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None))
    return model


def _chain(random: Random) -> onnx.ModelProto:
    """A very long way from the input to the output."""
    kinds = random.choice(
        [("Identity",), ("Relu",), ("Reshape",), ("Tanh", "Neg"), ("Add", "Relu"), ("MatMul",)]
    )
    operands = {"Reshape": "shape", "Add": "v", "MatMul": "w"}
    nodes, x = [], "x"
    for number in range(random.choice([20, 200, CHAIN_NODES])):
        kind = kinds[number % len(kinds)]
        nodes.append(node(kind, f"{x} {operands.get(kind, '')}", f"c{number}"))
        x = f"c{number}"
    nodes.append(node("MatMul", f"{x} w", "y"))
    constants = {"shape": np.array([2, 4]), "v": _weights(random, 4), "w": _weights(random, 4, 4)}
    return _written(nodes, {"x": (2, 4)}, constants=constants, opset=17)


_COMMON = (_transformer, _layers, _layers, _requant_shift, _quantised, _patches, _salad, _salad)
KINDS: tuple[Callable[[Random], onnx.ModelProto], ...] = (*(_COMMON * 4), _chain)
