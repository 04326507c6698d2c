"""Noise by kind of value: each kind alone, on a network of one layer."""

import numpy as np
import pytest

from bench.accuracy.measure import Figures
from bench.accuracy.signals import split
from bench.accuracy.sources import (
    ALL,
    ALL_NARROW,
    ALL_WIDE,
    NARROW,
    NORMS,
    WEIGHTS,
    WIDE,
    _on_grid,
    sources,
)
from bench.accuracy.subject import subject
from bench.accuracy.workers import workers
from examples.tinymyo.model import Config, build
from tmc.ir.types import Quant
from tmc.passes.scales.value_roles import Role


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figures]:
    parts = split(np.random.default_rng(7).standard_normal((64, 20_000)), "noise")
    with workers(1) as pool:
        tested = subject(
            pool, "net", build(Config(2, 1000, 1, 6), seed=1), parts, tmp_path_factory.mktemp("sources"), 4, 4
        )
        rows = {row.name: row.figures[0] for row in sources(pool, (tested,))}
        return {name: one for name, one in rows.items() if one is not None}


def test_every_kind_has_a_row_with_noise_of_its_own(found: dict[str, Figures]) -> None:
    asked = WIDE[Role.WIDE_QUERY_KEY]  # which nothing is without --bits
    kinds = [*(name for name in dict.fromkeys(WIDE.values()) if name != asked), NORMS, *NARROW.values()]
    assert list(found) == [*kinds, WEIGHTS, ALL_WIDE, ALL_NARROW, ALL]
    assert len({row.logit_db for row in found.values()}) == len(found)
    # only the logits see the mean
    unseen = [name for name, row in found.items() if row.token_db is not None and row.token_db > 100.0]
    assert unseen == [WIDE[Role.POOLED]]


def test_many_roundings_are_noisier_than_their_parts(found: dict[str, Figures]) -> None:
    token_db = {name: row.token_db or 0.0 for name, row in found.items()}
    assert all(token_db[name] >= token_db[ALL_WIDE] - 0.5 for name in WIDE.values() if name in found)
    assert all(token_db[name] >= token_db[ALL_NARROW] - 0.5 for name in (NORMS, *NARROW.values()))
    assert token_db[ALL_WIDE] > token_db[ALL_NARROW] + 6.0
    # powers of noise add up to what the integer network has
    powers = sum(10 ** (-token_db[name] / 10) for name in (WEIGHTS, ALL_WIDE, ALL_NARROW))
    assert -10 * np.log10(powers) == pytest.approx(token_db[ALL], abs=1.5)


def test_every_role_with_a_scale_has_one_kind() -> None:
    assert not set(WIDE) & set(NARROW)
    # The scale of logits follows from the weights, that of a share is fixed, and an index has none.
    assert {*WIDE, *NARROW} == set(Role) - {Role.LOGITS, Role.INDEX, Role.SHARE}


def test_grids() -> None:
    value = np.array([[0.26, -9.0, 0.6, 900.0]], dtype=np.float32)
    integer = np.dtype(np.int8)
    grids = {"one": (Quant((0.5,), 2), integer), "heads": (Quant((0.5, 2.0), per="head"), integer)}
    assert _on_grid(grids, "one", value).tolist() == [[0.5, -9.0, 0.5, 62.5]]
    assert _on_grid(grids, "heads", value).tolist() == [[0.5, -9.0, 0.0, 254.0]]
    assert _on_grid(grids, "other", value) is value
