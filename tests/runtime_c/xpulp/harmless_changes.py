"""Numbers in the xpulp kernels of which one more or less gives the same bytes, and why."""

from __future__ import annotations

OTHER_LOOP = "the other one of two hardware loops serves as well"
REPEATED = "the instruction behind the loop may be repeated"
NOT_READ = "no instruction of this kernel reads it"
SATURATES = "what goes a little further saturates as well"
PATH = "another limit of the fast path; the slow one gives the same bytes"

# (kernel or file, line without its indentation, number, why no case can notice)
HARMLESS = (
    (
        "include/tmc_xpulp_attention_scores.h",
        "const uint32_t in_blocks = row_bytes % 4u == 0u && row_bytes >= 8u ? args->keys / TMC_BLOCK_W : 0u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_attention_scores.h",
        "const uint32_t in_blocks = row_bytes % 4u == 0u && row_bytes >= 8u ? args->keys / TMC_BLOCK_W : 0u;",
        "8u",
        PATH,
    ),
    (
        "attention_softmax_s16u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_softmax_s16u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "8",
        REPEATED,
    ),
    (
        "attention_softmax_s32u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_softmax_s32u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "8",
        REPEATED,
    ),
    (
        "attention_softmax_s32u8",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_pack_s8u8",
        "uint32_t words[WORDS] = {0};",
        "0",
        "of a part of a group the first word is there",
    ),
    (
        "attention_softmax_s32u8",
        "const uint32_t fours = args->keys / 4u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_softmax.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_softmax.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "16",
        REPEATED,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        'TMC_LOOP(0, "%[rounds]", 10, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        'TMC_LOOP(0, "%[rounds]", 10, 7)',
        "10",
        REPEATED,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        "const uint32_t step = args->bias_rows > 1u ? args->bias_pitch : 0u, fours = args->keys / 4u;",
        "1u",
        "of two rows, a core has one",
    ),
    (
        "include/tmc_xpulp_attention_values.h",
        "const uint32_t in_blocks = args->keys > 4u ? args->channels / TMC_BLOCK_W : 0u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", 14, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", TMC_LAYERNORM_ROUND, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "uint32_t maxima = 0x80008000u, minima = 0x7FFF7FFFu, a, b, c, d;",
        "0x80008000u",
        "matters only where half of a row is -32768; the other half then has the maximum",
    ),
    (
        "layernorm_s16s8",
        "#define TMC_LAYERNORM_TURNED 0u",
        "0u",
        NOT_READ,
    ),
    (
        "layernorm_s16s16",
        "#define TMC_LAYERNORM_TURNED 0u",
        "0u",
        NOT_READ,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t channels = args->channels, fours = channels / 4u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t bits = row.widest == 0u ? 0u : tmc_bits(row.widest);",
        "0u",
        "one bit or none: no shift either way",
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t in_fours = row.factor < 0xF000u ? fours : 0u;",
        "0xF000u",
        PATH,
    ),
    (
        "softmax_s16s16",
        "uint32_t pair = 0x80008000u;",
        "0x80008000u",
        "matters only where half of a row is -32768, and so is the other half, or next to it",
    ),
    (
        "mean_rows_s8s16",
        "int32_t sums[4];",
        "4",
        "room for one more",
    ),
    (
        "mean_rows_s8s16",
        "for (uint32_t i = 0; i < 4u; ++i)",
        "4u",
        "the fifth is written again by the next word, or not at all",
    ),
    (
        "permute_rows_s8s8",
        "const uint32_t run = args->rows / args->groups, words = args->row_bytes / 4u;",
        "4u",
        PATH,
    ),
    (
        "epilogue_table_s8s8",
        'TMC_LOOP(0, "%[rounds]", 24, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "epilogue_table_s8s8",
        'TMC_LOOP(0, "%[rounds]", 24, 7)',
        "24",
        REPEATED,
    ),
    (
        "epilogue_table_s8s8",
        "const uint32_t channels = part.channels.end - part.channels.begin, eights = channels / 8u;",
        "8u",
        PATH,
    ),
    (
        "epilogue_add_s32s16",
        'TMC_LOOP(0, "%[rounds]", 11, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "epilogue_add_s32s16",
        'TMC_LOOP(0, "%[rounds]", 11, 7)',
        "11",
        REPEATED,
    ),
    (
        "epilogue_add_s32s16",
        'TMC_CLIP("%[a]", "%[a]", 17) TMC_CLIP("%[b]", "%[b]", 17)',
        "17",
        SATURATES,
    ),
    (
        "epilogue_add_s32s16",
        "*last = (int16_t)tmc_clip_s16(*last + tmc_clip((int32_t)tmc_word(x + 8u * twos), -65536, 65535));",
        "65535",
        SATURATES,
    ),
    (
        "epilogue_add_s32s16",
        "*last = (int16_t)tmc_clip_s16(*last + tmc_clip((int32_t)tmc_word(x + 8u * twos), -65536, 65535));",
        "65536",
        SATURATES,
    ),
    (
        "epilogue_s32s16",
        'TMC_LOOP(0, "%[rounds]", 6, 7)',
        "6",
        REPEATED,
    ),
    (
        "epilogue_s32s16",
        'TMC_LOOP(0, "%[rounds]", 6, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "epilogue_transposed_s8s8",
        'TMC_LOOP(0, "%[channels]", 7, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_rope.h",
        'TMC_LOOP(0, "%[rounds]", TMC_ROPE_ROUND, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "rope_s16s8",
        "#define TMC_ROPE_ROUND 23",
        "23",
        REPEATED,
    ),
    (
        "rope_s16u8",
        "#define TMC_ROPE_ROUND 24",
        "24",
        REPEATED,
    ),
    (
        "rope_s16s16",
        "#define TMC_ROPE_ROUND 24",
        "24",
        REPEATED,
    ),
    (
        "include/tmc_xpulp_attention.h",
        "uintptr_t saved[5];   /* 60: sp, gp, tp, ra, mstatus */",
        "5",
        "room for one more",
    ),
    (
        "include/tmc_xpulp_attention.h",
        '"csrrci a1, mstatus, 8\\n" \\',
        "8",
        "also stops the interrupts of user mode, which the cores do not have",
    ),
    (
        "include/tmc_xpulp_attention.h",
        'TMC_LOOP(0, "%[rounds]", 9, 7) \\',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_attention.h",
        'TMC_LOOP(0, "%[rounds]", 9, 7) \\',
        "9",
        REPEATED,
    ),
)
