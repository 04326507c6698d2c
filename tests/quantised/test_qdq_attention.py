"""A transformer quantised by onnxruntime's static quantiser: integer weights and int8 scales are the
model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process

from tests.e2e.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, samples
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run_host import run_host
from tmc.backend_gap9.run_riscv import run_iss
from tmc.backend_gap9.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.graph import OpKind

SMALL = Architecture(channels=2, patches=5, dim=16, heads=2, hidden=24, classes=4)


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
    assert compiled.quantised.weights == (len(linears), len(linears))
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
    kept, declared = compiled.quantised.scales
    norms = sum(op.kind is OpKind.QLAYERNORM for op in compiled.graph.ops)
    tables = sum(getattr(op.attrs, "table", False) for op in compiled.graph.ops)
    assert not compiled.quantised.exact and kept >= norms + tables and declared > kept
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


def test_compile_says_what_was_kept(quantised: Path) -> None:
    facts = succeeded("check", quantised)
    declared = facts["declared"]
    assert declared["exact"] is False and declared["weights"] == declared["of_weights"] > 0
    assert declared["of_scales"] > declared["scales"] > 0


def test_noise_decides_only_what_the_model_does_not_state(quantised: Path, tmp_path: Path) -> None:
    copy = tmp_path / "q.onnx"
    copy.write_bytes(quantised.read_bytes())
    answer = call("check", copy, "--json")
    kept = answer.json["declared"]["scales"]
    assert kept > 0 and f"mean nothing but for the {kept} scales that are the model's own.\n" in answer.err
