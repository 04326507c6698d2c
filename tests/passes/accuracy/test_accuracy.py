from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tests.passes.test_quantise import noise_ratios
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.ops import VIEWS
from tmc.passes.accuracy.accuracy import EQUAL_DB, accuracy
from tmc.passes.accuracy.advice import Finding, accuracy_advice
from tmc.passes.accuracy.record import Accuracy
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.calibrate.calibration import Basis
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, NAIVE, Recipe
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.migrate_outliers import migrate_outliers

GRAPH = transformer(Size())
SAMPLES = {"emg": windows(GRAPH, 6, seed=99)}
# The float graph stays what it is, so that it can be compared with.
KEPT = Recipe(migrate_outliers="never")
# Without room for windows louder than those of the calibration.
AS_LOUD = replace(KEPT, loudness=1.0)


def compared(graph: Graph, recipe: Recipe = DEFAULT, gain: float = 1.0) -> tuple[Accuracy, Graph, Ranges]:
    """Compare on SAMPLES; calibration windows are `gain` times as loud."""
    ranges = calibrate(graph, {"emg": windows(graph, 16) * np.float32(gain)})
    graph, ranges = migrate_outliers(graph, ranges, recipe)
    integer = quantise(graph, choose_scales(graph, ranges, recipe), recipe)
    return accuracy(graph, integer, ranges, SAMPLES, "held-back windows", recipe), integer, ranges


@pytest.fixture(scope="module")
def default() -> tuple[Accuracy, Graph, Ranges]:
    return compared(GRAPH, KEPT)


@pytest.mark.parametrize("size", [Size(), Size(rotary=False)])
def test_ratios_of_every_value(size: Size) -> None:
    graph = transformer(size)
    found, integer, _ = compared(graph, KEPT)
    names = [op.output for op in integer.ops if op.kind not in VIEWS]
    assert [op.name for op in found.ops] == ["emg", *names]
    expected = noise_ratios(graph, integer)  # over the same windows, by other code
    for op in found.ops:
        if op.name in expected:
            assert op.sqnr_db == pytest.approx(expected[op.name], abs=0.02)
    assert {op.name: op.node for op in found.ops}["emg"] == "input %emg"
    assert {op.name: op.node for op in found.ops}["0.gelu"] == "/0.wide"


def test_outputs(default: tuple[Accuracy, Graph, Ranges]) -> None:
    found, integer, _ = default
    tokens, logits = found.outputs
    assert (found.basis, found.windows) == ("held-back windows", 6)
    assert (tokens.name, tokens.agreement, tokens.flipped_margin) == ("tokens", None, None)
    errors, values, agreed = [], [], 0
    for window in SAMPLES["emg"]:
        real = interpret(GRAPH, {"emg": window})["logits"]
        codes = interpret(integer, quantise_inputs(integer, {"emg": window}))["logits"]
        got = dequantise(integer.types["logits"], codes)
        errors.append(np.abs(got - real).max())
        values.append(np.abs(real).max())
        agreed += int(got.argmax() == real.argmax())
    assert logits.largest_error == pytest.approx(max(errors), rel=1e-3)
    assert logits.largest_value == pytest.approx(max(values), rel=1e-3)
    assert logits.agreement == pytest.approx(100 * agreed / 6, abs=0.01)


@pytest.mark.parametrize(("gain", "agreed"), [(1.0, True), (0.002, False)])
def test_of_indices_their_agreement_is_told(gain: float, agreed: bool) -> None:
    b = GraphBuilder.seeded(3)
    x = b.input("emg", 1, 12)
    b.op(OpKind.ARGMAX_COLUMNS, "class", b.linear("logits", x, 5))
    graph = b.graph(("emg",), ("class",))
    samples = np.random.default_rng(0).standard_normal((40, 1, 12)).astype(np.float32)
    # Calibrated on quiet windows, the codes of loud ones are clipped and other columns are the largest.
    ranges = calibrate(graph, {"emg": samples * np.float32(gain)})
    integer = quantise(graph, choose_scales(graph, ranges))
    found = accuracy(graph, integer, ranges, {"emg": samples}, "held-back windows")
    wanted = [interpret(graph, {"emg": x})["class"] for x in samples]
    got = [interpret(integer, quantise_inputs(integer, {"emg": x}))["class"] for x in samples]
    same = sum(bool((one == two).all()) for one, two in zip(wanted, got, strict=True))
    assert found.outputs[0].agreement == 100 * same / 40
    assert (same >= 39) is agreed
    assert found.outputs[0].flipped_margin is None
    assert "class" not in {op.name for op in found.ops}


