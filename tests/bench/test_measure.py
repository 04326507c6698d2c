"""Figures on numbers small enough to work out by hand; floors on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from bench.accuracy.__main__ import Measured
from bench.accuracy.floors import SENTENCES, STRESSED, TRAINED, Floor, misses, must_miss, values
from bench.accuracy.measure import Figures, figures, signal_to_noise_db
from bench.accuracy.suite import NAIVE, TMC, Outcome


def test_signal_to_noise() -> None:
    reference = np.array([3.0, 4.0])
    assert signal_to_noise_db(reference, reference + np.array([0.5, 0.0])) == pytest.approx(20.0)
    assert signal_to_noise_db(reference, reference) == float("inf")
    assert signal_to_noise_db(np.zeros(2), reference) == float("-inf")
    assert signal_to_noise_db(reference.astype(np.float32), np.array([4, 4])) == pytest.approx(13.9794)


def test_figures() -> None:
    wanted = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 1.9], [0.5, 0.0, 0.1], [0.0, 0.0, 3.0]])
    found = wanted.copy()
    found[1] = [0.0, 1.9, 2.0]  # by 0.1
    found[2] = [0.0, 0.6, 0.1]  # by 0.5, to neither the first nor the second
    one = figures(np.array([0, 1, 1, 0]), wanted, found, 30.0)
    assert (one.windows, one.disagreements, one.agreement, one.token_db) == (4, 2, 50.0, 30.0)
    assert one.margin == pytest.approx(0.5)
    assert (one.float_accuracy, one.integer_accuracy, one.accuracy_drop) == (50.0, 50.0, 0.0)
    same = figures(np.array([0, 1, 1, 0]), wanted, wanted)
    assert (same.margin, same.agreement, same.disagreements, same.token_db) == (0.0, 100.0, 0, None)


def test_the_floors_that_were_promised() -> None:
    stated = {floor.figure: (floor.sense, floor.limit) for floor in TRAINED}
    assert stated == {
        "logit_db": ("at least", 47.0),
        "token_db": ("at least", 32.0),
        "agreement": ("at least", 99.5),
        "margin": ("at most", 0.05),
        "accuracy_drop": ("at most", 0.3),
    }
    assert [(floor.figure, floor.limit) for floor in STRESSED] == [("logit_db", 42.0), ("token_db", 29.0)]
    assert [floor.limit for floor in SENTENCES] == [0.994, 0.986]


@pytest.mark.parametrize(("sense", "good"), [("at least", 1.1), ("at most", 0.9)])
def test_a_floor_holds_at_its_limit_and_on_one_side(sense: str, good: float) -> None:
    floor = Floor("figure", sense, 1.0)  # type: ignore[arg-type]
    assert floor.holds(1.0) and floor.holds(good)
    assert not floor.holds(2.0 - good) and not floor.holds(float("nan"))


def test_misses_name_the_row() -> None:
    good = Figures(1000, 50.0, 33.0, 99.8, 2, 0.01, 90.0, 90.0)
    bad = Figures(1000, 46.9, 33.0, 99.4, 6, 0.06, 90.0, 89.6)
    assert misses("net", values(good), TRAINED) == []
    assert [line.split()[1] for line in misses("net", values(bad), TRAINED)] == [
        "logit_db",
        "agreement",
        "margin",
        "accuracy_drop",
    ]
    assert misses("net", values(bad), TRAINED)[0] == "net: logit_db 46.9, at least 47"
    assert list(must_miss("net", values(bad), TRAINED)) == []
    assert list(must_miss("net", values(good), TRAINED)) == [
        "net: found that it passes every floor, allowed only to fail"
    ]


def test_a_stressed_row_below_its_floors_fails() -> None:
    measured = Measured([], [])
    outcome = Outcome("net-sharp5", TMC, Figures(64, 34.0, 29.5, 100.0, 0, 0.0, 50.0, 50.0), 3, 1.0)
    measured.add(outcome, STRESSED)
    assert measured.failed == [
        "net-sharp5, tmc: logit_db 34, at least 42",
        "net-sharp5, tmc: 3 wrong integers",
    ]


def test_outcomes_are_judged_by_their_quantiser() -> None:
    measured = Measured([], [])
    good = Figures(1000, 50.0, 33.0, 99.8, 2, 0.01, 90.0, 90.0)
    for quantiser, token_db in ((TMC, 33.0), (NAIVE, 33.0), ("a peer", None)):
        measured.add(Outcome("net", quantiser, replace(good, token_db=token_db), None, 1.0), TRAINED)
    assert len(measured.outcomes) == 3
    assert measured.failed == ["net, naive: found that it passes every floor, allowed only to fail"]
