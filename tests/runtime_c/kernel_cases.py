"""One case per kernel: random operands of a given size, compared with the integer semantics of the IR.

Run as a program, it takes the path of a kernel library and its isa and checks every kernel at every size: the
form in which the sanitizers run it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests.runtime_c.attention_kernel_cases import (
    check_attention,
    check_scores,
    check_softmax,
    check_softmax_bias,
    check_values,
)
from tests.runtime_c.column_kernel_cases import (
    check_argmax_columns,
    check_depthwise,
    check_interpolate,
    check_matmul,
    check_max_rows,
    check_mean_rows,
    check_permute,
    check_softmax_rows,
)
from tests.runtime_c.element_kernel_cases import ELEMENT_CASES, check_clip
from tests.runtime_c.epilogue_kernel_cases import EPILOGUE_CASES
from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank, packed_weights
from tests.runtime_c.move_kernel_cases import (
    check_copy_rows,
    check_gather_columns,
    check_gather_rows,
    check_transpose,
)
from tests.runtime_c.ne16_attention_cases import NE16_ATTENTION_CASES
from tests.runtime_c.ne16_kernel_cases import ACCELERATED, NE16_CASES
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers
from tests.runtime_c.rope_kernel_cases import ROPE_CASES
from tmc.ir.integer.qlayernorm import RSQRT_TABLE, QLayerNormAttrs, qlayernorm
from tmc.ir.integer.qlinear import QLinearAttrs, qlinear
from tmc.ir.integer.qrequantise import QRequantiseAttrs, qrequantise

SIZES = (1, 3, 4, 5, 31, 32, 33)


def linear_operands(
    rng: np.random.Generator, x_dtype: Any, rows: int, depth: int, channels: int, bias_rows: int = 1
) -> tuple[Integers, Integers, Integers, Integers, int]:
    """Draw x, weight, multiplier, bias and shift such that everything fits int32, often only just."""
    x = integers(rng, (rows, depth), x_dtype)
    weight = integers(rng, (channels, depth), np.int8, low=-127)
    # float64 as in the interpreter's own product: exact here, and far quicker than integers.
    highest = int(np.abs(x.astype(np.float64) @ weight.T.astype(np.float64)).max(initial=1))
    widest = max(1, min(255, (2**31 - 1) // max(1, highest)))
    multiplier = rng.integers(1, widest + 1, channels).astype(np.int32)
    room = 2**31 - 1 - highest * widest
    bias = rng.integers(-room - 1, room + 1, (bias_rows, channels)).astype(np.int32)
    if rng.integers(2):
        bias = (bias >> 12).astype(np.int32)
    reach = int(np.abs(highest * widest)).bit_length()
    shift = int(rng.integers(max(0, reach - 9), 32)) if rng.integers(4) else int(rng.integers(32))
    return x, weight, multiplier, bias, shift


def check_linear(
    name: str,
    x_dtype: Any,
    dtype: str,
    *,
    table: bool = False,
    residual: bool = False,
    transposed: bool = False,
    grouped: bool = False,
) -> Case:
    """Return the case of one linear kernel."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, depth: int, channels: int) -> None:
        groups = int(rng.choice([g for g in (1, 2, 3, rows) if rows % g == 0])) if grouped else 1
        x, weight, multiplier, bias, shift = linear_operands(rng, x_dtype, rows, depth, channels, groups)
        y_dtype = {"s8": np.int8, "s16": np.int16, "s32": np.int32}[dtype]
        lookup = rng.integers(-128, 128, 256).astype(np.int8) if table else None
        before = integers(rng, (rows, channels), np.int16) if residual else None
        layout = "transposed" if transposed else "rows"
        attrs = QLinearAttrs(shift=shift, dtype=dtype, layout=layout)  # type: ignore[arg-type]
        expected = qlinear(x, weight, multiplier, bias, attrs, table=lookup, residual=before)

        # A block of rows in the middle, as a tile is.
        row0 = int(rng.integers(rows)) if grouped else 0
        x, expected = (x[row0:], expected[row0:]) if grouped else (x, expected)
        x_rows = Rows(x, int(rng.integers(3)))
        wide, own_bias = (weight.astype(np.int16), None) if grouped else (weight, bias[0])
        weights = packed_weights(wide, multiplier, own_bias, int(rng.integers(3)))
        pad = int(rng.integers(3))
        named: dict[str, Any] = {}
        if dtype == "s8" and not transposed:
            named["head_channels"] = head = int(
                rng.choice([n for n in (4, 8, channels) if channels % n == 0])
            )
            expected = expected.reshape(rows, -1, head).transpose(1, 0, 2).reshape(-1, head)
        y = blank(expected.shape[0], expected.shape[1], y_dtype, pad) if before is None else Rows(before, pad)
        if lookup is not None:
            named["table"] = lookup
        if grouped:
            table_of_bias = np.concatenate([bias, bias], axis=1)
            named |= {
                "bias": table_of_bias,
                "bias_channels": 2 * channels,
                "group_rows": rows // groups,
                "row0": row0,
            }
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            weight=weights.memory,
            weight_pitch=weights.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=len(x),
            depth=depth,
            channels=channels,
            shift=shift,
            split=int(rng.integers(kernels.cores.bit_length())),
            **named,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_layernorm(dtype: Any) -> Case:
    """Return the case of a norm, centred or not, at amplitudes from constant rows to full scale."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        center_bits = (31 - channels.bit_length()) // 2
        norm_bits = 15 - ((channels - 1).bit_length() + 1) // 2
        gamma_shift = int(rng.integers(16)) if dtype == "s16" else int(rng.integers(8, 21))
        # Constant rows are normalised by epsilon alone, which must leave no negative shift.
        epsilon = max(4.0 ** (norm_bits - 11) * (norm_bits > 11), rng.choice([0.0, 0.7, 40.0]) * channels**3)
        room = 2**31 - 1 - channels * 4**center_bits
        attrs = QLayerNormAttrs(
            epsilon_by_shift=tuple(min(round(epsilon / 4**h), room) for h in range(32 - center_bits)),
            center_bits=center_bits,
            norm_bits=norm_bits,
            root=round(2**15 * (channels / 256) ** 0.5),
            gamma_shift=gamma_shift,
            dtype=dtype,
            centred=bool(rng.integers(2)),
            epsilon_shift=int(rng.integers(36)) * int(rng.integers(3) == 0),
        )
        x = integers(rng, (rows, channels), np.int16)
        if rng.integers(3):
            x = (x // np.int32(2 ** rng.integers(16)) + spread).clip(-32768, 32767).astype(np.int16)
        x[0] = x[0, 0]
        gamma = rng.integers(-(2**14), 2**14, channels).astype(np.int16)
        beta = rng.integers(-(2**29), 2**29, channels).astype(np.int32) >> int(rng.integers(12))
        expected = qlayernorm(x, gamma, beta, attrs)
        x_rows, y = Rows(x, int(rng.integers(3))), blank(rows, channels, expected.dtype, int(rng.integers(3)))
        kernels(
            f"tmc_layernorm_s16{dtype}",
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            gamma=gamma,
            beta=beta,
            epsilon=np.array(attrs.epsilon_by_shift, dtype=np.int32),
            rsqrt=RSQRT_TABLE.astype(np.uint16),
            rows=rows,
            channels=channels,
            center_bits=center_bits,
            norm_bits=norm_bits,
            root=attrs.root,
            gamma_shift=gamma_shift,
            centred=int(attrs.centred),
            epsilon_shift=attrs.epsilon_shift,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def random_factors(rng: np.random.Generator, x: Integers) -> Integers:
    """Draw multiplier, shift and addend of each column of x such that results fit int32, ties among them."""
    channels, highest = x.shape[1], int(np.abs(x.astype(np.int64)).max(initial=1))
    factors = np.empty((channels, 4), dtype=np.int64)
    for channel in range(channels):
        shift = int(rng.integers(1, 63))
        limit = min(2**31 - 1, (2 ** min(shift + 29, 60)) // max(1, highest))
        multiplier = 2 ** int(rng.integers(31)) if rng.integers(3) == 0 else int(rng.integers(2**31))
        room = 2 ** min(shift + int(rng.integers(1, 29)), 60)
        addend = int(rng.integers(-room, room)) // 2 ** (shift - 1) * 2 ** (shift - 1) + 2 ** (shift - 1)
        multiplier = min(multiplier, limit) * int(rng.choice([-1, 1]))
        factors[channel] = (multiplier, shift, addend >> 32, (addend & 0xFFFFFFFF))
    return factors.astype(np.uint32).astype(np.int32)


def check_requantise(name: str, dtype: Any) -> Case:
    """Requantisation of int32 or int8, ties to even or up."""

    def check(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        x = integers(rng, (rows, channels), dtype)
        x = (x >> min(spread, np.iinfo(dtype).bits - 2)).astype(dtype)
        attrs = QRequantiseAttrs(int(rng.integers(-128, 128)), "even" if rng.integers(2) else "up")
        factors, table = random_factors(rng, x), integers(rng, (256,), np.int8)
        x_rows, y = Rows(x, int(rng.integers(3))), blank(rows, channels, np.int8, int(rng.integers(3)))
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            factors=factors,
            table=table,
            zero_point=attrs.zero_point,
            ties_to_even=int(attrs.ties == "even"),
        )
        np.testing.assert_array_equal(y.read(), qrequantise(x, factors, table, attrs))

    return check


# Kernel without its isa -> case of three sizes.
CASES: dict[str, Case] = {
    "tmc_linear_s8s8s8": check_linear("tmc_linear_s8s8s8", np.int8, "s8"),
    "tmc_linear_table_s8s8s8": check_linear("tmc_linear_table_s8s8s8", np.int8, "s8", table=True),
    "tmc_linear_s8s8s16": check_linear("tmc_linear_s8s8s16", np.int8, "s16"),
    "tmc_linear_add_s8s8s16": check_linear("tmc_linear_add_s8s8s16", np.int8, "s16", residual=True),
    "tmc_linear_transposed_s8s8s8": check_linear(
        "tmc_linear_transposed_s8s8s8", np.int8, "s8", transposed=True
    ),
    "tmc_linear_table_transposed_s8s8s8": check_linear(
        "tmc_linear_table_transposed_s8s8s8", np.int8, "s8", table=True, transposed=True
    ),
    "tmc_linear_grouped_s16s8s16": check_linear("tmc_linear_grouped_s16s8s16", np.int16, "s16", grouped=True),
    "tmc_linear_s8s8s32": check_linear("tmc_linear_s8s8s32", np.int8, "s32"),
    "tmc_linear_s16s8s32": check_linear("tmc_linear_s16s8s32", np.int16, "s32"),
    "tmc_requantise_s32s8": check_requantise("tmc_requantise_s32s8", np.int32),
    "tmc_requantise_s8s8": check_requantise("tmc_requantise_s8s8", np.int8),
    **ELEMENT_CASES,
    **NE16_CASES,
    **EPILOGUE_CASES,
    **NE16_ATTENTION_CASES,
    "tmc_clip_s8s8": check_clip("tmc_clip_s8s8", np.int8),
    "tmc_clip_s16s16": check_clip("tmc_clip_s16s16", np.int16),
    "tmc_clip_s32s32": check_clip("tmc_clip_s32s32", np.int32),
    "tmc_clip_add_s16s16": check_clip("tmc_clip_add_s16s16", np.int16, residual=True),
    "tmc_layernorm_s16s8": check_layernorm("s8"),
    "tmc_layernorm_s16u8": check_layernorm("u8"),
    "tmc_layernorm_s16s16": check_layernorm("s16"),
    **ROPE_CASES,
    "tmc_attention_scores_s8s8s16": check_scores(wide=False),
    "tmc_attention_scores_s16s16s16": check_scores(wide=True),
    "tmc_attention_softmax_s16u8": check_softmax,
    "tmc_attention_softmax_bias_s16s16u8": check_softmax_bias,
    "tmc_attention_values_u8s8s8": check_values(wide=False),
    "tmc_attention_values_u8s8s16": check_values(wide=True),
    "tmc_mean_rows_s8s16": check_mean_rows,
    "tmc_max_rows_s8s8": check_max_rows("tmc_max_rows_s8s8", np.int8),
    "tmc_max_rows_s16s16": check_max_rows("tmc_max_rows_s16s16", np.int16),
    "tmc_max_rows_s32s32": check_max_rows("tmc_max_rows_s32s32", np.int32),
    "tmc_argmax_columns_s8s32": check_argmax_columns("tmc_argmax_columns_s8s32", np.int8),
    "tmc_argmax_columns_s16s32": check_argmax_columns("tmc_argmax_columns_s16s32", np.int16),
    "tmc_softmax_s16s16": check_softmax_rows,
    "tmc_matmul_s8s8s8": check_matmul("s8"),
    "tmc_matmul_s8s8s16": check_matmul("s16"),
    "tmc_depthwise_rows_s8s8": check_depthwise("tmc_depthwise_rows_s8s8"),
    "tmc_depthwise_rows_table_s8s8": check_depthwise("tmc_depthwise_rows_table_s8s8", table=True),
    "tmc_interpolate_rows_s16s16": check_interpolate("tmc_interpolate_rows_s16s16", "rows"),
    "tmc_interpolate_rows_transposed_s16s16": check_interpolate(
        "tmc_interpolate_rows_transposed_s16s16", "transposed"
    ),
    "tmc_permute_rows_s8s8": check_permute,
    "tmc_copy_rows_s8s8": check_copy_rows,
    "tmc_gather_rows_s8s8": check_gather_rows,
    "tmc_gather_columns_s8s8": check_gather_columns(np.int8),
    "tmc_gather_columns_s16s16": check_gather_columns(np.int16),
    "tmc_gather_columns_s32s32": check_gather_columns(np.int32),
    "tmc_transpose_s8s8": check_transpose(np.int8),
    "tmc_transpose_s16s16": check_transpose(np.int16),
    "tmc_transpose_s32s32": check_transpose(np.int32),
}
# Those of the cores; the accelerator runs the others, which are for the cores in portable C alone.
ON_CORES = {name: case for name, case in CASES.items() if name not in ACCELERATED}
# Kernels that make up one op together.
CHAINS: dict[str, Case] = {
    "attention": check_attention(wide=False),
    "wide attention": check_attention(wide=True),
}

# (kernel, sizes): tiles as the reference networks have them.
REAL_SIZES = (
    ("tmc_linear_s8s8s8", (80, 192, 192)),
    ("tmc_linear_table_s8s8s8", (40, 192, 96)),
    ("tmc_linear_add_s8s8s16", (40, 768, 48)),
    ("tmc_linear_transposed_s8s8s8", (80, 192, 64)),
    ("tmc_linear_grouped_s16s8s16", (400, 20, 192)),
    ("tmc_linear_s8s8s32", (1, 192, 6)),
    ("tmc_linear_s16s8s32", (1, 192, 6)),
    ("tmc_requantise_s32s8", (8, 768, 12)),
    ("tmc_clip_s16s16", (80, 0, 192)),
    ("tmc_clip_add_s16s16", (80, 0, 192)),
    ("tmc_epilogue_table_s8s8", (72, 96, 0)),
    ("tmc_epilogue_add_s32s16", (72, 192, 0)),
    ("tmc_epilogue_transposed_s8s8", (72, 64, 0)),
    ("tmc_layernorm_s16s8", (80, 192, 0)),
    ("tmc_layernorm_s16s8", (9, 768, 100)),
    ("tmc_layernorm_s16u8", (80, 192, 0)),
    ("tmc_layernorm_s16s16", (32, 384, 0)),
    ("tmc_rope_s16s8", (80, 32, 50)),
    ("tmc_rope_s16u8", (80, 32, 50)),
    ("tmc_rope_s16s16", (80, 32, 50)),
    ("tmc_attention_softmax_s16u8", (40, 800, 0)),
    ("tmc_attention_softmax_bias_s16s16u8", (40, 400, 1)),
    ("tmc_mean_rows_s8s16", (1, 400, 192)),
    ("tmc_depthwise_rows_table_s8s8", (50, 3, 256)),
    ("tmc_interpolate_rows_transposed_s16s16", (1000, 49, 5)),
    ("tmc_permute_rows_s8s8", (50, 8, 192)),
    ("tmc_copy_rows_s8s8", (50, 384, 2)),
    ("tmc_gather_rows_s8s8", (200, 192, 400)),
    ("attention", (40, 64, 400)),
    ("attention", (40, 64, 800)),
    ("wide attention", (40, 64, 400)),
)


def main(library: str, isa: str = "scalar") -> None:
    """Check every kernel of an isa at every size."""
    kernels = Kernels(Path(library), isa)
    cases = CASES if isa == "scalar" else ON_CORES
    everything = [*product(cases | CHAINS, product(SIZES, repeat=3)), *REAL_SIZES]
    for number, (name, sizes) in enumerate(everything):
        (cases | CHAINS)[name](kernels, np.random.default_rng(number), *sizes)
    print(f"{len(cases)} kernels, {len(everything)} cases")


if __name__ == "__main__":
    main(*sys.argv[1:])
