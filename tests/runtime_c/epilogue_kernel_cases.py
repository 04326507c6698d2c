"""Cases of the kernels that finish tiles of NE16's results: random operands, compared with what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers


def run(
    kernels: Kernels,
    rng: np.random.Generator,
    name: str,
    x: Rows,
    y: Rows,
    shape: tuple[int, ...],
    **more: Any,
) -> None:
    """Call a kernel for a tile of rows and channels, `shape`, that cores share in some way."""
    kernels(
        name,
        cores_in_some_order(rng),
        x=x.memory,
        y=y.memory,
        x_pitch=x.pitch,
        y_pitch=y.pitch,
        rows=shape[0],
        channels=shape[1],
        **more,
    )


def any_split(kernels: Kernels, rng: np.random.Generator) -> int:
    """Draw how many cores share rows."""
    return int(rng.integers(kernels.cores.bit_length()))


def sums(rng: np.random.Generator, shape: tuple[int, int]) -> Integers:
    """Draw int32 of any size, most of them near the ends of int16."""
    x = integers(rng, shape, np.int32)
    return x if rng.integers(3) == 0 else (x >> rng.integers(12, 20, shape)).astype(np.int32)


def check_table(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, in_place: int) -> None:
    """A table over codes, into other rows or the same ones."""
    x, table = integers(rng, (rows, channels), np.int8), integers(rng, (256,), np.int8)
    x_rows, pad = Rows(x, int(rng.integers(3))), int(rng.integers(3))
    y = x_rows if in_place % 2 else blank(rows, channels, np.int8, pad)
    split = any_split(kernels, rng)
    run(kernels, rng, "tmc_epilogue_table_s8s8", x_rows, y, x.shape, table=table, split=split)
    np.testing.assert_array_equal(y.read(), table[x.astype(np.int16) + 128])


def check_sums(name: str, *, residual: bool) -> Case:
    """Return the case of int32 to int16, with the residual before or alone."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        x, before = sums(rng, (rows, channels)), integers(rng, (rows, channels), np.int16)
        x_rows, pad = Rows(x, int(rng.integers(3))), int(rng.integers(3))
        y = Rows(before, pad) if residual else blank(rows, channels, np.int16, pad)
        run(kernels, rng, name, x_rows, y, x.shape, split=any_split(kernels, rng))
        wide = x.astype(np.int64) + (before if residual else 0)
        np.testing.assert_array_equal(y.read(), wide.clip(-32768, 32767))

    return case


def check_turned(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
    """Rows of the tile are columns of the result."""
    x = integers(rng, (rows, channels), np.int8)
    x_rows, y = Rows(x, int(rng.integers(3))), blank(channels, rows, np.int8, int(rng.integers(3)))
    run(kernels, rng, "tmc_epilogue_transposed_s8s8", x_rows, y, x.shape)
    np.testing.assert_array_equal(y.read(), x.T)


EPILOGUE_CASES: dict[str, Case] = {
    "tmc_epilogue_table_s8s8": check_table,
    "tmc_epilogue_add_s32s16": check_sums("tmc_epilogue_add_s32s16", residual=True),
    "tmc_epilogue_s32s16": check_sums("tmc_epilogue_s32s16", residual=False),
    "tmc_epilogue_transposed_s8s8": check_turned,
}
