"""Ranges of a quantised model are clips: what a quantiser removes for them stays in the integer network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.shape_inference import quant_pre_process

from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import Array, quantise, samples
from tests.quantised.relu_models import PLACES, SHAPE, write_network
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import run_unfused
from tmc.ir.graph import OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.passes.accuracy.agreement import integer_outputs, output_agreement
from tmc.passes.declared import keep_ranges

# Without its Relu or Clip none of these networks comes above 15.
FLOOR_DB = 25.0


def quantised(
    folder: Path,
    places: tuple[str, ...],
    op: str = "Relu",
    pos: bool = True,
    arrays: list[Array] | None = None,
    activations: str = "int8",
) -> Path:
    """Return a network that the quantiser has freed of its Relu or Clip nodes, calibration beside it."""
    source = write_network(folder / "float.onnx", places, op, pos)
    arrays = samples(SHAPE, 16, 1) if arrays is None else arrays
    path = quantise(source, folder / "q.onnx", activations=activations, arrays=arrays)
    left = {node.output[0] for node in onnx.load(path).graph.node if node.op_type == op}
    assert left <= {"pooled"}  # the quantiser takes no means
    np.savez(folder / "q.calibration.npz", x=np.stack(arrays))
    return path


def agreement(path: Path, compiled: Compiled, windows: list[Array]) -> float:
    """Return how near the integer outputs are to the file's own on windows that nobody calibrated on."""
    inputs = [{"x": window} for window in windows]
    return output_agreement(
        run_unfused(path, load_model(path).graph, inputs), integer_outputs(compiled.graph, inputs)
    )


@pytest.mark.parametrize(
    ("op", "places", "pos", "activations"),
    [
        ("Relu", ("stem", "query", "branch", "y"), True, "int8"),
        ("Relu", ("stem", "value", "stream", "hidden", "pooled"), False, "uint8"),
        ("Clip", ("key", "value", "norm", "stream"), True, "int8"),
        ("Clip", ("stem", "query", "branch", "hidden", "y"), False, "uint8"),
    ],
)
def test_what_the_quantiser_removes_is_kept(
    tmp_path: Path, op: str, places: tuple[str, ...], pos: bool, activations: str
) -> None:
    path = quantised(tmp_path, places, op, pos, activations=activations)
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert agreement(path, compiled, samples(SHAPE, 8, 2)) > FLOOR_DB
    # The report's reference has the clips too, or it would be far from integers that are right.
    assert compiled.accuracy.outputs[0].sqnr_db > 30
    kept = compiled.report.declared
    assert kept is not None and kept.clips >= len(places) and kept.cutting >= len(places)
    assert f"{kept.clips} values clipped to their ranges, {kept.cutting} ranges cut" in kept.summary()
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact


@pytest.mark.parametrize("place", ["stem", "hidden", "stream", "y", "value"])
def test_without_them_the_outputs_are_others(tmp_path: Path, place: str) -> None:
    """The floors above are worth something."""
    path = quantised(tmp_path, (place,))
    with_it = write_network(tmp_path / "with.onnx", (place,))
    without = write_network(tmp_path / "without.onnx", ())
    inputs = [{"x": window} for window in samples(SHAPE, 8, 2)]
    found, file = (run_unfused(each, load_model(each).graph, inputs) for each in (with_it, path))
    lost = output_agreement(file, run_unfused(without, load_model(without).graph, inputs))
    assert lost < 15 and output_agreement(file, found) > lost + 6


def test_without_samples_every_relu_is_kept(tmp_path: Path) -> None:
    path = quantised(tmp_path, ("stem", "branch", "stream", "y"))
    (tmp_path / "q.calibration.npz").unlink()
    compiled = compile_model(Options(path, target_named("gap9")))
    assert not compiled.calibration.meaningful
    assert agreement(path, compiled, samples(SHAPE, 8, 2)) > 20


