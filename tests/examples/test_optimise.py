"""Rates that step as configured, layer decay that reaches the blocks, and settings that cannot be."""

import dataclasses
import re

import pytest
import torch

from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.finetune import finetune
from examples.tinymyo.loop import steps_of
from examples.tinymyo.model import Config, build
from examples.tinymyo.optimise import Settings, optimiser_of, rate_factor, set_rate, uses_bf16

SETTINGS = Settings(rate=1e-3, start_rate=1e-5, floor_rate=2e-5)


def test_rates_at_given_steps() -> None:
    rates = [1e-3 * rate_factor(step, 10, 50, SETTINGS) for step in (0, 5, 10, 30, 50)]
    assert rates == pytest.approx([1e-5, 1e-5 + 0.5 * 0.99e-3, 1e-3, 2e-5 + 0.5 * 0.98e-3, 2e-5])
    assert rate_factor(0, 0, 50, SETTINGS) == 1.0


def test_the_rates_of_a_run_are_those_of_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []
    step = torch.optim.AdamW.step

    def record(self: torch.optim.AdamW) -> None:
        seen.append(sorted(group["lr"] for group in self.param_groups))
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    windows = ArrayWindows(torch.randn(5, 2, 40).numpy(), torch.tensor([0, 1, 0, 1, 0]).numpy(), ("a", "b"))
    settings = dataclasses.replace(SETTINGS, epochs=3, warmup_epochs=1, batch=2, patience=0)
    finetune(build(Config(2, 40, 2, 2), seed=1), windows, windows, settings, log=lambda line: None)
    # Nine steps, three of them warm-up: a schedule counted in epochs or in other steps shows here.
    base = [1e-3 * rate_factor(index, 3, 9, settings) for index in range(9)]
    assert [rates[-1] for rates in seen] == pytest.approx(base)
    assert [rates[0] for rates in seen] == pytest.approx([rate * 0.81 for rate in base])


def test_layer_decay() -> None:
    model = build(Config(2, 40, 4, 3), seed=1)
    optimiser = optimiser_of(model, SETTINGS)
    set_rate(optimiser, 1e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(each)]: group["lr"] for group in optimiser.param_groups for each in group["params"]}
    assert set(rates) == set(names.values()) - {"mask_token"}
    for name, rate in rates.items():
        block = re.match(r"blocks\.(\d)\.", name)
        assert rate == pytest.approx(1e-3 * 0.9 ** (4 - int(block[1])) if block else 1e-3), name
    group = optimiser.param_groups[0]
    assert group["betas"] == (0.9, 0.98) and group["weight_decay"] == 0.01


def test_freeze_trains_the_head_only() -> None:
    model = build(Config(2, 40, 2, 3), seed=1)
    optimiser_of(model, dataclasses.replace(SETTINGS, freeze=True))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {"model_head.classifier.weight", "model_head.classifier.bias"}


def test_mask_token_is_trained_where_it_is_used() -> None:
    model = build(Config(2, 40, 2, 20, head="reconstruction"), seed=1)
    optimiser_of(model, SETTINGS)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_steps_and_their_parts() -> None:
    settings = dataclasses.replace(SETTINGS, batch=4, accumulate=2)
    assert steps_of([5, 3, 1, 0, 2, 4], 7, settings) == [
        [[(7, 5), (7, 3)], [(7, 1), (7, 0)]],
        [[(7, 2)], [(7, 4)]],
    ]


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert uses_bf16("bf16", cpu) and not uses_bf16("float32", cpu)
    for capability, expected in (("avx512_bf16", True), ("amx_bf16", True), ("avx2", False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capability: {found: True})
        assert uses_bf16("auto", cpu) is expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "^epochs: found 0, allowed 1 or more$"),
        ({"batch": 0}, "^batch: found 0, allowed 1 or more$"),
        ({"rate": float("nan")}, "^rate: found nan, allowed above 0$"),
        ({"rate": 0.0}, "^rate: found 0.0, allowed above 0$"),
        ({"clip": -1.0}, "^clip: found -1.0, allowed 0 or more$"),
        ({"epochs": 5}, "^warmup_epochs: found 5, allowed less than the 5 epochs$"),
    ],
)
def test_impossible_settings(change: dict[str, float], message: str) -> None:
    with pytest.raises(TinyMyoError, match=message):
        dataclasses.replace(SETTINGS, **change)  # type: ignore[arg-type]
