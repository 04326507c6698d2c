"""Settings of a training run, and what turns gradients into steps: groups, rates, precision."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import TinyMyo

Precision = Literal["auto", "bf16", "float32"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what a training run is made of; the defaults are those published for fine-tuning.

    `batch` counts the windows of one optimiser step, over all processes and the `accumulate` parts that each
    process cuts its share into. `patience` 0 means no early stopping, `clip` 0 no clipping, `layer_decay` 1
    the same rate for all layers. The state of the run is saved after every epoch and every `save_seconds`.
    """

    epochs: int = 50
    batch: int = 32
    accumulate: int = 1
    rate: float = 5e-4
    start_rate: float = 1e-6
    floor_rate: float = 1e-5
    warmup_epochs: int = 5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 0.0
    layer_decay: float = 0.9
    label_smoothing: float = 0.1
    freeze: bool = False
    patience: int = 7
    seed: int = 42
    precision: Precision = "auto"
    workers: int = 0
    save_seconds: float = 300.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            TinyMyoError: a count or a rate that no run can have.
        """
        if not self.rate > 0.0:
            raise TinyMyoError(f"rate: found {self.rate}, allowed above 0", "correct the setting")
        lowest = {"epochs": 1, "batch": 1, "accumulate": 1, "warmup_epochs": 0, "patience": 0}
        lowest |= {"workers": 0, "clip": 0, "weight_decay": 0, "start_rate": 0, "floor_rate": 0}
        for name, low in lowest.items():
            value = getattr(self, name)
            if not value >= low:
                raise TinyMyoError(f"{name}: found {value}, allowed {low} or more", "correct the setting")
        if self.warmup_epochs >= self.epochs:
            raise TinyMyoError(
                f"warmup_epochs: found {self.warmup_epochs}, allowed less than the {self.epochs} epochs",
                "shorten the warm-up",
            )


def rate_factor(step: int, warmup_steps: int, total_steps: int, settings: Settings) -> float:
    """Return the learning rate of optimiser step `step` (from 0), as a part of the base rate.

    It climbs in a straight line from `start_rate`, reaches the base rate at step `warmup_steps`, and falls
    along half a cosine to `floor_rate` at `total_steps`.
    """
    if step < warmup_steps:
        start = settings.start_rate / settings.rate
        return start + (1.0 - start) * step / warmup_steps
    floor = settings.floor_rate / settings.rate
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done))


def parameter_groups(model: TinyMyo, settings: Settings) -> list[dict[str, Any]]:
    """Return one group per rate: block i of L at `layer_decay ** (L - i)`, everything else at the base rate.

    With `freeze` only the head is trained; the mask token only where it is used, in reconstruction.
    """
    layers = 1 + max(_block(name) for name, _ in model.named_parameters())
    scales: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        used = name != "mask_token" or model.config.head == "reconstruction"
        parameter.requires_grad = used and (not settings.freeze or name.startswith("model_head."))
        if parameter.requires_grad:
            block = _block(name)
            scale = settings.layer_decay ** (layers - block) if block >= 0 else 1.0
            scales.setdefault(scale, []).append(parameter)
    return [{"params": group, "scale": scale} for scale, group in scales.items()]


def _block(name: str) -> int:
    parts = name.split(".")
    return int(parts[1]) if parts[0] == "blocks" else -1


def optimiser_of(model: TinyMyo, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW over the groups of the model; `set_rate` gives it its rates."""
    groups = parameter_groups(model, settings)
    return torch.optim.AdamW(
        groups, settings.rate, settings.betas, weight_decay=settings.weight_decay, fused=True
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the base rate; every group keeps its own scale."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Say whether matrix products run in bfloat16; `auto` takes it where the processor has such products."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
