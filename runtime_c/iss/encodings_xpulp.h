/*
 * XpulpV2, all but the packed SIMD instructions: INSTRUCTION(function, "mnemonic", match, mask, operands).
 *
 * A word is the instruction if (word & mask) == match; where two rows fit, the first one wins.
 * The operand formats are those of decode.h. Included wherever the rows are needed, hence no guard;
 * the tests read the rows as text to build words from mnemonics.
 *
 * `.rr` adds a register instead of an immediate to the base; `.post` adds to the base register after the
 * access (the assembler's exclamation mark); N shifts right, R rounds before the shift.
 */

/* Loads and stores. */
INSTRUCTION(p_lb_rr, "p.lb.rr", 0x00007003, 0xfe00707f, RR)
INSTRUCTION(p_lh_rr, "p.lh.rr", 0x10007003, 0xfe00707f, RR)
INSTRUCTION(p_lw_rr, "p.lw.rr", 0x20007003, 0xfe00707f, RR)
INSTRUCTION(p_lbu_rr, "p.lbu.rr", 0x40007003, 0xfe00707f, RR)
INSTRUCTION(p_lhu_rr, "p.lhu.rr", 0x50007003, 0xfe00707f, RR)
INSTRUCTION(p_lb_post, "p.lb.post", 0x0000000b, 0x0000707f, I)
INSTRUCTION(p_lh_post, "p.lh.post", 0x0000100b, 0x0000707f, I)
INSTRUCTION(p_lw_post, "p.lw.post", 0x0000200b, 0x0000707f, I)
INSTRUCTION(p_lbu_post, "p.lbu.post", 0x0000400b, 0x0000707f, I)
INSTRUCTION(p_lhu_post, "p.lhu.post", 0x0000500b, 0x0000707f, I)
INSTRUCTION(p_sb_post, "p.sb.post", 0x0000002b, 0x0000707f, S)
INSTRUCTION(p_sh_post, "p.sh.post", 0x0000102b, 0x0000707f, S)
INSTRUCTION(p_sw_post, "p.sw.post", 0x0000202b, 0x0000707f, S)
INSTRUCTION(p_lb_rr_post, "p.lb.rr.post", 0x0000700b, 0xfe00707f, RR)
INSTRUCTION(p_lh_rr_post, "p.lh.rr.post", 0x1000700b, 0xfe00707f, RR)
INSTRUCTION(p_lw_rr_post, "p.lw.rr.post", 0x2000700b, 0xfe00707f, RR)
INSTRUCTION(p_lbu_rr_post, "p.lbu.rr.post", 0x4000700b, 0xfe00707f, RR)
INSTRUCTION(p_lhu_rr_post, "p.lhu.rr.post", 0x5000700b, 0xfe00707f, RR)
INSTRUCTION(p_sb_rr_post, "p.sb.rr.post", 0x0000402b, 0xfe00707f, STORE_RR)
INSTRUCTION(p_sh_rr_post, "p.sh.rr.post", 0x0000502b, 0xfe00707f, STORE_RR)
INSTRUCTION(p_sw_rr_post, "p.sw.rr.post", 0x0000602b, 0xfe00707f, STORE_RR)
INSTRUCTION(p_sb_rr, "p.sb.rr", 0x00004023, 0xfe00707f, STORE_RR)
INSTRUCTION(p_sh_rr, "p.sh.rr", 0x00005023, 0xfe00707f, STORE_RR)
INSTRUCTION(p_sw_rr, "p.sw.rr", 0x00006023, 0xfe00707f, STORE_RR)

/* A load that puts the core to sleep until the event unit answers. */
INSTRUCTION(p_elw, "p.elw", 0x00006003, 0x0000707f, I)

/* Hardware loops; bit 7 is the loop. */
INSTRUCTION(lp_starti, "lp.starti", 0x0000007b, 0x00007f7f, LOOP)
INSTRUCTION(lp_endi, "lp.endi", 0x0000107b, 0x00007f7f, LOOP)
INSTRUCTION(lp_count, "lp.count", 0x0000207b, 0x00007f7f, LOOP)
INSTRUCTION(lp_counti, "lp.counti", 0x0000307b, 0x00007f7f, LOOP)
INSTRUCTION(lp_setup, "lp.setup", 0x0000407b, 0x00007f7f, LOOP)
INSTRUCTION(lp_setupi, "lp.setupi", 0x0000507b, 0x00007f7f, LOOP)

