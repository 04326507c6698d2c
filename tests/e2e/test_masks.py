"""Masks that are an input: what does not count has no weight; bit-exact, every call proved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.masked_encoder import MaskForm, masked_windows, write_masked
from tests.networks.simple_plan import Tiles, simple_plan
from tests.tmc.command import refused, succeeded
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.riscv import run_iss
from tmc.ir.graph import OpKind

FORMS: tuple[tuple[MaskForm, int, int], ...] = (
    ("ones and zeros", 12, 2),
    ("lowest of float", 7, 1),
    ("before the scale", 9, 1),
    ("expanded", 10, 1),
    ("added", 16, 1),
    ("soft", 8, 1),
    ("true for what counts", 12, 1),
    ("true for padding", 11, 2),
)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator, built once."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def outputs(model: Path, given: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what the compiled network and onnxruntime make of windows."""
    np.savez(model.parent / "given.npz", **given)
    files = ("--input", model.parent / "given.npz", "--output", model.parent / "y.npy")
    assert succeeded("run", model.parent / "out", "--on", "host", *files)["bit_exact"]
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    runs = [dict(zip(given, one, strict=True)) for one in zip(*given.values(), strict=True)]
    expected = np.stack([session.run(None, run)[0] for run in runs]).astype(np.float64)
    return np.load(model.parent / "y.npy").reshape(expected.shape), expected


@pytest.mark.parametrize(("form", "tokens", "layers"), FORMS)
def test_masks_as_exporters_write_them(
    tmp_path: Path, simulator: Path, form: MaskForm, tokens: int, layers: int
) -> None:
    model = write_masked(tmp_path / "net.onnx", form, tokens, layers)
    assert succeeded("compile", model, "-o", tmp_path / "out")["loudness"] == 8.0  # of x; masks have no say
    graph = load_golden(tmp_path / "out").graph
    assert sum(op.kind is OpKind.QATTENTION for op in graph.ops) == layers
    found, expected = outputs(model, masked_windows(form, tokens, 12, seed=9))
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 25
    assert run_iss(tmp_path / "out", simulator=simulator).bit_exact


def test_what_is_masked_has_no_weight_whatever_calibration_saw(tmp_path: Path) -> None:
    """Calibrated on windows of full length alone, as whoever exports with a mask of ones does."""
    tokens = 12
    model = write_masked(tmp_path / "net.onnx", "ones and zeros", tokens)
    full = masked_windows("ones and zeros", tokens, 24, seed=0)
    full["mask"] = np.ones_like(full["mask"])
    np.savez(model.with_suffix(".calibration.npz"), **full)
    succeeded("compile", model, "-o", tmp_path / "out")
    given = masked_windows("ones and zeros", tokens, 12, seed=5)
    found, expected = outputs(model, given)
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 25
    mask, unmasked = given["mask"], given | {"mask": np.ones_like(given["mask"])}
    assert (mask == 0).any() and not np.array_equal(found, outputs(model, unmasked)[0])


def test_the_mean_of_the_tokens_that_count(tmp_path: Path, simulator: Path) -> None:
    """(x * m).sum / m.sum, as sentence encoders pool."""
    model = write_masked(tmp_path / "net.onnx", "ones and zeros", 12, pooled_by_mask=True)
    succeeded("compile", model, "-o", tmp_path / "out")
    found, expected = outputs(model, masked_windows("ones and zeros", 12, 12, seed=9))
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 25
    assert run_iss(tmp_path / "out", simulator=simulator).bit_exact


def test_truth_values_without_samples(tmp_path: Path) -> None:
    model = write_masked(tmp_path / "net.onnx", "true for padding", 8)
    model.with_suffix(".calibration.npz").unlink()
    succeeded("compile", model, "-o", tmp_path / "out")
    assert succeeded("run", tmp_path / "out", "--on", "host")["bit_exact"]


def test_a_mask_of_8_bits(tmp_path: Path) -> None:
    model = write_masked(tmp_path / "net.onnx", "ones and zeros", 12)
    succeeded("compile", model, "-o", tmp_path / "out", "--recipe", "input_bits=8")
    given = masked_windows("ones and zeros", 12, 8, seed=5)
    found, expected = outputs(model, given)
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 15


def test_a_mask_of_none_is_told(tmp_path: Path) -> None:
    """Added zeros alone say nothing of how large a mask can be."""
    model = write_masked(tmp_path / "net.onnx", "added", 8)
    given = masked_windows("added", 8, 24, seed=0)
    np.savez(model.with_suffix(".calibration.npz"), **given | {"mask": np.zeros_like(given["mask"])})
    assert refused("compile", model, "-o", tmp_path / "out").error.startswith("input %mask: found only zeros")


def test_every_claim_and_every_number_matters(tmp_path: Path) -> None:
    succeeded("compile", write_masked(tmp_path / "net.onnx", "ones and zeros", 9), "-o", tmp_path / "out")
    plan = simple_plan(
        load_golden(tmp_path / "out").graph,
        Tiles(rows=8, channels=16, buffers=1, queries=8, keys=8, values=4),
    )
    attention = next(
        number for number, stage in enumerate(plan.plan.staged.stages) if stage.op.kind is OpKind.QATTENTION
    )
    caught = set(uncaught(Subject(plan), attention))
    kernel = "tmc_attention_softmax_bias_s16s16u8"
    assert {(name, number) for name, _, number in caught} == {(kernel, "bias_pitch")}  # of a single row
