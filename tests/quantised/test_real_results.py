"""Real numbers in, real numbers out, for every kind of quantised model: in the shape and to the scales of the
file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from tests.networks.onnx_files import node, write
from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import Array, quantise, samples
from tests.quantised.test_torch_pt2e import exported
from tests.tmc.command import succeeded
from tmc.backend_gap9.run.result import load_golden
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import run_unfused
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.passes.accuracy.accuracy import ratio_db
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

INPUTS, HIDDEN, CHANNELS = 16, 24, 4
# Channels of the results are from 1 to 27 times as large as each other: a scale in a wrong place shows.
SPREAD = 3.0 ** np.arange(CHANNELS)
# A float32 sum of the file may fall on the other side of the middle between two codes.
SAME_DB = 40.0


def weights(seed: int = 0) -> dict[str, Array]:
    """Return the constants of linear, ReLU, linear."""
    random = np.random.default_rng(seed)
    shapes = {"w1": (INPUTS, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, CHANNELS), "b2": (CHANNELS,)}
    made = {name: random.standard_normal(shape) / INPUTS**0.5 for name, shape in shapes.items()}
    made |= {name: made[name] * SPREAD for name in ("w2", "b2")}
    return {name: array.astype(np.float32) for name, array in made.items()}


def qdq(path: Path, rows: int, per_channel: bool) -> None:
    """Write a network that onnxruntime's static quantiser made."""
    nodes = [node("Gemm", "x w1 b1", "h"), node("Relu", "h", "r"), node("Gemm", "r w2 b2", "y")]
    source = write(path.with_suffix(".float"), nodes, {"x": (rows, INPUTS)}, constants=weights())
    quantise(source, path, per_channel, "int8" if per_channel else "uint8")


class Trained(nn.Module):
    """Linear, ReLU, linear, with PyTorch's fake quantisation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, CHANNELS)
        made = {name: torch.from_numpy(array) for name, array in weights().items()}
        with torch.no_grad():
            for linear, number in ((self.first, 1), (self.second, 2)):
                linear.weight.copy_(made[f"w{number}"].T)
                linear.bias.copy_(made[f"b{number}"])

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fake_quantize_per_tensor_affine(x, 0.03, 4, -128, 127)
        x = nn.functional.linear(x, self._rounded(self.first), self.first.bias)
        x = torch.fake_quantize_per_tensor_affine(torch.relu(x), 0.03, 0, 0, 127)
        x = nn.functional.linear(x, self._rounded(self.second), self.second.bias)
        return torch.fake_quantize_per_tensor_affine(x, 0.6, 3, 0, 255)

    def _rounded(self, linear: nn.Linear) -> Tensor:
        scale = linear.weight.detach().abs().amax(dim=1) / 127
        zeros = torch.zeros(len(scale)).int()
        return torch.fake_quantize_per_channel_affine(linear.weight, scale, zeros, 0, -128, 127)


class Plain(Trained):
    """The same in float, for PyTorch's quantisers to quantise."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(torch.relu(self.first(x)))
        return result


def fake_quantised(path: Path, rows: int) -> None:
    """Write a network of PyTorch's fake quantisation."""
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(Trained().eval(), (torch.zeros(rows, INPUTS),), str(path), dynamo=False, **names)


def requant_shift(path: Path, rows: int) -> None:
    """Write a network of integers."""
    made = {name: np.rint(100 * array / np.abs(array).max()) for name, array in weights().items()}
    shift = {"div": 2.0**12, "n_levels": 256.0, "signed": 1.0}
    nodes = [
        node("Gemm", "x w1 b1", "h"),
        node("RequantShift", "h m a", "r", **shift),
        node("Gemm", "r w2 b2", "s"),
        node("RequantShift", "s m a", "y", **shift),
    ]
    numbers = {"m": np.array(30.0), "a": np.array(0.0)}
    constants = {name: array.astype(np.float32) for name, array in (made | numbers).items()}
    write(path, nodes, {"x": (rows, INPUTS)}, constants=constants, opset=13)


KINDS: Mapping[str, Callable[[Path, int], object]] = {
    "QDQ": lambda path, rows: qdq(path, rows, per_channel=False),
    "QDQ per channel": lambda path, rows: qdq(path, rows, per_channel=True),
    "fake quantisation": fake_quantised,
    "PT2E x86": lambda path, rows: exported(Plain(), path, (rows, INPUTS), "x86"),
    "PT2E XNNPACK": lambda path, rows: exported(Plain(), path, (rows, INPUTS), "xnnpack per channel"),
    "RequantShift": requant_shift,
}
# How the result leaves: as the quantiser rounds it, or as the exact sums of the last linear op.
ROUNDED, SUMS = "rounded", "sums"


