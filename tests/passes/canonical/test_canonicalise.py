"""The canonical form: from every way to write one attention layer to one text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.attention_models import COLUMNS, TOKENS, WIDTH, Rope, Variant, write_attention
from tests.networks.onnx_files import samples
from tmc.frontend import load
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.errors import PassError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.text import print_graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.explain import explaining
from tmc.passes.pipeline import Declined, run_passes
from tmc.passes.scales.value_roles import value_roles

PLAIN = (
    Variant(),
    *(Variant(projection=p) for p in ("fused_by_head", "split", "separate", "slices")),
    *(Variant(scale=s) for s in ("scores_div", "q", "k", "both")),
    Variant(batched=False),
    Variant("fused_by_head", "both", batched=False),
    Variant(rope="head"),
    Variant("split", "q", "head"),
)
TURNED = (
    Variant(rope="adjacent"),
    Variant("split", rope="adjacent"),
    Variant("separate", "both", "adjacent"),
    Variant("fused_by_head", "k", "adjacent", batched=False),
)
HALVES = (
    Variant(rope="half"),
    Variant(rope="half_where"),
    Variant("slices", "q", "half"),
    Variant(rope="op"),
)


def canonical(path: Path, variant: Variant) -> Graph:
    """Return the canonical graph of a variant, after comparing it with onnxruntime."""
    write_attention(path / "net.onnx", variant)
    graph = run_passes(load(path / "net.onnx"), CANONICALISE)
    inputs = samples({"x": [1, TOKENS, COLUMNS]})
    assert check_against_onnxruntime(path / "net.onnx", graph, inputs) < 1e-5
    return graph


def kinds(graph: Graph) -> list[OpKind]:
    """Return the kinds of the ops, without reshapes."""
    return [op.kind for op in graph.ops if op.kind is not OpKind.RESHAPE]


@pytest.mark.parametrize("variants", [PLAIN, TURNED, HALVES], ids=["plain", "turned", "halves"])
def test_all_ways_to_write_it_give_one_text(tmp_path: Path, variants: tuple[Variant, ...]) -> None:
    texts = {variant: print_graph(canonical(tmp_path, variant), locations=False) for variant in variants}
    assert {variant for variant, text in texts.items() if text != texts[variants[0]]} == set()


def test_plain_attention(tmp_path: Path) -> None:
    graph = canonical(tmp_path, Variant())
    linear = OpKind.LINEAR
    assert kinds(graph) == [OpKind.CONVERT, linear, linear, linear, OpKind.ATTENTION, linear, OpKind.ADD]
    (attention,) = (op for op in graph.ops if isinstance(op.attrs, AttentionAttrs))
    assert attention.attrs == AttentionAttrs(heads=2, scale=WIDTH**-0.5)
    assert all(len(graph.types[op.output].shape) == 2 for op in graph.ops if op.output != "y")
    assert graph.types["linear_0.weight"].shape == (COLUMNS, COLUMNS)


@pytest.mark.parametrize("rope", ["adjacent", "half", "partial", "op"])
@pytest.mark.parametrize("period", [TOKENS, 3, 2])
def test_rope_tables_have_one_period(tmp_path: Path, rope: Rope, period: int) -> None:
    graph = canonical(tmp_path, Variant(rope=rope, period=period))
    assert kinds(graph).count(OpKind.ROPE) == 2
    cosine, sine = graph.constants["rope_0.cosine"], graph.constants["rope_0.sine"]
    assert cosine.shape == sine.shape == (period, WIDTH // 2)
    frequencies = 100.0 ** -(np.arange(0, WIDTH, 2) / WIDTH)
    expected = np.cos(np.arange(period)[:, None] * frequencies).astype(np.float32)
    if rope == "partial":
        expected[:, 2:] = 1
    assert np.array_equal(cosine, expected)


def test_positions_that_are_all_zero_turn_nothing(tmp_path: Path) -> None:
    assert OpKind.ROPE not in kinds(canonical(tmp_path, Variant(rope="adjacent", period=1)))


def test_rotation_by_head_and_token_is_refused(tmp_path: Path) -> None:
    graph = load(write_attention(tmp_path / "net.onnx", Variant(rope="head_and_token")))
    with pytest.raises(
        PassError, match="found a rotation of Q or K that depends on the token and on the head"
    ):
        run_passes(graph, CANONICALISE)


def test_a_rotation_of_q_alone_is_products_and_sums(tmp_path: Path) -> None:
    graph = load(write_attention(tmp_path / "net.onnx", Variant(rope="q_only")))
    after = run_passes(graph, CANONICALISE)
    found = {op.kind for op in after.ops}
    assert OpKind.ROPE not in found and {OpKind.MUL, OpKind.ATTENTION} < found
    value_roles(after)


def test_explain_reports_the_rotation_that_cancels(tmp_path: Path) -> None:
    graph = load(write_attention(tmp_path / "net.onnx", Variant(rope="head")))
    declined: list[Declined] = []
    explained = run_passes(graph, explaining(CANONICALISE, declined))
    assert print_graph(explained) == print_graph(run_passes(graph, CANONICALISE))
    assert [item.op for item in declined if "cancels" in item.reason] == ["rope"]


def test_names_do_not_depend_on_the_names_in_the_file(tmp_path: Path) -> None:
    path = write_attention(tmp_path / "net.onnx", Variant())
    graph = load(path)
    renamed = replace(
        graph,
        ops=tuple(
            replace(op, inputs=tuple(map(_other, op.inputs)), output=_other(op.output)) for op in graph.ops
        ),
        types={_other(name): kind for name, kind in graph.types.items()},
        constants={_other(name): array for name, array in graph.constants.items()},
    )
    one, two = (print_graph(run_passes(g, CANONICALISE), locations=False) for g in (graph, renamed))
    assert one == two


def _other(name: str) -> str:
    return name if name in ("x", "y") else f"linear_{name}"