def test_ranges_hold_that_samples_do_not_reach(tmp_path: Path) -> None:
    """Quiet samples, loud windows: the file clips these, whatever it was calibrated on."""
    path = quantised(tmp_path, ("norm",), "Clip")
    np.savez(tmp_path / "q.calibration.npz", x=np.stack(samples(SHAPE, 16, 1)) / 4)
    compiled = compile_model(Options(path, target_named("gap9")))
    kept = compiled.report.declared
    assert kept is not None and kept.clips > 10
    inputs = [op for op in compiled.graph.ops if op.kind is OpKind.QCLIP and op.output == "x.clipped"]
    assert len(inputs) == 1
    low, high = (compiled.graph.constants[name] for name in inputs[0].inputs[1:])
    step = compiled.graph.types["x"].quant
    (declared,) = {
        op.attrs.limits
        for op in load_model(path).graph.ops
        if op.kind is OpKind.FAKE_QUANTISE and op.inputs[0] == "x"
    }
    assert step is not None
    for limit, end in ((low, declared[0]), (high, declared[1])):
        code = np.clip(np.rint(end / step.scale[0]), -(2**15), 2**15 - 1)
        assert (limit == code).all()


def test_a_rotation_between_percentiles(tmp_path: Path) -> None:
    """Ranges cut everywhere: within attention and rotations they do less than rounding, or go between ops."""
    small = Architecture(channels=2, patches=5, dim=16, heads=2, hidden=24, classes=4)
    source = write_transformer(tmp_path / "float.onnx", small)
    quant_pre_process(source, tmp_path / "ready.onnx")
    value = onnx.load(source).graph.input[0]
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    arrays = samples(shape, 24, 1)

    def compiled(percentile: float) -> Compiled:
        path = quantise(
            tmp_path / "ready.onnx",
            tmp_path / f"p{percentile:g}.onnx",
            True,
            "int8",
            arrays,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": percentile},
        )
        np.savez(path.with_suffix(".calibration.npz"), **{value.name: np.stack(arrays)})
        return compile_model(Options(path, target_named("gap9")))

    kept = compiled(99.9).report.declared
    assert kept is not None and kept.file_db is not None and kept.file_db > 20
    assert (
        0 < kept.lost < kept.cutting
        and f"{kept.lost} of them not kept, for outputs hardly show them" in kept.summary()
    )
    for percentile in (99.0, 98.0):  # a rotation that clips go through is products and sums
        cut = compiled(percentile).report.declared
        assert cut is not None and cut.file_db is not None and cut.file_db > 25


@pytest.mark.parametrize("op", ["Relu", "Clip"])
def test_a_float_network_clips_wherever_it_says_so(tmp_path: Path, op: str) -> None:
    source = write_network(tmp_path / "m.onnx", PLACES, op)
    np.savez(tmp_path / "m.calibration.npz", x=np.stack(samples(SHAPE, 16, 1)))
    compiled = compile_model(Options(source, target_named("gap9"), tmp_path / "out"))
    assert compiled.reference_difference < 1e-4 and compiled.accuracy.outputs[0].sqnr_db > 25
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact


def plain(folder: Path, calibrated: list[Array]) -> tuple[Path, Compiled]:
    """Return a transformer quantised by smallest and largest values, without ReLU, and its compile."""
    source = write_transformer(folder / "float.onnx", Architecture(channels=2, patches=5, dim=16, hidden=24))
    quant_pre_process(source, folder / "ready.onnx")
    path = quantise(folder / "ready.onnx", folder / "q.onnx", True, "int8", calibrated)
    np.savez(folder / "q.calibration.npz", emg=np.stack(calibrated))
    return path, compile_model(Options(path, target_named("gap9")))


@pytest.mark.parametrize("share", [0.0, 1e9])
def test_clips_part_a_linear_from_its_sum_only_where_outputs_show_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(keep_ranges, "HARDLY", share)
    _, compiled = plain(tmp_path, samples((1, 2, 100), 16, 1))
    clips = [op.attrs for op in compiled.graph.ops if isinstance(op.attrs, QClipAttrs)]
    assert clips and any(attrs.residual for attrs in clips) is (share == 0)


@pytest.mark.parametrize("loudness", [2, 4])
def test_ranges_hold_where_no_sample_reaches_them(tmp_path: Path, loudness: int) -> None:
    path, compiled = plain(tmp_path, samples((1, 2, 100), 16, 1))
    inputs = [{"emg": np.float32(loudness) * window} for window in samples((1, 2, 100), 8, 5)]
    expected = run_unfused(path, load_model(path).graph, inputs)
    assert output_agreement(expected, integer_outputs(compiled.graph, inputs)) > 20
