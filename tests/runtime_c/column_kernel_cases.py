"""Kernels of whole columns against the interpreter."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank, packed_weights
from tests.runtime_c.random_operands import cores_in_some_order, integers
from tmc.ir.attrs import Attrs, MaxRowsAttrs, PermuteRowsAttrs
from tmc.ir.graph import OpKind
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs, qdepthwise_rows
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs, qinterpolate_rows
from tmc.ir.integer.qmatmul import qmatmul
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs, qmean_rows
from tmc.ir.integer.qsoftmax import qsoftmax
from tmc.ir.ops import OPS
from tmc.ir.types import Quant
from tmc.passes.integer_ops.matmul import quantise_matmul
from tmc.passes.integer_ops.softmax import quantise_softmax


def check_mean_rows(
    kernels: Kernels, rng: np.random.Generator, groups: int, group_rows: int, channels: int
) -> None:
    """tmc_mean_rows_s8s16."""
    rows = groups * group_rows
    x = integers(rng, (rows, channels), np.int8)
    attrs = QMeanRowsAttrs(
        group_rows=group_rows,
        multiplier=int(rng.integers(1, 2**15)),
        bias=int(rng.integers(-(2**29), 2**29)),
        shift=int(rng.integers(31)),
    )
    expected = qmean_rows(x, attrs)
    x_rows, y = Rows(x, int(rng.integers(3))), blank(groups, channels, np.int16, int(rng.integers(3)))
    kernels(
        "tmc_mean_rows_s8s16",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        rows=rows,
        channels=channels,
        group_rows=group_rows,
        multiplier=attrs.multiplier,
        bias=attrs.bias,
        shift=attrs.shift,
    )
    np.testing.assert_array_equal(y.read(), expected)


def check_max_rows(name: str, dtype: Any) -> Case:
    """Return the case of a kernel of the largest of runs of rows."""

    def case(kernels: Kernels, rng: np.random.Generator, groups: int, group_rows: int, channels: int) -> None:
        rows = groups * group_rows
        x = integers(rng, (rows, channels), dtype)
        expected = OPS[OpKind.MAX_ROWS].evaluate([x], MaxRowsAttrs(group_rows))
        x_rows, y = Rows(x, int(rng.integers(3))), blank(groups, channels, dtype, int(rng.integers(3)))
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            group_rows=group_rows,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_argmax_columns(name: str, dtype: Any) -> Case:
    """Return the case of a kernel of the column of the largest of each row; of few values many are equal."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, few: int) -> None:
        x = integers(rng, (rows, channels), dtype)
        if few % 2:
            x = np.asarray(x % few - few, dtype)
        expected = OPS[OpKind.ARGMAX_COLUMNS].evaluate([x], Attrs())
        x_rows, y = Rows(x, int(rng.integers(3))), blank(rows, 1, np.int32, int(rng.integers(3)))
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            x_channels=channels,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_matmul(dtype: Literal["s8", "s16"]) -> Case:
    """Return the case of a product of two computed matrices, of one group."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, depth: int, columns: int) -> None:
        x, z = integers(rng, (rows, depth), np.int8), integers(rng, (columns, depth), np.int8)
        quants = (Quant((float(scale),), int(rng.integers(-128, 128))) for scale in rng.uniform(0.1, 2.0, 2))
        scale = 200.0 * depth if dtype == "s8" else 0.7 * depth
        y = Quant((scale,), int(rng.integers(-128, 128)) if dtype == "s8" else 0)
        attrs = quantise_matmul("/MatMul", *quants, y, depth, 1, dtype)
        stored = np.int8 if dtype == "s8" else np.int16
        x_rows, z_rows = Rows(x, int(rng.integers(3))), Rows(z, int(rng.integers(3)))
        result = blank(rows, columns, stored, int(rng.integers(3)))
        kernels(
            f"tmc_matmul_s8s8{dtype}",
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            z=z_rows.memory,
            z_pitch=z_rows.pitch,
            y=result.memory,
            y_pitch=result.pitch,
            rows=rows,
            z_rows=columns,
            depth=depth,
            x_zero_point=attrs.x_zero_point,
            z_zero_point=attrs.z_zero_point,
            narrowing=attrs.narrowing,
            multiplier=attrs.multiplier,
            bias=attrs.bias,
            shift=attrs.shift,
        )
        np.testing.assert_array_equal(result.read(), qmatmul(x, z, attrs))

    return case


def check_softmax_rows(
    kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int
) -> None:
    """tmc_softmax_s16s16, of scores near each other or far apart."""
    x = np.asarray(integers(rng, (rows, channels), np.int16) >> min(spread, 12), np.int16)
    attrs = quantise_softmax("/Softmax", Quant((float(10.0 ** rng.uniform(-6, 2)),)), channels)
    expected = qsoftmax(x, attrs)
    x_rows, y = Rows(x, int(rng.integers(3))), blank(rows, channels, np.int16, int(rng.integers(3)))
    kernels(
        "tmc_softmax_s16s16",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        rows=rows,
        channels=channels,
        limit=attrs.limit,
        multiplier=attrs.multiplier,
        shift=attrs.shift,
    )
    np.testing.assert_array_equal(y.read(), expected)


def check_depthwise(name: str, *, table: bool = False) -> Case:
    """Return the case of one kernel of a depthwise convolution: 1, 3, .. taps."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, half: int, channels: int) -> None:
        taps = 2 * (half // 2) + 1
        x = integers(rng, (rows, channels), np.int8)
        weight = integers(rng, (channels, taps), np.int8, low=-127)
        widest = max(1, min(255, (2**31 - 1) // (128 * 127 * taps)))
        multiplier = rng.integers(1, widest + 1, channels).astype(np.int32)
        room = 2**31 - 1 - 128 * 127 * taps * widest
        bias = (rng.integers(-room, room + 1, channels) >> int(rng.integers(16))).astype(np.int32)
        attrs = QDepthwiseRowsAttrs(int(rng.integers(25)), int(rng.integers(-128, 128)), table)
        lookup = rng.integers(-128, 128, 256).astype(np.int8) if table else None
        expected = qdepthwise_rows(x, weight, multiplier, bias, attrs, lookup)
        x_rows, y = Rows(x, int(rng.integers(3))), blank(rows, channels, np.int8, int(rng.integers(3)))
        weights = packed_weights(weight, multiplier, bias, int(rng.integers(3)))
        named: dict[str, Any] = {} if lookup is None else {"table": lookup}
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            weight=weights.memory,
            weight_pitch=weights.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            taps=taps,
            zero_point=attrs.zero_point,
            shift=attrs.shift,
            **named,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_interpolate(name: str, layout: Literal["rows", "transposed"]) -> Case:
    """Return the case of one kernel of an interpolation; one row of x more than the size says."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, x_rows: int, channels: int) -> None:
        x = integers(rng, (x_rows + 1, channels), np.int16)
        weight = np.where(
            rng.integers(3, size=rows) == 0,
            2**14 * rng.integers(2, size=rows),
            rng.integers(2**14, size=rows),
        )
        table = np.stack([rng.integers(x_rows, size=rows), weight], axis=1).astype(np.int16)
        expected = qinterpolate_rows(x, table, QInterpolateRowsAttrs(rows, layout))
        in_memory, y = Rows(x, int(rng.integers(3))), blank(*expected.shape, np.int16, int(rng.integers(3)))
        pitch = y.pitch
        if layout == "rows" and rng.integers(2):  # one row right behind the other
            y = blank(1, expected.size, np.int16, 0)
            pitch, expected = 2 * channels, expected.reshape(1, -1)
        kernels(
            name,
            cores_in_some_order(rng),
            x=in_memory.memory,
            x_pitch=in_memory.pitch,
            table=table,
            y=y.memory,
            y_pitch=pitch,
            x_rows=x_rows + 1,
            rows=rows,
            channels=channels,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_permute(kernels: Kernels, rng: np.random.Generator, run: int, groups: int, row_bytes: int) -> None:
    """tmc_permute_rows_s8s8."""
    x = integers(rng, (run * groups, row_bytes), np.int8)
    expected = OPS[OpKind.PERMUTE_ROWS].evaluate([x], PermuteRowsAttrs(groups))
    x_rows, y = Rows(x, int(rng.integers(3))), blank(*x.shape, np.int8, int(rng.integers(3)))
    kernels(
        "tmc_permute_rows_s8s8",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        rows=len(x),
        row_bytes=row_bytes,
        groups=groups,
    )
    np.testing.assert_array_equal(y.read(), expected)
