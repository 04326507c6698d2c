"""A transformer quantised by onnxruntime's static quantiser: integer weights and int8 scales are the
model's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process

from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, samples
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import run_unfused
from tmc.frontend.oracle.session import open_session, run_session
from tmc.ir.graph import OpKind
from tmc.ir.types import DType
from tmc.passes.accuracy.agreement import integer_outputs, output_agreement
from tmc.passes.declared.kept_declarations import KeptDeclarations
from tmc.passes.integer_ops.declared_weights import declared_weights

FILE_FLOOR_DB = 18.0
SMALL = Architecture(channels=2, patches=5, dim=16, heads=2, hidden=24, classes=4)


def kept_of(compiled: Compiled) -> KeptDeclarations:
    """Return what a compile kept of its model."""
    assert compiled.report.declared is not None
    return compiled.report.declared


@pytest.fixture(scope="module", params=[False, True], ids=["per tensor", "per channel"])
def quantised(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a quantised transformer with its calibration beside it."""
    folder = tmp_path_factory.mktemp("attention")
    source = write_transformer(folder / "float.onnx", SMALL)
    quant_pre_process(source, folder / "ready.onnx")
    value = onnx.load(source).graph.input[0]
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    arrays = samples(shape, 24, 1)
    np.savez(folder / "q.calibration.npz", **{value.name: np.stack(arrays)})
    activations = "int8" if request.param else "uint8"
    return quantise(folder / "ready.onnx", folder / "q.onnx", request.param, activations, arrays)


@pytest.fixture(scope="module")
def compiled(quantised: Path) -> Compiled:
    """Compile it."""
    return compile_model(Options(quantised, target_named("gap9"), quantised.parent / "out"))


def test_every_integer_weight_is_kept(quantised: Path, compiled: Compiled) -> None:
    linears = [op for op in compiled.graph.ops if op.kind is OpKind.QLINEAR]
    kept = kept_of(compiled)
    assert kept.weights == kept.of_weights == len(linears)
    held = [numpy_helper.to_array(each) for each in onnx.load(quantised).graph.initializer]
    columns = {
        column.tobytes()
        for array in held
        if array.dtype == np.int8 and array.ndim == 2
        for rows in (array, array.T)
        for column in rows
    }
    columns |= {
        row.tobytes()
        for array in held
        if array.dtype == np.int8 and array.ndim > 2
        for row in array.reshape(len(array), -1)
    }
    for op in linears:
        for row in compiled.graph.constants[op.inputs[1]]:
            assert row.tobytes() in columns, op.loc


def test_int8_values_take_the_scales_of_the_model(quantised: Path, compiled: Compiled) -> None:
    kept = kept_of(compiled)
    norms = sum(op.kind is OpKind.QLAYERNORM for op in compiled.graph.ops)
    tables = sum(getattr(op.attrs, "table", False) for op in compiled.graph.ops)
    assert not kept.exact and kept.of_scales > kept.scales >= norms + tables
    scales = {
        float(numpy_helper.to_array(each).reshape(-1)[0])
        for each in onnx.load(quantised).graph.initializer
        if each.name.endswith("_scale") and numpy_helper.to_array(each).size == 1
    }
    for op in compiled.graph.ops:
        quant = compiled.graph.types[op.output].quant
        if op.kind is OpKind.QLAYERNORM:
            assert quant is not None and quant.scale[0] in scales


def test_it_runs_bit_exact_and_near_float(quantised: Path, compiled: Compiled) -> None:
    for run in (run_host, run_iss):
        assert run(quantised.parent / "out").bit_exact
    (output,) = compiled.accuracy.outputs
    assert output.sqnr_db > 20


def test_compile_says_what_was_kept(quantised: Path, tmp_path: Path) -> None:
    facts = succeeded("compile", quantised, "-o", tmp_path / "out")
    declared = facts["declared"]
    assert declared["exact"] is False and declared["weights"] == declared["of_weights"] > 0
    assert declared["of_scales"] > declared["scales"] > 0 and declared["ranges"] == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["declared"] == declared
    line = f"declared: {KeptDeclarations(**declared).summary()}"
    assert line in call("report", tmp_path / "out").out.splitlines()
    assert f"not code by code: {declared['reason']}; outputs {declared['file_db']:.1f} dB from" in line
    assert "from those of the file itself on 4 windows, which are " in line
    assert "activations not rounded" in line


