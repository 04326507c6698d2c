"""A wrong constant or register in a kernel of attention or of rows is found, as RV32 code on iss."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.runtime_c.iss.engines import build_iss
from tests.runtime_c.target_header import GAP9
from tests.runtime_c.xpulp.case_programs import RUNTIME, build_program, failures
from tmc.backend_gap9.run.simulators import iss_options

BLOCKS = "include/tmc_xpulp_attention.h"
SCORES = "include/tmc_xpulp_attention_scores.h"
WIDE_SCORES = "kernels/tmc_attention_scores_s16s16s16_xpulp.c"
WEIGHTS = "include/tmc_xpulp_softmax.h"
NORM = "include/tmc_xpulp_softmax_norm.h"
PACKED = "kernels/tmc_attention_pack_s8u8_xpulp.c"
OF_WORDS = "kernels/tmc_attention_softmax_s32u8_xpulp.c"
SOFTMAX = "kernels/tmc_attention_softmax_s16u8_xpulp.c"
BIASED = "kernels/tmc_attention_softmax_bias_s16s16u8_xpulp.c"
VALUES = "include/tmc_xpulp_attention_values.h"
NARROW_VALUES = "kernels/tmc_attention_values_u8s8s8_xpulp.c"
WIDE_VALUES = "kernels/tmc_attention_values_u8s8s16_xpulp.c"
LAYERNORM = "include/tmc_xpulp_layernorm.h"
NARROW_LAYERNORM = "kernels/tmc_layernorm_s16s8_xpulp.c"
UNSIGNED_LAYERNORM = "kernels/tmc_layernorm_s16u8_xpulp.c"
WIDE_LAYERNORM = "kernels/tmc_layernorm_s16s16_xpulp.c"
ROPE = "include/tmc_xpulp_rope.h"
WIDE_ROPE = "kernels/tmc_rope_s16s16_xpulp.c"
MAX = "include/tmc_xpulp_max_rows.h"
ARGMAX = "include/tmc_xpulp_argmax_columns.h"
SHARES = "kernels/tmc_softmax_s16s16_xpulp.c"
MATMUL = "include/tmc_xpulp_matmul.h"
MEAN = "kernels/tmc_mean_rows_s8s16_xpulp.c"
TABLE = "kernels/tmc_depthwise_rows_table_s8s8_xpulp.c"
COLUMN = "include/tmc_xpulp_depthwise.h"
BETWEEN = "include/tmc_xpulp_interpolate.h"
TURNED = "kernels/tmc_interpolate_rows_transposed_s16s16_xpulp.c"
PERMUTE = "kernels/tmc_permute_rows_s8s8_xpulp.c"

# (program, file, right, wrong)
MUTATIONS = (
    ("attention_cases", BLOCKS, 'TMC_LW_STEP("a4", "s0", back)', 'TMC_LW_STEP("a4", "s0", "s1")'),
    ("attention_cases", BLOCKS, "lw a0, 20(a5)", "lw a0, 24(a5)"),
    ("attention_cases", BLOCKS, "slli a1, tp, 2", "slli a1, tp, 1"),
    ("attention_cases", BLOCKS, '"%[rounds]", 9, 7', '"%[rounds]", 8, 7'),
    ("attention_cases", BLOCKS, "0xFFFFFFFFu >>", "0xFFFFFFFFu <<"),
    ("attention_cases", SCORES, '", 4(a0)', '", 0(a0)'),
    ("attention_cases", SCORES, "lw a2, 40(a5)", "lw a2, 36(a5)"),
    ("attention_cases", SCORES, "2u * TMC_BLOCK_W - 4u", "2u * TMC_BLOCK_W - 5u"),
    ("attention_cases", SCORES, "8u * head & 255u", "8u * head & 7u"),
    ("attention_cases", SCORES, "(head + 1u) * args->rows", "(head + 2u) * args->rows"),
    ("attention_cases", SOFTMAX, "* 1024u", "* 1023u"),
    ("attention_cases", VALUES, "(head + 1u) * args->rows", "(head + 2u) * args->rows"),
    ("attention_cases", VALUES, "args->heads > 1u", "args->heads > 2u"),
    ("attention_cases", NORM, "TMC_LAST_ENTRY = 1023", "TMC_LAST_ENTRY = 1022"),
    ("attention_cases", WEIGHTS, '"%[rounds]", 16, 7', '"%[rounds]", 15, 7'),
    ("attention_cases", SOFTMAX, "0x80008000u", "0x80018000u"),
    ("attention_cases", WEIGHTS, "0x01010101u", "0x01010100u"),
    ("attention_cases", NORM, "1u << 30", "1u << 29"),
    ("attention_job_cases", PACKED, "3u & (0u - left)", "3u & left"),
    ("attention_job_cases", OF_WORDS, '"%[rounds]", 16, 7', '"%[rounds]", 15, 7'),
    ("attention_cases", BIASED, '"%[rounds]", 10, 7', '"%[rounds]", 9, 7'),
    (
        "attention_cases",
        BIASED,
        'TMC_ADD_HALVES("%[c]", "%[c]", "%[d]")',
        'TMC_ADD_HALVES("%[c]", "%[c]", "%[b]")',
    ),
    ("attention_cases", BIASED, "r * step", "step"),
    ("attention_cases", VALUES, "ROW(16, 20,", "ROW(16, 28,"),
    ("attention_cases", VALUES, "lw sp, 52(a5)", "lw sp, 48(a5)"),
    ("attention_cases", VALUES, "first_back = tail + 4u", "first_back = tail"),
    ("attention_cases", NARROW_VALUES, "TMC_VALUES_BITS 8", "TMC_VALUES_BITS 7"),
    ("attention_cases", WIDE_VALUES, "TMC_VALUES_BITS 16", "TMC_VALUES_BITS 15"),
    ("attention_cases", WIDE_VALUES, "r2, r3, r2", "r2, r2, r3"),
    ("attention_cases", VALUES, "TMC_BLOCK_W * sizeof(TMC_VALUES_TYPE)", "TMC_BLOCK_W"),
    ("attention_cases", WIDE_SCORES, "lw a3, 80(a5)", "lw a3, 44(a5)"),
    ("attention_cases", WIDE_SCORES, "DOT TMC_SDOT_S16S16", "DOT TMC_DOT_S16S16"),
    ("attention_cases", SCORES, "args->width * (uint32_t)sizeof(TMC_SCORES_TYPE);", "args->width;"),
    ("row_cases", LAYERNORM, "0x7FFF7FFFu", "0x00FF7FFFu"),
    ("row_cases", NARROW_LAYERNORM, "TMC_LAYERNORM_ROUND 41", "TMC_LAYERNORM_ROUND 40"),
    ("row_cases", UNSIGNED_LAYERNORM, "0x80808080u", "0x80808000u"),
    ("row_cases", WIDE_LAYERNORM, "TMC_LAYERNORM_ROUND 42", "TMC_LAYERNORM_ROUND 41"),
    ("row_cases", WIDE_LAYERNORM, 'TMC_CLIP("%[t3]", "%[t3]", 16)', 'TMC_CLIP("%[t3]", "%[t3]", 15)'),
    ("row_cases", WIDE_LAYERNORM, 'TMC_PACK_HALVES("%[t2]", "%[t3]"', 'TMC_PACK_HALVES("%[t2]", "%[t1]"'),
    ("row_cases", LAYERNORM, "half << 16", "half << 15"),
    ("row_cases", LAYERNORM, "26u + g - args->norm_bits", "25u + g - args->norm_bits"),
    ("row_cases", LAYERNORM, "(1u << 15)) >> 16", "(1u << 14)) >> 16"),
    ("row_cases", ROPE, '"r"(16)', '"r"(15)'),
    ("row_cases", ROPE, "line = 0;", "line = 1;"),
    ("row_cases", WIDE_ROPE, "TMC_ROPE_ROUND 24", "TMC_ROPE_ROUND 23"),
    ("row_cases", WIDE_ROPE, '"%[t1]", "%[limit]"', '"%[t1]", "%[shift]"'),
    ("reduction_cases", MAX, "rows % 2u == 0u", "rows % 2u == 1u"),
    ("reduction_cases", MAX, "(row_bytes + 3u) / 4u", "row_bytes / 4u"),
    ("reduction_cases", MAX, "8u * (i % 4u)", "8u * (i % 2u)"),
    ("reduction_cases", ARGMAX, "value > largest", "value >= largest"),
    ("reduction_cases", ARGMAX, "--left != 0u", "--left > 1u"),
    ("reduction_cases", SHARES, "distance < limit", "distance > limit"),
    ("reduction_cases", SHARES, "channels % 2u != 0u", "channels % 2u == 0u"),
    ("reduction_cases", SHARES, "bits - 16u", "bits - 15u"),
    (
        "product_cases",
        MATMUL,
        "depth & ~3u; k < depth; ++k) {\n            for",
        "depth & ~7u; k < depth; ++k) {\n            for",
    ),
    ("product_cases", MATMUL, 'TMC_LOOP(0, "%[rounds]", 10, 7)', 'TMC_LOOP(0, "%[rounds]", 9, 7)'),
    ("product_cases", MATMUL, "c + 4u <= columns.end", "c + 3u <= columns.end"),
    ("product_cases", MATMUL, "args->z_zero_point * sums.of_x", "args->x_zero_point * sums.of_x"),
    ("reduction_cases", MEAN, "0x00010000u", "0x00020000u"),
    ("reduction_cases", MEAN, "share.begin & ~3u", "share.begin"),
    ("row_cases", TABLE, "+ 128]", "+ 127]"),
    ("row_cases", COLUMN, "taps / 2u", "(taps - 1u) / 4u"),
    ("row_cases", COLUMN, "behind < taps ? behind : taps", "behind < taps ? taps : taps"),
    ("row_cases", COLUMN, "r < half ? half - r : 0u", "0u"),
    ("row_cases", COLUMN, "constants[0], constants[1]", "constants[0], constants[0]"),
    ("row_cases", BETWEEN, "16384 - weight", "16383 - weight"),
    ("row_cases", BETWEEN, "14u)", "15u)"),
    ("row_cases", TURNED, "y += args->y_pitch", "y += 2u"),
    ("row_cases", PERMUTE, "r / run", "r % run"),
    ("row_cases", PERMUTE, "i = 4u * words", "i = 4u * words + 1u"),
)


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    return build_iss(tmp_path_factory.mktemp("iss")), *iss_options(GAP9)


@pytest.mark.parametrize(("program", "file", "right", "wrong"), MUTATIONS)
def test_a_wrong_constant_is_found(
    iss: tuple[str | Path, ...], tmp_path: Path, program: str, file: str, right: str, wrong: str
) -> None:
    for folder in ("include", "kernels"):
        shutil.copytree(RUNTIME / folder, tmp_path / folder)
    text = (tmp_path / file).read_text()
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong, 1))
    binary = build_program(program, tmp_path, "-O1", runtime=tmp_path)
    assert failures([*iss, "--limit", "1000000000", binary])[1] != []
