"""A transformer of which onnxruntime's quantiser keeps activations in 16 bits: its ranges and weights are the
model's, and its 16-bit scales are left to the compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnxruntime.quantization.shape_inference import quant_pre_process

from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, samples
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.frontend.oracle.session import open_session, run_session
from tmc.passes.accuracy.agreement import integer_outputs, output_agreement

SMALL = Architecture(channels=2, patches=5, dim=16, heads=2, hidden=24, classes=4)
FLOOR_DB = 30.0


def test_weights_are_the_models_and_it_runs(tmp_path: Path) -> None:
    source = write_transformer(tmp_path / "float.onnx", SMALL)
    quant_pre_process(source, tmp_path / "ready.onnx")
    arrays = samples(SMALL.input_shape, 24, 1)
    np.savez(tmp_path / "q.calibration.npz", emg=np.stack(arrays))
    path = quantise(tmp_path / "ready.onnx", tmp_path / "q.onnx", True, "uint16", arrays)
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    declared = compiled.report.declared
    assert declared is not None and declared.weights == declared.of_weights > 0
    assert "codes of 16 bits" in declared.reason
    assert declared.of_scales > declared.clips >= declared.cutting > 0 and declared.scales == 0
    assert declared.file_db is not None and declared.file_db > FLOOR_DB
    (output,) = compiled.accuracy.outputs
    assert output.sqnr_db > FLOOR_DB
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact


def test_without_samples_ranges_are_the_models(tmp_path: Path) -> None:
    source = write_transformer(tmp_path / "float.onnx", SMALL)
    quant_pre_process(source, tmp_path / "ready.onnx")
    windows = [30 * array for array in samples(SMALL.input_shape, 16, 2)]
    path = quantise(tmp_path / "ready.onnx", tmp_path / "q.onnx", True, "uint16", windows)
    compiled = compile_model(Options(path, target_named("gap9")))
    inputs = [{"emg": array} for array in windows]
    expected = [run_session(open_session(source, optimised=True), source, each) for each in inputs]
    assert output_agreement(expected, integer_outputs(compiled.graph, inputs)) > 20