/* Branches on a comparison with a 5-bit immediate. */
INSTRUCTION(p_beqimm, "p.beqimm", 0x00002063, 0x0000707f, BRANCH_IMM)
INSTRUCTION(p_bneimm, "p.bneimm", 0x00003063, 0x0000707f, BRANCH_IMM)

/* Comparison, minimum, maximum, extension, clipping. */
INSTRUCTION(p_slet, "p.slet", 0x04002033, 0xfe00707f, RR)
INSTRUCTION(p_sletu, "p.sletu", 0x04003033, 0xfe00707f, RR)
INSTRUCTION(p_min, "p.min", 0x04004033, 0xfe00707f, RR)
INSTRUCTION(p_minu, "p.minu", 0x04005033, 0xfe00707f, RR)
INSTRUCTION(p_max, "p.max", 0x04006033, 0xfe00707f, RR)
INSTRUCTION(p_maxu, "p.maxu", 0x04007033, 0xfe00707f, RR)
INSTRUCTION(p_exths, "p.exths", 0x10004033, 0xfff0707f, R)
INSTRUCTION(p_exthz, "p.exthz", 0x10005033, 0xfff0707f, R)
INSTRUCTION(p_extbs, "p.extbs", 0x10006033, 0xfff0707f, R)
INSTRUCTION(p_extbz, "p.extbz", 0x10007033, 0xfff0707f, R)
INSTRUCTION(p_abs, "p.abs", 0x04000033, 0xfff0707f, R)
INSTRUCTION(p_clipi, "p.clipi", 0x14001033, 0xfe00707f, UIMM5)
INSTRUCTION(p_clipui, "p.clipui", 0x14002033, 0xfe00707f, UIMM5)
INSTRUCTION(p_clip, "p.clip", 0x14005033, 0xfe00707f, RR)
INSTRUCTION(p_clipu, "p.clipu", 0x14006033, 0xfe00707f, RR)

/* Bits. */
INSTRUCTION(p_ror, "p.ror", 0x08005033, 0xfe00707f, RR)
INSTRUCTION(p_ff1, "p.ff1", 0x10000033, 0xfff0707f, R)
INSTRUCTION(p_fl1, "p.fl1", 0x10001033, 0xfff0707f, R)
INSTRUCTION(p_clb, "p.clb", 0x10002033, 0xfff0707f, R)
INSTRUCTION(p_cnt, "p.cnt", 0x10003033, 0xfff0707f, R)
INSTRUCTION(p_extracti, "p.extracti", 0xc0000033, 0xc000707f, BITS)
INSTRUCTION(p_extractui, "p.extractui", 0xc0001033, 0xc000707f, BITS)
INSTRUCTION(p_extract, "p.extract", 0x80000033, 0xfe00707f, RR)
INSTRUCTION(p_extractu, "p.extractu", 0x80001033, 0xfe00707f, RR)
INSTRUCTION(p_inserti, "p.inserti", 0xc0002033, 0xc000707f, BITS)
INSTRUCTION(p_insert, "p.insert", 0x80002033, 0xfe00707f, RR)
INSTRUCTION(p_bseti, "p.bseti", 0xc0004033, 0xc000707f, BITS)
INSTRUCTION(p_bclri, "p.bclri", 0xc0003033, 0xc000707f, BITS)
INSTRUCTION(p_bset, "p.bset", 0x80004033, 0xfe00707f, RR)
INSTRUCTION(p_bclr, "p.bclr", 0x80003033, 0xfe00707f, RR)

