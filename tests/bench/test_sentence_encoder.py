"""The measurement of the sentence encoder, on a tiny one: its C, its figures, and what makes it fail."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import sentence_encoder as command
from bench.accuracy import __main__ as suite
from bench.accuracy.suite import NAIVE, TMC
from bench.accuracy.workers import workers
from bench.sentence_encoder import SMALLER, TARGET, Figures, OnTarget, Outcome, failures, figures, lines
from examples.sentence_encoder.model import Config, Encoder, Published
from examples.sentence_encoder.text import docstrings
from tmc.backend_gap9.target.target import Memory

GOOD = Figures(120, 0.995, 0.99, 0.9, 20.0)
BAD = Figures(120, 0.9, 0.8, 0.1, 5.0)
ON_TARGET = OnTarget("gap9", 6, 11, 12, "found 11, allowed 8")


def reached(tmc: Figures = GOOD, naive: Figures = BAD, wrong: int = 0) -> dict[str, Outcome]:
    return {TMC: Outcome(tmc, wrong, ON_TARGET, 1.5), NAIVE: Outcome(naive, None, None, 2.5)}


def tiny(layers: int | None) -> Published:
    torch.manual_seed(3)
    words = sorted({word for text in docstrings()[:60] for word in text.lower().split()})
    vocabulary = ("[CLS]", "[SEP]", "[UNK]", *words)
    config = Config(layers or 2, 32, 4, 48)
    return Published(Encoder(config), torch.randn(len(vocabulary), 32), torch.randn(40, 32), vocabulary)


def test_the_compiled_encoder_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_published", tiny)
    monkeypatch.setattr(command, "SMALLER", replace(SMALLER, l3=Memory(1000, 0)))
    with workers(1) as pool:
        found = command.evaluate_sentence_encoder(pool, 5, layers=1)
    tmc, naive = found[TMC], found[NAIVE]
    assert (tmc.wrong_integers, naive.wrong_integers, naive.on_target) == (0, None, None)
    assert tmc.figures.sentences == naive.figures.sentences == 5
    assert 0.999 < tmc.figures.cosine_mean <= 1.0 and tmc.figures.signal_to_noise_db < 70
    assert naive.figures.cosine_mean < tmc.figures.cosine_mean
    on_target = tmc.on_target
    assert on_target is not None and on_target.layers == 1 and on_target.cycles_estimate > 10_000
    assert on_target.target == TARGET.name == "gap9"
    assert on_target.gap9_8mb is not None
    assert on_target.gap9_8mb.startswith(f"found {on_target.external_ram_bytes} bytes of constants")
    assert on_target.gap9_8mb.endswith("allowed 1000 bytes of L3")


def test_figures_are_of_directions_and_neighbours() -> None:
    expected = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 2.0], [0.1, 2.0]])
    same = figures(expected, expected * 0.99)
    assert same == Figures(4, 1.0, 1.0, 1.0, 40.0)
    turned = figures(expected, expected[:, ::-1] * np.array([[1.0, -1.0]]))
    assert turned.cosine_mean == turned.cosine_least == 0 and turned.nearest_kept == 1
    swapped = figures(expected, expected[[0, 2, 1, 3]])
    assert swapped.nearest_kept == 0 and swapped.cosine_least < 0.1 < swapped.cosine_mean


def test_what_fails() -> None:
    assert failures(reached()) == []
    assert failures(reached(tmc=BAD)) == [
        "sentence encoder, tmc: cosine_mean 0.9, at least 0.994",
        "sentence encoder, tmc: cosine_least 0.8, at least 0.986",
    ]
    assert failures(reached(wrong=3)) == ["sentence encoder, tmc: 3 wrong integers"]
    assert failures(reached(naive=GOOD)) == [
        "sentence encoder, naive: found that it passes every floor, allowed only to fail"
    ]


def test_lines_name_the_target_and_the_refusal() -> None:
    tmc, target, naive = lines(reached())
    assert tmc.startswith("sentence encoder, tmc: 120 sentences, cosine to float 0.9950 on average, ")
    assert tmc.endswith("C wrong 0") and naive.endswith("C wrong -")
    assert target == "  6 layers on gap9; on gap9-8mb: found 11, allowed 8"
    fits = reached() | {TMC: Outcome(GOOD, 0, replace(ON_TARGET, gap9_8mb=None), 1.5)}
    assert lines(fits)[1].endswith("on gap9-8mb: fits")


@pytest.mark.parametrize("wrong", [0, 2])
def test_the_commands_end_with_one_line_and_fail(
    wrong: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "evaluate_sentence_encoder", lambda *given: reached(wrong=wrong))
    assert command.main(["--sentences", "7"]) == bool(wrong)
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (printed["ok"], printed["tmc"]["wrong_integers"]) == (not wrong, wrong)
    assert (printed["tmc"]["cosine_mean"], printed["naive"]["on_target"]) == (GOOD.cosine_mean, None)

    monkeypatch.setattr(suite, "evaluate_sentence_encoder", lambda *given: reached(wrong=wrong))
    with workers(1) as pool:
        found, failed = suite._sentences(pool, 7)
    assert found == {name: printed[name] for name in (TMC, NAIVE)} and failed == printed["failed"]