def leave_sums(path: Path) -> None:
    """Take the rounding of the result out of a file; its result is then int32, with a scale per channel."""
    model = onnx.load(path)
    made = {output: each for each in model.graph.node for output in each.output}
    while made["y"].op_type in ("DequantizeLinear", "QuantizeLinear", "RequantShift", "Clip"):
        last = made.pop("y")
        model.graph.node.remove(last)
        made["y"] = made.pop(last.input[0])
        made["y"].output[0] = "y"
    path.write_bytes(model.SerializeToString())


def reshaped(path: Path, shape: tuple[int, ...]) -> Path:
    """Write the same network with a result of another shape; return its path."""
    model = onnx.load(path)
    for each in model.graph.node:
        each.output[:] = ["flat" if name == "y" else name for name in each.output]
        each.input[:] = ["flat" if name == "y" else name for name in each.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array(shape, dtype=np.int64), "shape"))
    model.graph.node.append(helper.make_node("Reshape", ["flat", "shape"], ["y"], name="result"))
    del model.graph.value_info[:]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape))
    target = path.with_name("_".join((path.stem, *map(str, shape))) + ".onnx")
    target.write_bytes(model.SerializeToString())
    return target


def shapes(rows: int) -> tuple[tuple[int, ...], ...]:
    """Return shapes of rank 1 to 4 for a result of so many rows; some join rows or split channels."""
    whole = ((rows, 4), (1, rows, 4), (rows, 1, 4), (1, 1, rows, 4))
    return (*whole, (rows * 4,), (1, rows * 4), (1, rows, 2, 2))


def windows(kind: str, rows: int, count: int) -> list[Array]:
    """Return inputs of a network."""
    size = 40 if kind == "RequantShift" else 1
    arrays = samples((rows, INPUTS), count, 7)
    return [np.clip(np.rint(size * each), -128, 127) if size > 1 else each for each in arrays]


def result_db(expected: Array, found: Array) -> float:
    """Return signal to noise of the worst channel of results [..., 4] of any shape."""
    assert expected.shape == found.shape
    pairs = [array.reshape(-1, CHANNELS).astype(np.float64).T for array in (expected, found)]
    return min(ratio_db(float(e @ e), float((e - f) @ (e - f))) for e, f in zip(*pairs, strict=True))


def both_graphs(path: Path) -> tuple[Graph, Graph]:
    """Return the float graph of a file and the integer one, code by code."""
    imported = load_model(path)
    return imported.graph, lower_declared(prepare_declared(imported.graph), imported.weight_scales)


# The quantiser of x86 rounds no result.
CASES = [(kind, form) for kind in KINDS for form in (ROUNDED, SUMS) if (kind, form) != ("PT2E x86", ROUNDED)]


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_results_of_any_shape_in_real_numbers(tmp_path: Path, kind: str, form: str) -> None:
    for rows in (1, 4) if kind.startswith("PT2E") else (1, 2, 3, 4):
        path = tmp_path / f"{rows}.onnx"
        KINDS[kind](path, rows)
        if form == SUMS:
            leave_sums(path)
        for shape in shapes(rows):
            file = reshaped(path, shape)
            (real, graph), inputs = both_graphs(file), windows(kind, rows, 4)
            kind_of_result = graph.types["y"]
            assert kind_of_result.quant is not None
            several = form == SUMS and kind not in ("QDQ", "RequantShift")
            assert len(kind_of_result.quant.scale) == (CHANNELS if several else 1)
            codes = np.stack([interpret(graph, quantise_inputs(graph, {"x": x}))["y"] for x in inputs])
            expected = np.stack([each["y"] for each in run_unfused(file, real, [{"x": x} for x in inputs])])
            for runs in (1, 2, 3, 4):
                found = dequantise(kind_of_result, codes[:runs])
                assert found.shape == (runs, *shape)
                assert result_db(expected[:runs], found) > SAME_DB, (rows, shape, runs)


@pytest.mark.parametrize("form", [ROUNDED, SUMS])
def test_results_in_another_order_are_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "m.onnx"
    qdq(path, 4, per_channel=True)
    if form == SUMS:
        leave_sums(path)
    model = onnx.load(reshaped(path, (4, 4)))
    last = model.graph.node.pop()
    model.graph.node.append(helper.make_node("Transpose", last.input[:1], last.output, perm=[1, 0]))
    path.write_bytes(model.SerializeToString())
    found = "output %y: found a value that is not rounded to codes in the order of its rows"
    with pytest.raises(QuantisationError, match=found):
        both_graphs(path)


