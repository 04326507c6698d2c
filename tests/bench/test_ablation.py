"""The table of the ablation: every choice of the recipe has its row, also in docs/numerics.md."""

from bench.accuracy.ablation import recipes
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
