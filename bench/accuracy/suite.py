"""One network through everything: the compiled C, the naive recipe, and another quantiser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.accuracy.graphs import integer_graph
from bench.accuracy.measure import Figures
from bench.accuracy.peer import PEER, quantise_with_onnxruntime
from bench.accuracy.subject import Subject
from bench.accuracy.workers import Workers, compiled_logits, interpreted, onnx_logits
from examples.tinymyo.export import INPUT
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind
from tmc.passes.recipe import Recipe

TMC, TMC_WIDE, NAIVE = "tmc", "tmc, Q and K of 16 bits", "naive"


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


def by_tmc(workers: Workers, tested: Subject, *, wide: bool = False) -> Outcome:
    """Compile a network and return what its C reaches on all test windows. wide: Q and K have 16 bits."""
    done = _stopwatch()
    output = tested.onnx.with_suffix("")
    queries = {op.inputs[0] for op in tested.network.graph.ops if wide and op.kind is OpKind.ATTENTION}
    options = Options(tested.onnx, target_named("gap9"), output, tested.calibration, wide=frozenset(queries))
    graph = compile_model(options).graph
    logits, wrong = compiled_logits(workers, output, graph, tested.test.windows)
    _, tokens = interpreted(workers, graph, tested.test.windows[: len(tested.tokens)])
    return Outcome(tested.name, TMC_WIDE if wide else TMC, tested.figures(logits, tokens), wrong, done())


def by_others(workers: Workers, tested: Subject, windows: int) -> Iterator[Outcome]:
    """Yield what the naive recipe and onnxruntime's quantiser reach on the first of the test windows."""
    few = tested.test.first(windows).windows
    done = _stopwatch()
    logits, tokens = interpreted(workers, integer_graph(tested.network, Recipe.named("naive")), few)
    yield Outcome(tested.name, NAIVE, tested.figures(logits, tokens), None, done())

    peer = tested.onnx.with_suffix(".peer.onnx")
    quantise_with_onnxruntime(tested.onnx, INPUT, np.load(tested.calibration)[INPUT], peer)
    yield Outcome(tested.name, PEER, tested.figures(onnx_logits(workers, peer, few)), None, done())


def _stopwatch() -> Callable[[], float]:
    last = time.perf_counter()

    def lap() -> float:
        nonlocal last
        before, last = last, time.perf_counter()
        return round(last - before, 1)

    return lap