def test_noise_decides_only_what_the_model_does_not_state(quantised: Path, tmp_path: Path) -> None:
    copy = tmp_path / "q.onnx"
    copy.write_bytes(quantised.read_bytes())
    answer = call("check", copy, "--json")
    declared = answer.json["declared"]
    assert declared["ranges"] > declared["scales"] > 0 and declared["file_db"] is None
    own = f"the ranges of {declared['ranges']} values are the model's own, those of the others are noise's; "
    assert f"for want of samples: {own}the figures of accuracy mean nothing.\n" in answer.err


def test_figures_are_against_the_integer_weights_in_float(quantised: Path, compiled: Compiled) -> None:
    real = compiled.quantised.real
    scales = load_model(quantised).weight_scales
    assert all(op.kind is not OpKind.FAKE_QUANTISE for op in real.ops)
    weights = [real.constants[op.inputs[1]] for op in real.ops if op.kind is OpKind.LINEAR]
    assert weights and all(declared_weights(weight, scales) is not None for weight in weights)
    said = "the model in float32 with its integer weights and ranges, activations not rounded"
    assert kept_of(compiled).reference == said


def test_outputs_are_near_those_of_the_file(quantised: Path, compiled: Compiled) -> None:
    kept = kept_of(compiled)
    assert kept.file_db is not None and kept.file_float_db is not None
    assert kept.file_db > FILE_FLOOR_DB
    # The floor is worth something: a network with one wrong layer does not reach it.
    imported = load_model(quantised).graph
    windows = compiled.calibration.first_held_back(4)
    file = run_unfused(quantised, imported, windows)
    graph = compiled.graph
    assert output_agreement(file, integer_outputs(graph, windows)) == kept.file_db
    for op in graph.ops:
        if op.kind is OpKind.QLINEAR:
            weight = graph.constants[op.inputs[1]]
            wrong = replace(graph, constants={**graph.constants, op.inputs[1]: np.roll(weight, 1, axis=1)})
            assert output_agreement(file, integer_outputs(wrong, windows)) < FILE_FLOOR_DB, op.loc


def test_declared_ranges_stand_in_for_samples(tmp_path: Path) -> None:
    source = write_transformer(tmp_path / "float.onnx", SMALL)
    quant_pre_process(source, tmp_path / "ready.onnx")
    value = onnx.load(source).graph.input[0]
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    # In other units than noise has.
    windows = [30 * array for array in samples(shape, 16, 2)]
    path = quantise(tmp_path / "ready.onnx", tmp_path / "q.onnx", True, "int8", windows)
    compiled = compile_model(Options(path, target_named("gap9")))
    assert not compiled.calibration.meaningful and kept_of(compiled).ranges > 0
    inputs = [{value.name: array} for array in windows]
    expected = [run_session(open_session(source, optimised=True), source, each) for each in inputs]
    assert output_agreement(expected, integer_outputs(compiled.graph, inputs)) > 20


def test_an_input_that_the_model_rounds_is_int8(tmp_path: Path) -> None:
    """No bias differs from token to token here, so every op that reads the input reads int8."""
    shape = Architecture(channels=2, patches=4, dim=16, heads=2, hidden=24, classes=4, channel_bias=False)
    quant_pre_process(write_transformer(tmp_path / "float.onnx", shape), tmp_path / "ready.onnx")
    arrays = samples(shape.input_shape, 8, 1)
    np.savez(tmp_path / "q.calibration.npz", emg=np.stack(arrays))
    path = quantise(tmp_path / "ready.onnx", tmp_path / "q.onnx", True, "int8", arrays)
    succeeded("compile", path, "-o", tmp_path / "out")
    held = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    port = load_golden(tmp_path / "out").graph.types["emg"]
    assert port.dtype is DType.S8 and port.quant is not None
    first = next(each.output[0] for each in onnx.load(path).graph.node if each.op_type == "QuantizeLinear")
    tensor = first.removesuffix("_QuantizeLinear_Output")
    assert port.quant.scale == (float(held[f"{tensor}_scale"]),)
    assert port.quant.zero_point == int(held[f"{tensor}_zero_point"])
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact
