"""The recipe of quantisation: every step has a name and can be switched, so that its worth can be measured.

The defaults are what docs/numerics.md, section 4, describes; `naive` is what static post-training
quantisation does without thought. What is not switched here is arithmetic, not choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from tmc.ir.errors import QuantisationError

Setting: TypeAlias = str | int | float | bool
RangeSearch = Literal["mse", "min_max", "p99.99", "p99.9"]
Migration = Literal["where_it_gains", "always", "never"]
Division = Literal["deferred", "first"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice that decides accuracy; CHOICES lists what each may be, docs/numerics.md its worth.

    range_search: int8 ranges by least mean square error, the whole range, or a percentile of magnitudes.
    zero_points: LayerNorm outputs, GELU inputs and outputs may lie off centre.
    migrate_outliers: which LayerNorm outputs hand large channels to the weights behind them.
    residual_bits, pooled_bits: resolution of the range; fewer bits are coarser steps in the same int16,
    without clipping. input_bits: the most that the codes of the input may have. residual_headroom: the
    residual scale over that of the calibrated range. loudness: the most times as loud as those of the
    calibration that windows of a network of norms may be before its input and residual stream clip; fewer
    where their steps would cost accuracy.
    balance_query_key: a column of Q and that of K get equal ranges.
    scales_per_head: one for each head of Q and K. query_key_range, norm_range: how the ranges of Q and K, and
    of LayerNorm outputs that linear ops read, are found. unseen_margin: whole int8 ranges of few elements get
    room for those to come.
    per_channel_weights: one for each output channel.
    snap_weight_scales: the weight scale makes the multiplier exact; else the multiplier is rounded.
    weight_rounding: errors of a channel cancel on the calibration rows, or every weight to its nearest.
    multiplier_bits: the most that a multiplier may have. exp_table: each entry passes on what its rounding
    lost, or each is rounded to its nearest; score_steps: its steps per factor e, at least.
    softmax_division: after the product with V, or normalised 8-bit weights before it.
    """

    range_search: RangeSearch = "mse"
    zero_points: bool = True
    migrate_outliers: Migration = "where_it_gains"
    residual_bits: Literal[16, 8] = 16
    residual_headroom: float = 1.25
    loudness: float = 8.0
    input_bits: Literal[16, 15, 14, 13, 8] = 16
    pooled_bits: Literal[16, 8] = 16
    balance_query_key: bool = True
    scales_per_head: bool = True
    query_key_range: RangeSearch = "min_max"
    norm_range: RangeSearch = "min_max"
    unseen_margin: bool = True
    per_channel_weights: bool = True
    snap_weight_scales: bool = True
    weight_rounding: Literal["compensated", "nearest"] = "compensated"
    multiplier_bits: int = 8
    exp_table: Literal["diffused", "nearest"] = "diffused"
    score_steps: int = 40
    softmax_division: Division = "deferred"

    @staticmethod
    def named(name: str) -> Recipe:
        """Return a recipe of NAMED. Raises: QuantisationError for another name."""
        if name not in NAMED:
            raise QuantisationError("recipe", f"found {name}, allowed {', '.join(NAMED)}")
        return NAMED[name]

    def with_settings(self, settings: Iterable[str]) -> Recipe:
        """Return the recipe after settings `step=value`; one without `=` names a whole recipe to go on from.

        Raises: QuantisationError naming the steps, or the values of a step, that are allowed.
        """
        recipe = self
        for setting in settings:
            step, equals, text = setting.partition("=")
            if not equals and step in NAMED:
                recipe = NAMED[step]
            elif step not in CHOICES:
                raise QuantisationError(
                    "recipe",
                    f"found {setting}, allowed {', '.join(NAMED)}, or step=value with the steps "
                    f"{', '.join(CHOICES)}",
                    "for example zero_points=off",
                )
            else:
                recipe = replace(recipe, **{step: _value(step, text)})
        return recipe

    def settings(self) -> dict[str, str]:
        """Return every step and its value, as settings write them."""
        return {step: _text(value) for step, value in asdict(self).items()}

    def changed(self) -> dict[str, str]:
        """Return the settings that differ from the default."""
        default = DEFAULT.settings()
        return {step: text for step, text in self.settings().items() if text != default[step]}

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            assert value in CHOICES[field.name], f"{field.name}={value} is not in CHOICES"


CHOICES: Mapping[str, tuple[Setting, ...]] = {
    "range_search": ("mse", "min_max", "p99.99", "p99.9"),
    "zero_points": (True, False),
    "migrate_outliers": ("where_it_gains", "always", "never"),
    "residual_bits": (16, 8),
    "residual_headroom": (1.0, 1.25, 8.0, 64.0),
    "loudness": (8.0, 4.0, 1.0),
    "input_bits": (16, 15, 14, 13, 8),
    "pooled_bits": (16, 8),
    "balance_query_key": (True, False),
    "scales_per_head": (True, False),
    "query_key_range": ("min_max", "mse", "p99.99"),
    "norm_range": ("min_max", "mse", "p99.99"),
    "unseen_margin": (True, False),
    "per_channel_weights": (True, False),
    "snap_weight_scales": (True, False),
    "weight_rounding": ("compensated", "nearest"),
    "multiplier_bits": (8, 7, 6, 5, 4),
    "exp_table": ("diffused", "nearest"),
    "score_steps": (40, 80, 16, 8),
    "softmax_division": ("deferred", "first"),
}
DEFAULT = Recipe()
# Static post-training quantisation as frameworks do it when nobody looks.
NAIVE = Recipe(
    range_search="min_max",
    zero_points=False,
    migrate_outliers="never",
    residual_bits=8,
    residual_headroom=1.0,
    loudness=1.0,
    input_bits=8,
    pooled_bits=8,
    balance_query_key=False,
    scales_per_head=False,
    unseen_margin=False,
    per_channel_weights=False,
    snap_weight_scales=False,
    weight_rounding="nearest",
    exp_table="nearest",
    softmax_division="first",
)
NAMED: Mapping[str, Recipe] = {"default": DEFAULT, "naive": NAIVE}


def _value(step: str, text: str) -> Any:
    values = {_text(choice): choice for choice in CHOICES[step]}
    if text not in values:
        raise QuantisationError("recipe", f"found {step}={text}, allowed {step}={' or '.join(values)}")
    return values[text]


def _text(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
