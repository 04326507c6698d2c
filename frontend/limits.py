"""How large a value may be, checked before memory is taken for it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from tmc.ir.errors import UnsupportedModel

# 256 MiB in float32. The targets hold a few MB; the largest values are scores of attention, never kept whole.
MOST_ELEMENTS = 2**26


def check_elements(where: str, sizes: Iterable[int]) -> None:
    """Refuse a value too large for any target.

    Raises: UnsupportedModel at `where`.
    """
    sizes = list(sizes)
    if prod(sizes) > MOST_ELEMENTS:
        raise UnsupportedModel(
            where,
            f"found {prod(sizes):,} elements {sizes}, allowed {MOST_ELEMENTS:,}",
            "the memories of the targets hold a few million bytes: make the network smaller",
        )
