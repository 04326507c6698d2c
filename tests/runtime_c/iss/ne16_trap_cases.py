"""Jobs of NE16 that must be stopped, each for one fault. Wrong registers: test_ne16_registers.py."""

from __future__ import annotations

from collections.abc import Mapping

from tests.runtime_c.iss.trap_cases import CORE, Case, core, pair

# What a cluster core and what everyone sees.
REGISTERS, GLOBAL = "0x00201000", "0x10201000"
START = f"sink = REGISTER({REGISTERS} + 4); "
TRIGGER = f"REGISTER({REGISTERS}) = 0; "
WAIT = f"while (REGISTER({REGISTERS} + 12)) {{ }} "
TILE = "(uint32_t)tile"
REQUANTISED = 7 | 1 << 4 | 2 << 5 | 1 << 15 | 8 << 16 | 1 << 25
SUMS = 7 | 2 << 5 | 1 << 15 | 2 << 21 | 1 << 23

# Two pixels of 16 inputs at tile, 4 channels: weights at + 64, multipliers at + 128, biases at + 192,
# shifts at + 320, results at + 384, 64 bytes apart.
RIGHT: Mapping[int, str | int] = {
    0: f"{TILE} + 64",
    1: TILE,
    2: f"{TILE} + 384",
    3: f"{TILE} + 128",
    4: f"{TILE} + 320",
    5: f"{TILE} + 192",
    6: 16,
    7: 32,
    8: 0,
    9: 32,
    10: 64,
    11: 128,
    12: 16,
    13: 16,
    14: 0,
    15: 4 << 16 | 16,
    16: 1 << 16 | 2,
    17: 1 << 16 | 2,
    18: 1 << 16 | 1,
    19: 1 << 16 | 1,
    20: 0,
    21: -128,
    22: 0,
    23: REQUANTISED,
}


def word(index: int | str) -> str:
    """Return a word of the tile, which the compiler may not move or leave out."""
    return f"REGISTER({TILE} + 4 * {index})"


FILL = f"for (uint32_t i = 0; i < 256; i++) {{ {word('i')} = 0x01010101; }} "


def job(changes: Mapping[int, str | int] | None = None) -> str:
    """Return statements that write a job, up to its trigger."""
    words = {**RIGHT, **(changes or {})}
    return START + "".join(
        f"REGISTER({REGISTERS} + 32 + 4 * {index}) = (uint32_t)({value}); " for index, value in words.items()
    )


def running(
    name: str, statements: str, message: str, before: str = "", changes: Mapping[int, str | int] | None = None
) -> Case:
    """Return a case that does something while a job runs."""
    return core(f"ne16_{name}", FILL + before + job(changes) + TRIGGER + statements, message)


RESULT = f"{TILE} + 384"
LIMIT = "0x10020000"

NE16_CASES: tuple[Case, ...] = (
    core(
        "ne16_overlapping_lines",
        FILL + job({7: 16, 16: 2 << 16 | 2, 17: 2 << 16 | 2}) + TRIGGER,
        "job register 7 is 0x00000010, allowed at least a line",
    ),
    core(
        "ne16_input_beyond_l1",
        job({1: f"{LIMIT} - 16"}) + TRIGGER,
        "a tensor of 32 bytes at .* not inside L1",
    ),
    core(
        "ne16_output_in_l2",
        job({2: "(uint32_t)buffer"}) + TRIGGER,
        "a tensor of 68 bytes at .*<buffer.* not inside",
    ),
    core(
        "ne16_biases_beyond_l1",
        job({5: f"{LIMIT} - 64"}) + TRIGGER,
        "found 128 bytes of weights or constants at .* which are not inside L1",
    ),
    core("ne16_not_acquired", TRIGGER, "NE16: trigger without an acquired job"),
    core(
        "ne16_trigger", START + f"REGISTER({REGISTERS}) = 1;", "NE16: trigger with 1, which is not modelled"
    ),
    core(
        "ne16_write", f"REGISTER({REGISTERS} + 32) = 1;", "NE16: register 0x20 is written without an acquired"
    ),
    core(
        "ne16_load", f"sink = REGISTER({GLOBAL} + 32);", "NE16: read of register 0x20, which is not modelled"
    ),
    core(
        "ne16_store", f"REGISTER({GLOBAL} + 24) = 1;", "NE16: write of register 0x18, which is not modelled"
    ),
    running("clear", f"REGISTER({REGISTERS} + 20) = 0;", "NE16: cleared while job 0 was not waited for"),
    running(
        "read_early",
        "sink = REGISTER((uint32_t)tile + 384);",
        "load of 4 bytes at .*destination of a transfer that was not waited",
    ),
    running(
        "write_input",
        "REGISTER((uint32_t)tile + 0) = 1;",
        "store of 4 bytes at .*source of a transfer that was not waited for",
    ),
    running(
        "write_weights",
        "REGISTER((uint32_t)tile + 64) = 1;",
        "store of 4 bytes at .*source of a transfer that was not waited",
    ),
    running(
        "write_unused_bias",
        "REGISTER((uint32_t)tile + 316) = 1;",
        "store of 4 bytes at .*source of a transfer",
    ),
    running(
        "second_job", job({1: RESULT}) + TRIGGER, "transfer from .*which is the destination of a transfer"
    ),
    running(
        "two_of_two",
        job({2: f"{TILE} + 640"})
        + TRIGGER
        + f"sink = REGISTER({REGISTERS} + 12); sink = REGISTER((uint32_t)tile + 640);",
        "load of 4 bytes at .*<tile_.0x280>: destination of a transfer",
    ),
    running(
        "wide_product",
        WAIT,
        "NE16: channel 0: found a sum of -?[0-9]{10,}, which leaves 32 bits",
        "for (uint32_t i = 32; i < 96; i++) { REGISTER((uint32_t)tile + 4 * i) = 0x7fffffff; } ",
        {23: REQUANTISED | 2 << 12, 3: f"{TILE} + 192"},
    ),
    running(
        "wide_sum",
        WAIT,
        "NE16: channel 0: found a sum of -[0-9]{10}, which leaves 32 bits",
        "for (uint32_t i = 48; i < 80; i++) { REGISTER((uint32_t)tile + 4 * i) = 0x80000000; } ",
    ),
    running(
        "shift_of_33",
        WAIT,
        "NE16: channel 0: found a shift of 33, allowed 0 to 31",
        "REGISTER((uint32_t)tile + 320) = 33; ",
        {23: REQUANTISED | 1 << 24},
    ),
    pair(
        "ne16_race_after_wait",
        "if (core == 0) { " + job() + TRIGGER + WAIT + "} "
        "else { for (volatile int i = 0; i < 9999; i++) { } sink = REGISTER((uint32_t)tile + 384); }",
        CORE.replace("0x0", "0x1", 1).replace("core 0", "core 1")
        + "load of 4 bytes at .*: race: core 0 wrote it",
    ),
)
