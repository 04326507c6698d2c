"""Values of a network may have any names, also those that tmc gives to values and constants of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.examples.head_models import HeadSize, build_head, export
from tests.networks.onnx_files import node, write
from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, write_mlp
from tests.quantised.relu_models import write_network
from tmc.backend_gap9.target.targets import TARGETS
from tmc.calibration import choose_calibration
from tmc.driver import Options, compile_model
from tmc.frontend.onnx_import import load_model
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.quantise_model import quantise_model
from tmc.passes.watch import Watch

SMALL = Architecture(channels=2, patches=2, patch=4, dim=16, heads=2, hidden=16, classes=3, layers=1)


def _post_norm(path: Path) -> Path:
    """Two LayerNorms, each read by a product and by a sum."""
    random = np.random.default_rng(0)
    constants = {f"w{i}": random.standard_normal((16, 16)).astype(np.float32) / 4 for i in range(3)}
    constants |= {"g": np.ones(16, np.float32), "o": np.zeros(16, np.float32)}
    nodes = [
        node("MatMul", "x w0", "stem"),
        node("LayerNormalization", "stem g o", "first", axis=-1),
        node("MatMul", "first w1", "branch"),
        node("Add", "first branch", "sum"),
        node("LayerNormalization", "sum g o", "second", axis=-1),
        node("MatMul", "second w2", "y"),
    ]
    return write(path, nodes, {"x": (6, 16)}, constants=constants)


def _head(path: Path) -> Path:
    size = HeadSize()
    export(
        build_head("regression", size), (1, size.channels, size.patches * 20), path, "torchscript", 17, True
    )
    return path


def _quantised(source: Path, path: Path) -> Path:
    return quantise(source, path, per_channel=True, activations="int8")


NETWORKS: Mapping[str, Callable[[Path], Path]] = {
    "transformer": lambda path: write_transformer(path, SMALL),
    "post norm": _post_norm,
    "layers": write_mlp,
    "clips": lambda path: write_network(path, ("query", "branch", "norm"), "Clip"),
    "exact codes": lambda path: _quantised(write_mlp(path.with_name("f.onnx")), path),
    "kept ranges": lambda path: _quantised(_post_norm(path.with_name("f.onnx")), path),
    "head": _head,
}


def _quantise(path: Path, samples: NDArray[np.float32]) -> tuple[Graph, tuple[str, ...]]:
    """Return the integer graph, and the names of all that is made on the way to it, one of each kind."""
    port = onnx.load(path).graph.input[0].name
    np.savez(path.with_suffix(".calibration.npz"), **{port: samples})
    imported = load_model(path)
    names = dict.fromkeys(imported.graph.types)

    def look(_: str, value: object, __: float) -> None:
        if isinstance(value, Graph):
            names.update(dict.fromkeys(value.types))

    calibration = choose_calibration(path, None, imported.graph)
    scales = imported.weight_scales
    graph = quantise_model(imported.graph, calibration, None, scales, watch=Watch(after=look)).graph
    kinds = {re.sub(r"\d+", "0", name): name for name in reversed(names)}
    return graph, tuple(reversed(kinds.values()))


def _values(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the names of input, output and all values between."""
    yield graph.input[0].name
    yield graph.output[0].name
    ends = {graph.input[0].name, graph.output[0].name}
    yield from (name for each in graph.node for name in each.output if name and name not in ends)


def _renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """Return the network with other names of values; what has a new name already gets another."""
    clash = {name: f"{name} of the file" for name in names.values() if name not in names}
    new = clash | dict(names)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for each in (*graph.input, *graph.output, *graph.initializer):
        each.name = new.get(each.name, each.name)
    for op in graph.node:
        op.input[:] = [new.get(name, name) for name in op.input]
        op.output[:] = [new.get(name, name) for name in op.output]
    del graph.value_info[:]
    return result


@pytest.mark.parametrize("network", NETWORKS)
def test_names_of_the_compiler_are_free(tmp_path: Path, network: str) -> None:
    path = NETWORKS[network](tmp_path / "m.onnx")
    model = onnx.load(path)
    shape = tuple(size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim)
    samples = np.random.default_rng(1).standard_normal((4, *shape)).astype(np.float32)
    plain, made = _quantise(path, samples)
    expected = _codes(plain, samples[0])
    values = list(_values(model.graph))
    for turn in range(0, len(made), 2):  # every name is once that of the input or of the output
        given = cycle((*made[turn:], *made[:turn]))
        names = {value: next(given) for value in values[: len(made)]}
        onnx.save(_renamed(model, names), tmp_path / "r.onnx")
        found = _codes(_quantise(tmp_path / "r.onnx", samples)[0], samples[0])
        assert np.array_equal(found, expected), names


def _codes(graph: Graph, sample: NDArray[np.float32]) -> NDArray[np.int32]:
    (result,) = interpret(graph, quantise_inputs(graph, {graph.inputs[0]: sample})).values()
    return result


def test_an_output_may_have_a_name_that_the_back_end_gives(tmp_path: Path) -> None:
    """Blocks of weights, and what lives in L1 alone, have names after the ops, beside the graph's values."""
    path = write_transformer(tmp_path / "m.onnx", SMALL)
    target, model = TARGETS["gap9"], onnx.load(path)
    plain = compile_model(Options(path, target))
    found, output = plain.program.values, model.graph.output[0].name
    own = [name for name in found if name not in plain.graph.types]
    own += [f"{output}.weight", "stage_0.tables"]
    assert {name.rpartition(".")[2] for name in own} >= {"weight", "scores", "p", "norm", "tables"}
    for name in own[::3]:
        onnx.save(_renamed(model, {output: name}), tmp_path / "r.onnx")
        compiled = compile_model(Options(tmp_path / "r.onnx", target))
        assert compiled.graph.outputs == (name,) and compiled.program.values.keys() - found.keys()


@pytest.mark.parametrize(
    ("given", "result"), [("y.weight", "y"), ("stage_0.tables", "y"), ("x", "stage_0.tables"), ("in.x", "x")]
)
def test_ports_may_have_names_that_the_back_end_gives(tmp_path: Path, given: str, result: str) -> None:
    path = NETWORKS["layers"](tmp_path / "m.onnx")
    model = onnx.load(path)
    names = {model.graph.input[0].name: given, model.graph.output[0].name: result}
    onnx.save(_renamed(model, names), tmp_path / "r.onnx")
    compiled = compile_model(Options(tmp_path / "r.onnx", TARGETS["gap9"]))
    assert (compiled.graph.inputs, compiled.graph.outputs) == ((given,), (result,))
