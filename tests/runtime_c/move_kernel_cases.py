"""Kernels that move elements against numpy: rows of any width, as far apart as steps of a size allow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.runtime_c.kernel_interface import UNTOUCHED, Case, Kernels
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers


class Bytes:
    """Rows of bytes, a multiple of a step apart and not always more than they need."""

    def __init__(self, rng: np.random.Generator, rows: Integers, step: int) -> None:
        count, self.row_bytes = rows.shape
        self.pitch = (-(-self.row_bytes // step) + int(rng.integers(4))) * step
        spaced = np.full((count, self.pitch), UNTOUCHED, np.uint8)
        spaced[:, : self.row_bytes] = rows.view(np.uint8)
        # It ends with the last byte of the last row.
        self.memory = spaced.reshape(-1)[: (count - 1) * self.pitch + self.row_bytes].copy()

    def read(self) -> Integers:
        """Return the rows as they are now; check that nothing between them was written."""
        padded = np.append(self.memory, np.full(self.pitch - self.row_bytes, UNTOUCHED, np.uint8))
        rows = padded.reshape(-1, self.pitch)
        assert (rows[:, self.row_bytes :] == UNTOUCHED).all(), "written between rows"
        return np.ascontiguousarray(rows[:, : self.row_bytes]).view(np.int8)


def _blank(rng: np.random.Generator, rows: int, row_bytes: int, step: int) -> Bytes:
    return Bytes(rng, np.full((rows, row_bytes), UNTOUCHED, np.int8), step)


def check_copy_rows(kernels: Kernels, rng: np.random.Generator, rows: int, row_bytes: int, salt: int) -> None:
    """tmc_copy_rows_s8s8."""
    step = 1 << (salt % 3)
    x = integers(rng, (rows, row_bytes), np.int8)
    given, y = Bytes(rng, x, step), _blank(rng, rows, row_bytes, step)
    kernels(
        "tmc_copy_rows_s8s8",
        cores_in_some_order(rng),
        x=given.memory,
        y=y.memory,
        x_pitch=given.pitch,
        y_pitch=y.pitch,
        rows=rows,
        row_bytes=row_bytes,
        step_bytes=step,
    )
    np.testing.assert_array_equal(y.read(), x)


def check_gather_columns(dtype: Any) -> Case:
    """Return the case of one kernel that picks columns."""
    name, size = f"s{8 * np.dtype(dtype).itemsize}", np.dtype(dtype).itemsize

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, x_channels: int, channels: int) -> None:
        x, table = integers(rng, (rows, x_channels), dtype), rng.integers(x_channels, size=channels)
        given, y = Bytes(rng, x.view(np.int8), size), _blank(rng, rows, channels * size, size)
        kernels(
            f"tmc_gather_columns_{name}{name}",
            cores_in_some_order(rng),
            x=given.memory,
            table=table.astype(np.uint16),
            y=y.memory,
            x_pitch=given.pitch,
            y_pitch=y.pitch,
            rows=rows,
            x_channels=x_channels,
            channels=channels,
        )
        np.testing.assert_array_equal(y.read().view(dtype), x[:, table])

    return case


def check_transpose(dtype: Any) -> Case:
    """Return the case of one kernel that makes rows of columns."""
    name, size = f"s{8 * np.dtype(dtype).itemsize}", np.dtype(dtype).itemsize

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, _: int) -> None:
        x = integers(rng, (rows, channels), dtype)
        given, y = Bytes(rng, x.view(np.int8), size), _blank(rng, channels, rows * size, size)
        kernels(
            f"tmc_transpose_{name}{name}",
            cores_in_some_order(rng),
            x=given.memory,
            y=y.memory,
            x_pitch=given.pitch,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
        )
        np.testing.assert_array_equal(y.read().view(dtype), x.T)

    return case


def check_gather_rows(
    kernels: Kernels, rng: np.random.Generator, rows: int, row_bytes: int, x_rows: int
) -> None:
    """tmc_gather_rows_s8s8, its operand the rows from any number on."""
    step, first = 1 << int(rng.integers(3)), int(rng.integers(2**16 - x_rows))
    x, picked = integers(rng, (x_rows, row_bytes), np.int8), rng.integers(x_rows, size=rows)
    given, y = Bytes(rng, x, step), _blank(rng, rows, row_bytes, step)
    kernels(
        "tmc_gather_rows_s8s8",
        cores_in_some_order(rng),
        x=given.memory,
        table=(first + picked).astype(np.uint16),
        y=y.memory,
        x_pitch=given.pitch,
        y_pitch=y.pitch,
        x_rows=x_rows,
        rows=rows,
        row_bytes=row_bytes,
        first=first,
        step_bytes=step,
    )
    np.testing.assert_array_equal(y.read(), x[picked])
