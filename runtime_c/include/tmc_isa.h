/* Which implementation of each kernel a network calls: network.c names kernels without their isa. Compile with
 * TMC_ISA_XPULP for the cores of the cluster, without it for portable C; both give the same bytes. */
#ifndef TMC_ISA_H
#define TMC_ISA_H

#ifdef TMC_ISA_XPULP
#define TMC_KERNEL(name) name##_xpulp
#else
#define TMC_KERNEL(name) name##_scalar
#endif

#define tmc_linear_s8s8s8 TMC_KERNEL(tmc_linear_s8s8s8)
#define tmc_linear_table_s8s8s8 TMC_KERNEL(tmc_linear_table_s8s8s8)
#define tmc_linear_s8s8s16 TMC_KERNEL(tmc_linear_s8s8s16)
#define tmc_linear_add_s8s8s16 TMC_KERNEL(tmc_linear_add_s8s8s16)
#define tmc_linear_table_transposed_s8s8s8 TMC_KERNEL(tmc_linear_table_transposed_s8s8s8)
#define tmc_linear_transposed_s8s8s8 TMC_KERNEL(tmc_linear_transposed_s8s8s8)
#define tmc_linear_grouped_s16s8s16 TMC_KERNEL(tmc_linear_grouped_s16s8s16)
#define tmc_linear_s8s8s32 TMC_KERNEL(tmc_linear_s8s8s32)
#define tmc_linear_s16s8s32 TMC_KERNEL(tmc_linear_s16s8s32)
#define tmc_requantise_s32s8 TMC_KERNEL(tmc_requantise_s32s8)
#define tmc_requantise_s8s8 TMC_KERNEL(tmc_requantise_s8s8)
#define tmc_clip_s8s8 TMC_KERNEL(tmc_clip_s8s8)
#define tmc_clip_s16s16 TMC_KERNEL(tmc_clip_s16s16)
#define tmc_clip_s32s32 TMC_KERNEL(tmc_clip_s32s32)
#define tmc_clip_add_s16s16 TMC_KERNEL(tmc_clip_add_s16s16)
#define tmc_convert_s8s8 TMC_KERNEL(tmc_convert_s8s8)
#define tmc_convert_s8s16 TMC_KERNEL(tmc_convert_s8s16)
#define tmc_convert_s16s8 TMC_KERNEL(tmc_convert_s16s8)
#define tmc_convert_s16s16 TMC_KERNEL(tmc_convert_s16s16)
#define tmc_add_s8s8s8 TMC_KERNEL(tmc_add_s8s8s8)
#define tmc_add_s8s8s16 TMC_KERNEL(tmc_add_s8s8s16)
#define tmc_add_s8s16s8 TMC_KERNEL(tmc_add_s8s16s8)
#define tmc_add_s8s16s16 TMC_KERNEL(tmc_add_s8s16s16)
#define tmc_add_s16s8s8 TMC_KERNEL(tmc_add_s16s8s8)
#define tmc_add_s16s8s16 TMC_KERNEL(tmc_add_s16s8s16)
#define tmc_add_s16s16s8 TMC_KERNEL(tmc_add_s16s16s8)
#define tmc_add_s16s16s16 TMC_KERNEL(tmc_add_s16s16s16)
#define tmc_mul_s8s8s8 TMC_KERNEL(tmc_mul_s8s8s8)
#define tmc_mul_s8s8s16 TMC_KERNEL(tmc_mul_s8s8s16)
#define tmc_mul_s8s16s8 TMC_KERNEL(tmc_mul_s8s16s8)
#define tmc_mul_s8s16s16 TMC_KERNEL(tmc_mul_s8s16s16)
#define tmc_mul_s16s8s8 TMC_KERNEL(tmc_mul_s16s8s8)
#define tmc_mul_s16s8s16 TMC_KERNEL(tmc_mul_s16s8s16)
#define tmc_mul_s16s16s8 TMC_KERNEL(tmc_mul_s16s16s8)
#define tmc_mul_s16s16s16 TMC_KERNEL(tmc_mul_s16s16s16)
#define tmc_layernorm_s16s8 TMC_KERNEL(tmc_layernorm_s16s8)
#define tmc_layernorm_s16s16 TMC_KERNEL(tmc_layernorm_s16s16)
#define tmc_rope_s16s8 TMC_KERNEL(tmc_rope_s16s8)
#define tmc_attention_scores_s8s8s16 TMC_KERNEL(tmc_attention_scores_s8s8s16)
#define tmc_attention_softmax_s16u8 TMC_KERNEL(tmc_attention_softmax_s16u8)
#define tmc_attention_softmax_bias_s16s16u8 TMC_KERNEL(tmc_attention_softmax_bias_s16s16u8)
#define tmc_attention_values_u8s8s8 TMC_KERNEL(tmc_attention_values_u8s8s8)
#define tmc_mean_rows_s8s16 TMC_KERNEL(tmc_mean_rows_s8s16)
#define tmc_depthwise_rows_s8s8 TMC_KERNEL(tmc_depthwise_rows_s8s8)
#define tmc_depthwise_rows_table_s8s8 TMC_KERNEL(tmc_depthwise_rows_table_s8s8)
#define tmc_interpolate_rows_s16s16 TMC_KERNEL(tmc_interpolate_rows_s16s16)
#define tmc_interpolate_rows_transposed_s16s16 TMC_KERNEL(tmc_interpolate_rows_transposed_s16s16)
#define tmc_permute_rows_s8s8 TMC_KERNEL(tmc_permute_rows_s8s8)
#define tmc_copy_rows_s8s8 TMC_KERNEL(tmc_copy_rows_s8s8)
#define tmc_gather_rows_s8s8 TMC_KERNEL(tmc_gather_rows_s8s8)
#define tmc_gather_columns_s8s8 TMC_KERNEL(tmc_gather_columns_s8s8)
#define tmc_gather_columns_s16s16 TMC_KERNEL(tmc_gather_columns_s16s16)
#define tmc_gather_columns_s32s32 TMC_KERNEL(tmc_gather_columns_s32s32)
#define tmc_transpose_s8s8 TMC_KERNEL(tmc_transpose_s8s8)
#define tmc_transpose_s16s16 TMC_KERNEL(tmc_transpose_s16s16)
#define tmc_transpose_s32s32 TMC_KERNEL(tmc_transpose_s32s32)

#endif