def test_noise_is_charged_to_the_op_that_adds_it(default: tuple[Accuracy, Graph, Ranges]) -> None:
    """With one op of the integer graph made coarse, all values after it lose, and it alone adds more."""
    before = {op.name: op for op in default[0].ops}
    graph, integer, ranges = GRAPH, default[1], default[2]
    constants = dict(integer.constants)
    constants["0.gelu.table"] = (constants["0.gelu.table"].astype(int) // 32 * 32).astype(np.int8)
    coarse = accuracy(graph, replace(integer, constants=constants), ranges, SAMPLES, "held-back windows")
    after = {op.name: op for op in coarse.ops}
    assert after["0.gelu"].added_db < before["0.gelu"].added_db - 10
    for name in ("0.after_mlp", "1.norm1", "1.gelu", "logits"):
        assert after[name].sqnr_db < before[name].sqnr_db - 1
        assert after[name].added_db == pytest.approx(before[name].added_db, abs=2.0)
    assert after["0.norm2"] == before["0.norm2"]
    worst = coarse.worst[0]
    assert (worst.name, worst.node, worst.added_db) == ("0.gelu", "/0.wide", after["0.gelu"].added_db)
    assert worst.alone_db < min(op.alone_db for op in coarse.worst[1:])


def test_the_worst_is_what_disturbs_the_outputs_most(default: tuple[Accuracy, Graph, Ranges]) -> None:
    found = default[0]
    assert len(found.worst) == 3
    assert [op.alone_db for op in found.worst] == sorted(op.alone_db for op in found.worst)
    assert found.worst[0].alone_db > min(output.sqnr_db for output in found.outputs) - 1


@pytest.fixture(scope="module")
def as_loud() -> tuple[Accuracy, Graph, Ranges]:
    """Compare on samples about as loud as those of the calibration."""
    return compared(GRAPH, AS_LOUD)


@pytest.fixture(scope="module")
def quiet() -> tuple[Accuracy, Graph, Ranges]:
    """Compare on samples six times as loud as those of the calibration."""
    return compared(GRAPH, AS_LOUD, 1 / 6)


@pytest.mark.parametrize("calibration", ["as_loud", "quiet"])
def test_clipping_is_counted_by_the_limits_of_the_codes(
    calibration: str, request: pytest.FixtureRequest
) -> None:
    """The input has 15 bits of its int16; every head of Q and K has a scale of its own."""
    found, integer, _ = request.getfixturevalue(calibration)
    clipped = {op.name: op.clipped for op in found.ops}
    for name in ("emg", "0.q_turned", "0.k_turned", "0.norm1", "logits"):
        kind, real = integer.types[name], []
        for window in SAMPLES["emg"]:
            values = {"emg": window}
            interpret(GRAPH, {"emg": window}, values.__setitem__)
            array = values[name]
            if len(kind.shape) == 3 and name != "emg":  # by heads
                array = array.reshape(kind.shape[1], kind.shape[0], -1).transpose(1, 0, 2)
            real.append(array.reshape(kind.shape).astype(np.float64))
        assert kind.quant is not None
        codes = np.rint(np.stack(real) / kind.element_scales) + kind.quant.zero_point
        least, most = kind.code_limits
        beyond = np.count_nonzero((codes < least) | (codes > most))
        assert clipped[name] == pytest.approx(beyond / codes.size, abs=1e-4), name
    quant = integer.types["emg"].quant
    assert quant is not None and quant.bits == 15 and (clipped["emg"] > 1e-3) == (calibration == "quiet")


def test_values_beyond_the_calibrated_range(quiet: tuple[Accuracy, Graph, Ranges]) -> None:
    found, _, ranges = quiet
    assert (found.windows, found.added_windows) == (6, 2)
    first = found.beyond[0]
    samples = SAMPLES["emg"]
    known, reach = ranges.values["emg"], float(samples.flat[np.abs(samples).argmax()])
    assert (first.name, first.node) == ("emg", "input %emg")
    assert (first.low, first.high) == (known.low, known.high)
    excess = max(float(samples.max()) - known.high, known.low - float(samples.min()))
    assert first.share == pytest.approx(excess / known.magnitude, abs=1e-3) and first.share > 1
    assert abs(first.reach) == pytest.approx(abs(reach))
    shares = [each.share for each in found.beyond[1:]]
    assert shares == sorted(shares, reverse=True) and shares[-1] > 0.1
    nodes = {op.name: op.node for op in found.ops}
    assert len(found.beyond) > 5 and all(each.node == nodes[each.name] for each in found.beyond)


def test_only_held_back_windows_of_calibrated_networks_go_beyond(
    quiet: tuple[Accuracy, Graph, Ranges],
) -> None:
    _, integer, ranges = quiet
    one = {"emg": SAMPLES["emg"][:1]}
    bases: tuple[Basis, ...] = ("calibration windows", "noise")
    assert all(accuracy(GRAPH, integer, ranges, one, basis).beyond == () for basis in bases)
    assert accuracy(GRAPH, integer, ranges, one, "held-back windows", calibrated=False).beyond == ()
    assert accuracy(GRAPH, integer, ranges, one, "held-back windows").beyond != ()


def test_a_network_without_noise() -> None:
    b = GraphBuilder.seeded(0)
    b.op(OpKind.RESHAPE, "y", b.input("x", 1, 4), attrs=a.ReshapeAttrs((4, 1)))
    graph = b.graph(("x",), ("y",))
    samples = {"x": np.array([[[16383, -1000, 0, 1]]], dtype=np.float32)}
    ranges = calibrate(graph, samples)
    integer = quantise(graph, choose_scales(graph, ranges))
    found = accuracy(graph, integer, ranges, samples, "calibration windows")
    assert [(op.name, op.sqnr_db, op.added_db) for op in found.ops] == [("x", EQUAL_DB, EQUAL_DB)]
    assert found.outputs[0].sqnr_db == EQUAL_DB and found.outputs[0].largest_error == 0.0


def test_flipped_decisions_and_their_margin(default: tuple[Accuracy, Graph, Ranges]) -> None:
    """An integer network that always takes the last class: float tells by how much that was wrong."""
    _, integer, ranges = default
    bias = integer.constants["logits.bias"].copy()
    bias[0, -1] = 2**30
    wrong = replace(integer, constants={**integer.constants, "logits.bias": bias})
    output = accuracy(GRAPH, wrong, ranges, SAMPLES, "held-back windows").outputs[1]
    logits = [interpret(GRAPH, {"emg": window})["logits"][0] for window in SAMPLES["emg"]]
    agreed = sum(int(row.argmax() == len(row) - 1) for row in logits)
    assert agreed < 6 and output.agreement == pytest.approx(100 * agreed / 6, abs=0.01)
    assert output.flipped_margin == pytest.approx(max(row.max() - row[-1] for row in logits), rel=1e-3)


def advice(recipe: Recipe = DEFAULT, gain: float = 1.0, **changes: Any) -> str:
    """Advice for the output of the first GELU, with some of what was found replaced."""
    _, integer, ranges = compared(GRAPH, recipe, gain)
    reach = ranges.values["0.gelu"].magnitude
    finding = Finding("0.gelu", 0.0, 0.0, 0.0, -0.17, reach, silent=False)
    return accuracy_advice(integer, ranges, recipe, replace(finding, **changes))


def test_advice() -> None:
    assert advice().startswith("its 8-bit steps are the limit, its range fits: only quantisation-aware")
    assert advice(added_noise=1.0).startswith("its 8-bit weights add more than the steps of its result: ")
    assert advice(silent=True).startswith("it is zero in every window: ")
    assert advice(clipped=0.012, clipped_noise=0.4).startswith("1.2 % of it is clipped, which makes 40 %")
    loud = advice(high=1000.0)
    assert loud.startswith("it reaches 1e+03 here and ") and "calibrate on more windows" in loud
    assert advice(Recipe(zero_points=False)) == "the recipe has zero_points=off: compile with zero_points=on"


def test_advice_on_attention_and_outliers(default: tuple[Accuracy, Graph, Ranges]) -> None:
    _, integer, ranges = default
    finding = Finding("0.attended", 100.0, 0.0, 0.0, 0.0, 0.0, silent=False)
    assert accuracy_advice(integer, ranges, DEFAULT, finding).startswith("8-bit weights of the softmax")
    found = ranges.values["0.norm1"]
    column = found.column_high.copy()
    column[0] *= 100
    louder = Ranges({**ranges.values, "0.norm1": replace(found, column_high=column)}, ranges.samples)
    finding = replace(finding, name="0.norm1")
    text = accuracy_advice(integer, louder, DEFAULT, finding)
    assert text.startswith("its largest column is ")
    assert "times the median and sets the step of all 48" in text


def test_too_quiet_a_calibration_is_seen() -> None:
    found = compared(GRAPH, gain=0.02)[0]
    assert found.worst[0].name == "emg" and "calibrate on more windows" in found.worst[0].advice
    assert found.ops[0].sqnr_db < 60


NAIVE_STEPS = ("input_bits", "residual_bits", "softmax_division", "zero_points", "range_search")


def test_a_naive_recipe_is_told_what_it_lacks() -> None:
    found = compared(GRAPH, NAIVE)[0]
    for op in found.worst:
        step = op.advice.removeprefix("the recipe has ").partition("=")[0]
        assert step in NAIVE_STEPS


def test_twice_the_same() -> None:
    assert compared(GRAPH)[0] == compared(GRAPH)[0]
