"""The kernel table: which kernel computes an op, and which bytes it reads and writes for given arguments.

`check_program` takes the extents from here, not from the schedule, so the two cannot agree on a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from tmc.backend_gap9.kernels.record import Arguments, Extent, Kernel, OperandRule

Isa = Literal["scalar", "xpulp"]
ISAS: tuple[Isa, ...] = ("scalar", "xpulp")


def word_up(size_bytes: int) -> int:
    """Round up to a multiple of 4 bytes."""
    return (size_bytes + 3) // 4 * 4


def odd_pitch(row_bytes: int) -> int:
    """Return the smallest pitch of an odd number of words: successive rows start in different L1 banks."""
    words = word_up(row_bytes) // 4
    return 4 * (words + 1 - words % 2)


def weight_row_bytes(depth: int) -> int:
    """Return the used part of a packed weight row: weights padded to words, multiplier, bias."""
    return word_up(depth) + 8


def weight_pitch(depth: int) -> int:
    """Return the pitch of packed weight rows."""
    return odd_pitch(weight_row_bytes(depth))


def epsilon_entries(channels: int, center_bits: int) -> int:
    """Return how many dynamic shifts a LayerNorm can need: |channels x - sum| <= 65535 channels."""
    return max(0, (65535 * channels).bit_length() - center_bits) + 1


def _x(element_bytes: int) -> OperandRule:
    return OperandRule("x", "read", lambda a: Extent(a["rows"], a["depth"] * element_bytes, a["x_pitch"]))


def _y(element_bytes: int, access: Literal["write", "update"] = "write") -> OperandRule:
    return OperandRule("y", access, lambda a: Extent(a["rows"], a["channels"] * element_bytes, a["y_pitch"]))


def _row(element_bytes: int) -> OperandRule:
    return OperandRule("x", "read", lambda a: Extent(a["rows"], a["channels"] * element_bytes, a["x_pitch"]))


_WEIGHT = OperandRule(
    "weight", "read", lambda a: Extent(a["channels"], weight_row_bytes(a["depth"]), a["weight_pitch"])
)
_TABLE = OperandRule("table", "read", lambda a: Extent(1, 256, 256))
_TURNED = OperandRule("y", "write", lambda a: Extent(a["channels"], a["rows"], a["y_pitch"]))
_LINEAR = ("rows", "depth", "channels", "x_pitch", "weight_pitch", "y_pitch", "shift")


def _flat(field: str, size_bytes: Callable[[Arguments], int]) -> OperandRule:
    return OperandRule(field, "read", lambda a: Extent(1, size_bytes(a), size_bytes(a)))


def _limits(element_bytes: int) -> tuple[OperandRule, OperandRule]:
    """Return the rules of the limits of a clip: a line for each run of rows, from the first row on."""

    def extent(a: Arguments) -> Extent:
        lines = (a["row0"] + a["rows"] - 1) // a["group_rows"] + 1
        return Extent(lines, a["channels"] * element_bytes, a["limit_pitch"])

    return OperandRule("low", "read", extent), OperandRule("high", "read", extent)


_CLIP = ("rows", "channels", "x_pitch", "limit_pitch", "y_pitch", "row0", "group_rows")
_NORM = (
    OperandRule("x", "read", lambda a: Extent(a["rows"], a["channels"] * 2, a["x_pitch"])),
    _flat("gamma", lambda a: a["channels"] * 2),
    _flat("beta", lambda a: a["channels"] * 4),
    _flat("epsilon", lambda a: epsilon_entries(a["channels"], a["center_bits"]) * 4),
    _flat("rsqrt", lambda a: 96 * 2),
)
_LAYERNORM = ("rows", "channels", "x_pitch", "y_pitch", "center_bits", "norm_bits", "root", "gamma_shift")
_COLUMNS = OperandRule("x", "read", lambda a: Extent(a["rows"], a["channels"], a["x_pitch"]))
_TAPS = OperandRule(
    "weight", "read", lambda a: Extent(a["channels"], weight_row_bytes(a["taps"]), a["weight_pitch"])
)
_STRETCHED = OperandRule("x", "read", lambda a: Extent(a["x_rows"], a["channels"] * 2, a["x_pitch"]))
_PLACES = _flat("table", lambda a: a["rows"] * 4)
_DRAWN = OperandRule("y", "write", lambda a: Extent(a["rows"], a["channels"] * 2, a["y_pitch"]), pitch_unit=2)
_DEPTHWISE = ("rows", "channels", "taps", "x_pitch", "weight_pitch", "y_pitch", "zero_point", "shift")
_INTERPOLATE = ("x_rows", "rows", "channels", "x_pitch", "y_pitch")

KERNELS: Mapping[str, Kernel] = {
    kernel.stem: kernel
    for kernel in (
        Kernel("tmc_linear_s8s8s8", "tmc_linear_args", (_x(1), _WEIGHT, _y(1)), _LINEAR),
        Kernel("tmc_linear_table_s8s8s8", "tmc_linear_args", (_x(1), _WEIGHT, _TABLE, _y(1)), _LINEAR),
        Kernel("tmc_linear_s8s8s16", "tmc_linear_args", (_x(1), _WEIGHT, _y(2)), _LINEAR),
        Kernel("tmc_linear_add_s8s8s16", "tmc_linear_args", (_x(1), _WEIGHT, _y(2, "update")), _LINEAR),
        Kernel("tmc_linear_transposed_s8s8s8", "tmc_linear_args", (_x(1), _WEIGHT, _TURNED), _LINEAR),
        Kernel(
            "tmc_linear_table_transposed_s8s8s8",
            "tmc_linear_args",
            (_x(1), _WEIGHT, _TABLE, _TURNED),
            _LINEAR,
        ),
        Kernel(
            "tmc_linear_grouped_s16s8s16",
            "tmc_linear_args",
            (
                _x(2),
                _WEIGHT,
                OperandRule(
                    "bias",
                    "read",
                    lambda a: Extent(
                        (a["row0"] + a["rows"] - 1) // a["group_rows"] + 1,
                        a["channels"] * 4,
                        a["bias_channels"] * 4,
                    ),
                ),
                _y(2),
            ),
            (*_LINEAR, "row0", "group_rows", "bias_channels"),
        ),
        Kernel("tmc_linear_s8s8s32", "tmc_linear_args", (_x(1), _WEIGHT, _y(4)), _LINEAR),
        Kernel("tmc_linear_s16s8s32", "tmc_linear_args", (_x(2), _WEIGHT, _y(4)), _LINEAR),
        *(
            Kernel(
                f"tmc_requantise_{name}s8",
                "tmc_requantise_args",
                (
                    _row(element_bytes),
                    _flat("factors", lambda a: a["channels"] * 16),
                    _TABLE,
                    _y(1),
                ),
                ("rows", "channels", "x_pitch", "y_pitch", "zero_point", "ties_to_even"),
            )
            for name, element_bytes in (("s32", 4), ("s8", 1))
        ),
        *(
            Kernel(f"tmc_clip_{name}", "tmc_clip_args", (_row(size), *_limits(size), _y(size)), _CLIP)
            for name, size in (("s8s8", 1), ("s16s16", 2), ("s32s32", 4))
        ),
        Kernel("tmc_clip_add_s16s16", "tmc_clip_args", (_row(2), *_limits(2), _y(2, "update")), _CLIP),
        Kernel("tmc_layernorm_s16s8", "tmc_layernorm_args", (*_NORM, _y(1)), _LAYERNORM),
        Kernel("tmc_layernorm_s16s16", "tmc_layernorm_args", (*_NORM, _y(2)), _LAYERNORM),
        Kernel(
            "tmc_rope_s16s8",
            "tmc_rope_args",
            (
                OperandRule("x", "read", lambda a: Extent(a["rows"], a["width"] * 2, a["x_pitch"])),
                OperandRule("table", "read", lambda a: Extent(a["period"], a["width"] * 2, a["table_pitch"])),
                OperandRule("y", "write", lambda a: Extent(a["rows"], a["width"], a["y_pitch"])),
            ),
            ("rows", "width", "x_pitch", "y_pitch", "table_pitch", "row0", "period", "shift"),
        ),
        Kernel(
            "tmc_attention_scores_s8s8s16",
            "tmc_attention_scores_args",
            (
                OperandRule("q", "read", lambda a: Extent(a["rows"], a["width"], a["q_pitch"])),
                OperandRule("k", "read", lambda a: Extent(a["keys"], a["width"], a["k_pitch"])),
                OperandRule("scores", "write", lambda a: Extent(a["rows"], a["keys"] * 2, a["scores_pitch"])),
            ),
            ("rows", "keys", "width", "q_pitch", "k_pitch", "scores_pitch", "key0", "shift"),
        ),
        Kernel(
            "tmc_attention_softmax_s16u8",
            "tmc_attention_softmax_args",
            (
                OperandRule("scores", "read", lambda a: Extent(a["rows"], a["keys"] * 2, a["scores_pitch"])),
                _flat("exp_table", lambda a: 1024),
                OperandRule("p", "write", lambda a: Extent(a["rows"], a["keys"], a["scores_pitch"])),
                OperandRule("norm", "write", lambda a: Extent(1, a["rows"] * 8, a["rows"] * 8)),
            ),
            ("rows", "keys", "scores_pitch", "out_multiplier"),
        ),
        Kernel(
            "tmc_attention_values_u8s8s8",
            "tmc_attention_values_args",
            (
                OperandRule("p", "read", lambda a: Extent(a["rows"], a["keys"], a["p_pitch"])),
                OperandRule("vt", "read", lambda a: Extent(a["channels"], a["keys"], a["vt_pitch"])),
                OperandRule("norm", "read", lambda a: Extent(1, a["rows"] * 8, a["rows"] * 8)),
                OperandRule("y", "write", lambda a: Extent(a["rows"], a["channels"], a["y_pitch"])),
            ),
            ("rows", "keys", "channels", "p_pitch", "vt_pitch", "y_pitch", "out_shift"),
        ),
        Kernel(
            "tmc_mean_rows_s8s16",
            "tmc_mean_rows_args",
            (
                OperandRule("x", "read", lambda a: Extent(a["rows"], a["channels"], a["x_pitch"])),
                OperandRule(
                    "y",
                    "write",
                    lambda a: Extent(a["rows"] // a["group_rows"], a["channels"] * 2, a["y_pitch"]),
                ),
            ),
            ("rows", "channels", "group_rows", "x_pitch", "y_pitch", "multiplier", "bias", "shift"),
        ),
        Kernel("tmc_depthwise_rows_s8s8", "tmc_depthwise_rows_args", (_COLUMNS, _TAPS, _y(1)), _DEPTHWISE),
        Kernel(
            "tmc_depthwise_rows_table_s8s8",
            "tmc_depthwise_rows_args",
            (_COLUMNS, _TAPS, _TABLE, _y(1)),
            _DEPTHWISE,
        ),
        Kernel(
            "tmc_interpolate_rows_s16s16",
            "tmc_interpolate_rows_args",
            (_STRETCHED, _PLACES, _DRAWN),
            _INTERPOLATE,
        ),
        Kernel(
            "tmc_interpolate_rows_transposed_s16s16",
            "tmc_interpolate_rows_args",
            (
                _STRETCHED,
                _PLACES,
                OperandRule(
                    "y",
                    "write",
                    lambda a: Extent(a["channels"], a["rows"] * 2, a["y_pitch"]),
                    pitch_unit=2,
                ),
            ),
            _INTERPOLATE,
        ),
        Kernel(
            "tmc_permute_rows_s8s8",
            "tmc_permute_rows_args",
            (
                OperandRule("x", "read", lambda a: Extent(a["rows"], a["row_bytes"], a["x_pitch"])),
                OperandRule("y", "write", lambda a: Extent(a["rows"], a["row_bytes"], a["y_pitch"])),
            ),
            ("rows", "row_bytes", "x_pitch", "y_pitch", "groups"),
        ),
    )
}

# What a call needs of a core's stack in bytes, with all that the kernel calls: the larger of -O2 and -O3.
STACK_BYTES: Mapping[str, Mapping[Isa, int]] = {
    "tmc_attention_scores_s8s8s16": {"scalar": 48, "xpulp": 240},
    "tmc_attention_softmax_s16u8": {"scalar": 16, "xpulp": 48},
    "tmc_attention_values_u8s8s8": {"scalar": 32, "xpulp": 240},
    "tmc_clip_add_s16s16": {"scalar": 32, "xpulp": 16},
    "tmc_clip_s16s16": {"scalar": 32, "xpulp": 16},
    "tmc_clip_s32s32": {"scalar": 16, "xpulp": 16},
    "tmc_clip_s8s8": {"scalar": 16, "xpulp": 16},
    "tmc_depthwise_rows_s8s8": {"scalar": 16, "xpulp": 32},
    "tmc_depthwise_rows_table_s8s8": {"scalar": 16, "xpulp": 32},
    "tmc_interpolate_rows_s16s16": {"scalar": 16, "xpulp": 32},
    "tmc_interpolate_rows_transposed_s16s16": {"scalar": 16, "xpulp": 32},
    "tmc_layernorm_s16s16": {"scalar": 96, "xpulp": 128},
    "tmc_layernorm_s16s8": {"scalar": 64, "xpulp": 128},
    "tmc_linear_add_s8s8s16": {"scalar": 80, "xpulp": 192},
    "tmc_linear_grouped_s16s8s16": {"scalar": 80, "xpulp": 560},
    "tmc_linear_s16s8s32": {"scalar": 32, "xpulp": 80},
    "tmc_linear_s8s8s16": {"scalar": 48, "xpulp": 176},
    "tmc_linear_s8s8s32": {"scalar": 32, "xpulp": 64},
    "tmc_linear_s8s8s8": {"scalar": 16, "xpulp": 176},
    "tmc_linear_table_s8s8s8": {"scalar": 16, "xpulp": 176},
    "tmc_linear_table_transposed_s8s8s8": {"scalar": 16, "xpulp": 176},
    "tmc_linear_transposed_s8s8s8": {"scalar": 16, "xpulp": 176},
    "tmc_mean_rows_s8s16": {"scalar": 48, "xpulp": 80},
    "tmc_permute_rows_s8s8": {"scalar": 16, "xpulp": 16},
    "tmc_requantise_s32s8": {"scalar": 48, "xpulp": 48},
    "tmc_requantise_s8s8": {"scalar": 48, "xpulp": 48},
    "tmc_rope_s16s8": {"scalar": 16, "xpulp": 80},
}
