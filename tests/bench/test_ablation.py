"""The table of the ablation: every choice of the recipe has its row, also in docs/numerics.md."""

from bench.accuracy.ablation import Row, recipes, table
from bench.accuracy.measure import Figures
from tmc.passes.recipe import CHOICES, DEFAULT, NAMED


def test_every_choice_of_every_step_is_tried_once() -> None:
    found = recipes()
    assert found["default"] == DEFAULT and found["naive"] == NAMED["naive"]
    alternatives = sum(len(choices) - 1 for choices in CHOICES.values())
    assert len(found) == alternatives + len(NAMED)
    for setting, recipe in found.items():
        if "=" in setting:
            assert DEFAULT.with_settings([setting]) == recipe
            assert [f"{step}={value}" for step, value in recipe.changed().items()] == [setting]


def test_table() -> None:
    one = Figures(48, 50.04, 33.0, 97.9167, 1, 0.01, 90.0, 90.0)
    text = table([Row("default", (one, one)), Row("a=b", (None, one))], ("x", "y"), 48)
    assert text.splitlines() == [
        "| 48 windows | x: logit dB | x: token dB | x: agreement "
        "| y: logit dB | y: token dB | y: agreement |",
        "|---|---|---|---|---|---|---|",
        "| `default` | 50.0 | 33.0 | 97.9 % | 50.0 | 33.0 | 97.9 % |",
        "| `a=b` | refused |  |  | 50.0 | 33.0 | 97.9 % |",
    ]
