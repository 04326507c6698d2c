"""The worked example of a researcher's own pass: its text, its numbers, and a compile with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.passes.__main__ import PASSES, main
from examples.passes.fold_gain import fold_gain
from tests.networks.transformers import Architecture, write_transformer
from tests.passes.pass_checks import graph_of
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.frontend.onnx_import import load
from tmc.ir.graph import OpKind
from tmc.ir.interpret import interpret
from tmc.ir.text import print_graph
from tmc.ir.verify import verify
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import named, run_passes
from tmc.passes.recipe import Recipe

SHAPE = Architecture(channels=3, patches=4, dim=24, heads=2, hidden=48, layers=2)


def test_text_and_numbers() -> None:
    constants = {
        "g": np.array([2.0, -1.0]),
        "b": np.array([0.5, 0.25]),
        "w": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "c": np.zeros((1, 3)),
    }
    before = graph_of("n = layernorm(x, g, b) {epsilon=1e-5}\ny = linear(n, w, c)", [4, 2], constants)
    after = fold_gain(before)
    verify(after)
    assert print_graph(after, locations=False).splitlines()[-4:-1] == [
        "  %n: f32[4x2] = layernorm(%x, %g.n.folded, %b.n.folded) {epsilon=1e-05}",
        "  %y: f32[4x3] = linear(%n, %w.y.folded, %c.y.folded)",
        "  return %y",
    ]
    assert after.constants["g.n.folded"].tolist() == [1.0, 1.0]
    assert after.constants["b.n.folded"].tolist() == [0.0, 0.0]
    assert after.constants["w.y.folded"].tolist() == [[2.0, -2.0], [6.0, -4.0], [10.0, -6.0]]
    assert after.constants["c.y.folded"].tolist() == [[1.0, 2.5, 4.0]]
    assert after.constants.keys() == {name for op in after.ops for name in op.inputs} - {"x", "n"}


@pytest.mark.parametrize("output", ["n", "s"])
def test_left_alone(output: str) -> None:
    """Something else than a linear reads the LayerNorm: the caller, or a sum."""
    lines = "n = layernorm(x, g, b) {epsilon=1e-5}\ny = linear(n, w, c)\ns = add(n, y)"
    constants = {"g": np.ones(2), "b": np.ones(2), "w": np.ones((2, 2)), "c": np.zeros((1, 2))}
    lines, outputs = (lines, ("s",)) if output == "s" else (lines.rpartition("\n")[0], ("n", "y"))
    graph = graph_of(lines, [4, 2], constants, outputs)
    assert fold_gain(graph) == graph


def test_a_whole_network_computes_the_same(tmp_path: Path) -> None:
    graph = load(write_transformer(tmp_path / "net.onnx", SHAPE))
    windows = np.random.default_rng(0).standard_normal((3, *SHAPE.input_shape)).astype(np.float32)
    before, after = run_passes(graph, CANONICALISE), run_passes(graph, PASSES)
    norms = [op for op in after.ops if op.kind is OpKind.LAYERNORM]
    folded = [norm for norm in norms if np.array_equal(after.constants[norm.inputs[1]], np.ones(SHAPE.dim))]
    assert len(norms) == 5 and len(folded) == 4, "a mean over tokens reads the last one"
    for window in windows:
        expected, found = (interpret(each, {"emg": window})["y"] for each in (before, after))
        assert np.abs(expected - found).max() < 1e-5 * np.abs(expected).max()


def test_compiled_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [named(entry).name for entry in PASSES]
    assert names[names.index("fold_gain") + 1] == "require_canonical"
    model = write_transformer(tmp_path / "net.onnx", SHAPE)
    assert main([str(model), "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[2].startswith("on this machine:   bit-exact, ")
    # Migration gives channels gains of their own again, where that is quieter.
    kept = Options(
        model,
        target_named("gap9"),
        tmp_path / "kept",
        recipe=Recipe(migrate_outliers="never"),
        canonicalise=PASSES,
    )
    graph = compile_model(kept).graph
    norms = [op for op in graph.ops if op.kind is OpKind.QLAYERNORM]
    uniform = [norm for norm in norms if len(np.unique(graph.constants[norm.inputs[1]])) == 1]
    assert len(norms) == 5 and len(uniform) == 4


def test_a_model_that_does_not_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.onnx"), "-o", str(tmp_path / "out")]) == 1
    assert "found no file of this name\nnote: check the path" in capsys.readouterr().err