/* Addition and subtraction with a shift. */
INSTRUCTION(p_addNi, "p.addNi", 0x0000205b, 0xc000707f, SHIFT)
INSTRUCTION(p_adduNi, "p.adduNi", 0x8000205b, 0xc000707f, SHIFT)
INSTRUCTION(p_addRNi, "p.addRNi", 0x0000605b, 0xc000707f, SHIFT)
INSTRUCTION(p_adduRNi, "p.adduRNi", 0x8000605b, 0xc000707f, SHIFT)
INSTRUCTION(p_subNi, "p.subNi", 0x0000305b, 0xc000707f, SHIFT)
INSTRUCTION(p_subuNi, "p.subuNi", 0x8000305b, 0xc000707f, SHIFT)
INSTRUCTION(p_subRNi, "p.subRNi", 0x0000705b, 0xc000707f, SHIFT)
INSTRUCTION(p_subuRNi, "p.subuRNi", 0x8000705b, 0xc000707f, SHIFT)
INSTRUCTION(p_addN, "p.addN", 0x4000205b, 0xfe00707f, RR)
INSTRUCTION(p_adduN, "p.adduN", 0xc000205b, 0xfe00707f, RR)
INSTRUCTION(p_addRN, "p.addRN", 0x4000605b, 0xfe00707f, RR)
INSTRUCTION(p_adduRN, "p.adduRN", 0xc000605b, 0xfe00707f, RR)
INSTRUCTION(p_subN, "p.subN", 0x4000305b, 0xfe00707f, RR)
INSTRUCTION(p_subuN, "p.subuN", 0xc000305b, 0xfe00707f, RR)
INSTRUCTION(p_subRN, "p.subRN", 0x4000705b, 0xfe00707f, RR)
INSTRUCTION(p_subuRN, "p.subuRN", 0xc000705b, 0xfe00707f, RR)

/* Multiplication. */
INSTRUCTION(p_mac, "p.mac", 0x42000033, 0xfe00707f, RR)
INSTRUCTION(p_msu, "p.msu", 0x42001033, 0xfe00707f, RR)
INSTRUCTION(p_muls, "p.muls", 0x8000005b, 0xfe00707f, RR)
INSTRUCTION(p_mulhhs, "p.mulhhs", 0xc000005b, 0xfe00707f, RR)
INSTRUCTION(p_mulsN, "p.mulsN", 0x8000005b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulhhsN, "p.mulhhsN", 0xc000005b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulsRN, "p.mulsRN", 0x8000405b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulhhsRN, "p.mulhhsRN", 0xc000405b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulu, "p.mulu", 0x0000005b, 0xfe00707f, RR)
INSTRUCTION(p_mulhhu, "p.mulhhu", 0x4000005b, 0xfe00707f, RR)
INSTRUCTION(p_muluN, "p.muluN", 0x0000005b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulhhuN, "p.mulhhuN", 0x4000005b, 0xc000707f, SHIFT)
INSTRUCTION(p_muluRN, "p.muluRN", 0x0000405b, 0xc000707f, SHIFT)
INSTRUCTION(p_mulhhuRN, "p.mulhhuRN", 0x4000405b, 0xc000707f, SHIFT)
INSTRUCTION(p_macs, "p.macs", 0x8000105b, 0xfe00707f, RR)
INSTRUCTION(p_machhs, "p.machhs", 0xc000105b, 0xfe00707f, RR)
INSTRUCTION(p_macsN, "p.macsN", 0x8000105b, 0xc000707f, SHIFT)
INSTRUCTION(p_machhsN, "p.machhsN", 0xc000105b, 0xc000707f, SHIFT)
INSTRUCTION(p_macsRN, "p.macsRN", 0x8000505b, 0xc000707f, SHIFT)
INSTRUCTION(p_machhsRN, "p.machhsRN", 0xc000505b, 0xc000707f, SHIFT)
INSTRUCTION(p_macu, "p.macu", 0x0000105b, 0xfe00707f, RR)
INSTRUCTION(p_machhu, "p.machhu", 0x4000105b, 0xfe00707f, RR)
INSTRUCTION(p_macuN, "p.macuN", 0x0000105b, 0xc000707f, SHIFT)
INSTRUCTION(p_machhuN, "p.machhuN", 0x4000105b, 0xc000707f, SHIFT)
INSTRUCTION(p_macuRN, "p.macuRN", 0x0000505b, 0xc000707f, SHIFT)
INSTRUCTION(p_machhuRN, "p.machhuRN", 0x4000505b, 0xc000707f, SHIFT)
