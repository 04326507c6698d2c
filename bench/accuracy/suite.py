"""One network through everything: float, the compiled C, the naive recipe, and another quantiser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.graphs import calibrated, integer_graph
from bench.accuracy.measure import Figures, figures, signal_to_noise_db
from bench.accuracy.peer import PEER, quantise_with_onnxruntime
from bench.accuracy.signals import Labelled, Parts, labelled_windows
from bench.accuracy.workers import Workers, compiled_logits, interpreted, onnx_logits
from examples.tinymyo.export import (
    INPUT,
    calibration_path,
    compare_with_onnxruntime,
    export_onnx,
    write_calibration,
)
from examples.tinymyo.model import TinyMyo
from tmc.backend_gap9.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.types import Array
from tmc.passes.recipe import Recipe

TEST_SEED, CALIBRATION_SEED = 1, 2
CALIBRATION_WINDOWS = 64  # of which a compile holds back a quarter
CHECKED_WINDOWS = 4
TMC, NAIVE = "tmc", "naive"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many held-out windows: for the C, token figures, other quantisers, the C of stressed networks."""

    windows: int = 1000
    token_windows: int = 64
    other_windows: int = 128
    stressed_windows: int = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one quantiser reached on one network. wrong_integers: of the C, None where no C ran."""

    network: str
    quantiser: str
    figures: Figures
    wrong_integers: int | None
    seconds: float


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


def outcomes(
    workers: Workers, name: str, model: TinyMyo, parts: Parts, sizes: Sizes, folder: Path, others: bool
) -> Iterator[Outcome]:
    """Yield what tmc reaches on a network and, if `others`, its naive recipe and onnxruntime's quantiser."""
    onnx = folder / f"{name}.onnx"
    calibration = export_with_calibration(model, parts, onnx)
    test = held_out(parts, model.config.channels, sizes.windows)
    wanted = onnx_logits(workers, onnx, test.windows)
    seen = test.windows[: sizes.token_windows]
    network = calibrated(onnx, calibration)
    _, wanted_tokens = interpreted(workers, network.graph, seen)

    done = _stopwatch()
    output = folder / name
    graph = compile_model(Options(onnx, target_named("gap9"), output, calibration)).graph
    logits, wrong = compiled_logits(workers, output, graph, test.windows)
    _, tokens = interpreted(workers, graph, seen)
    token_db = signal_to_noise_db(wanted_tokens, tokens)
    yield Outcome(name, TMC, figures(test.labels, wanted, logits, token_db), wrong, done())
    if not others:
        return

    few = test.first(sizes.other_windows)
    graph = integer_graph(network, Recipe.named("naive"))
    logits, tokens = interpreted(workers, graph, few.windows)
    token_db = signal_to_noise_db(wanted_tokens, tokens[: len(wanted_tokens)])
    yield Outcome(name, NAIVE, figures(few.labels, wanted[: len(few.labels)], logits, token_db), None, done())

    peer = folder / f"{name}.peer.onnx"
    quantise_with_onnxruntime(onnx, INPUT, calibration_windows(parts, model.config.channels), peer)
    logits = onnx_logits(workers, peer, few.windows)
    yield Outcome(name, PEER, figures(few.labels, wanted[: len(few.labels)], logits), None, done())


def _stopwatch() -> Callable[[], float]:
    last = time.perf_counter()

    def lap() -> float:
        nonlocal last
        before, last = last, time.perf_counter()
        return round(last - before, 1)

    return lap
