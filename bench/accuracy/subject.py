"""A network to quantise, the windows to test it on, and what float says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.graphs import Calibrated, calibrated
from bench.accuracy.measure import Figures, figures, signal_to_noise_db
from bench.accuracy.signals import Labelled, Parts, labelled_windows
from bench.accuracy.workers import Workers, interpreted, onnx_logits
from examples.tinymyo.export import calibration_path, compare_with_onnxruntime, export_onnx, write_calibration
from examples.tinymyo.model import TinyMyo
from tmc.ir.types import Array

TEST_SEED, CALIBRATION_SEED = 1, 2
CALIBRATION_WINDOWS = 64  # of which a compile holds back a quarter
CHECKED_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class Subject:
    """The files and the calibrated float network; logits of all test windows, tokens of the first of them."""

    name: str
    onnx: Path
    calibration: Path
    network: Calibrated
    test: Labelled
    logits: Array
    tokens: Array

    def figures(self, logits: Array, tokens: Array | None = None) -> Figures:
        """Compare logits, and tokens if there are any, of as many windows as they hold with float."""
        token_db = None
        if tokens is not None:
            both = min(len(tokens), len(self.tokens))
            token_db = signal_to_noise_db(self.tokens[:both], tokens[:both])
        return figures(self.test.first(len(logits)).labels, self.logits[: len(logits)], logits, token_db)


def subject(
    workers: Workers, name: str, model: TinyMyo, parts: Parts, folder: Path, windows: int, token_windows: int
) -> Subject:
    """Export and calibrate a network, and let float judge the held-out windows."""
    onnx = folder / f"{name}.onnx"
    calibration = export_with_calibration(model, parts, onnx)
    network = calibrated(onnx, calibration)
    test = held_out(parts, model.config.channels, windows)
    logits = onnx_logits(workers, onnx, test.windows)
    _, tokens = interpreted(workers, network.graph, test.windows[:token_windows])
    return Subject(name, onnx, calibration, network, test, logits, tokens)


def held_out(parts: Parts, channels: int, count: int) -> Labelled:
    """Return the test windows, of which every smaller count is a beginning."""
    return labelled_windows(parts.test, channels, count, TEST_SEED)


def calibration_windows(parts: Parts, channels: int) -> Array:
    """Return windows of the training part, the same for every quantiser."""
    return labelled_windows(parts.train, channels, CALIBRATION_WINDOWS, CALIBRATION_SEED).windows


def export_with_calibration(model: TinyMyo, parts: Parts, path: Path) -> Path:
    """Export a network, check the file against torch, and write calibration windows; return their file."""
    windows = calibration_windows(parts, model.config.channels)
    path.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(model, path, "torchscript")
    compare_with_onnxruntime(model, path, windows[:CHECKED_WINDOWS])
    write_calibration(calibration_path(path), windows, parts.source)
    return calibration_path(path)