def by_header(header: str, name: str, codes: Array) -> Array:
    """Return the real numbers of one result, as a C programmer who reads network.h would compute them."""
    text = " ".join(header.replace(" *", " ").split())
    zero_point = int(re.findall(rf"#define {name}_OUTPUT_Y_ZERO_POINT \((-?\d+)\)", text)[0])
    several = re.findall(rf"#define {name}_OUTPUT_Y_SCALES {{(.*?)}}", text)
    scales = [float(each) for each in several[0].split(",")] if several else []
    count = re.findall(rf"that of element i, from 0, is entry i % (\d+) of {name}_OUTPUT_Y_SCALES", text)
    assert bool(count) == bool(several)
    if several:
        assert int(count[0]) == len(scales)
    else:
        scales = [float(re.findall(rf"#define {name}_OUTPUT_Y_SCALE (\S+)", text)[0])]
    flat = [int(code) - zero_point for code in codes.reshape(-1)]
    return np.array([scales[i % len(scales)] * step for i, step in enumerate(flat)]).reshape(codes.shape)


def check_run(folder: Path, inputs: list[Array], platform: str) -> Array:
    """Run real inputs, compare with what network.h gives for the codes, and return the results."""
    graph, header = load_golden(folder).graph, (folder / "network.h").read_text()
    (x,), (y,) = graph.inputs, graph.outputs
    given_at, found_at = folder.parent / "x.npy", folder.parent / "y.npy"
    codes = [interpret(graph, quantise_inputs(graph, {x: one}))[y] for one in inputs]
    wanted = np.stack([by_header(header, graph.name.upper(), one) for one in codes]).astype(np.float32)
    for runs in (len(inputs),) if platform == "iss" else (1, len(inputs)):
        np.save(given_at, np.stack(inputs[:runs]))
        facts = succeeded("run", folder, "--on", platform, "--input", given_at, "--output", found_at)
        assert facts["bit_exact"] is True and facts["inputs_clipped"][x]["elements"] == 0
        found = np.load(found_at)
        assert found.shape == (runs, *graph.types[y].shape) and found.dtype == np.float32
        assert np.array_equal(found, wanted[:runs])
    return found


@pytest.mark.parametrize(
    ("kind", "form", "platform", "shape"),
    [
        ("QDQ per channel", SUMS, "host", (4, 4)),
        ("QDQ per channel", SUMS, "iss", (1, 16)),
        ("QDQ", ROUNDED, "host", (16,)),
        ("PT2E x86", SUMS, "iss", (1, 4, 4)),
        ("fake quantisation", SUMS, "host", (1, 4, 2, 2)),
        ("RequantShift", SUMS, "host", (4, 4)),
    ],
)
def test_run_and_header_give_the_files_numbers(
    tmp_path: Path, kind: str, form: str, platform: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "m.onnx"
    KINDS[kind](path, 4)
    if form == SUMS:
        leave_sums(path)
    file, inputs = reshaped(path, shape), windows(kind, 4, 4)
    options: tuple[str, ...] = ("--input-range", "-128:127")
    if kind != "RequantShift":
        options, inputs = (), [x / 2 for x in inputs]  # inside of what the quantiser saw
    succeeded("compile", file, "-o", tmp_path / "out", *options)
    found = check_run(tmp_path / "out", inputs, platform)
    graph = load_model(file).graph
    expected = [each["y"] for each in run_unfused(file, graph, [{"x": x} for x in inputs])]
    assert result_db(np.stack(expected), found) > SAME_DB


@pytest.mark.parametrize("per_channel", [False, True])
def test_result_per_token_of_a_transformer(tmp_path: Path, per_channel: bool) -> None:
    # As many tokens as classes and as runs: [4, 1, 4, 4].
    shape = Architecture(channels=2, patches=2, dim=16, heads=2, hidden=24, classes=4, head="tokens")
    source = write_transformer(tmp_path / "float.onnx", shape)
    model = onnx.load(source)
    head = [each for each in model.graph.initializer if tuple(each.dims) == (16, 4)]
    spread = numpy_helper.to_array(head[-1]) * SPREAD.astype(np.float32)
    head[-1].CopyFrom(numpy_helper.from_array(spread, head[-1].name))
    source.write_bytes(model.SerializeToString())
    quant_pre_process(source, tmp_path / "ready.onnx")
    arrays = samples(shape.input_shape, 16, 1)
    np.savez(tmp_path / "q.calibration.npz", emg=np.stack(arrays))
    path = quantise(tmp_path / "ready.onnx", tmp_path / "q.onnx", per_channel, "int8", arrays)
    succeeded("compile", path, "-o", tmp_path / "out")
    found = check_run(tmp_path / "out", arrays[:4], "host")
    graph = load_model(path).graph
    expected = [each["y"] for each in run_unfused(path, graph, [{"emg": x} for x in arrays[:4]])]
    # The file rounds what this compiler does not: with the right scales every channel is near, else none is.
    assert result_db(np.stack(expected), found) > 12
