"""The bound on a core's stack: held to what the cross compiler makes of kernels and of stages."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.networks.emitted_network import emitted
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tests.networks.small_output import graph, program
from tests.runtime_c.building import RUNTIME, includes
from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.emit.stack_need import check_stack, stack_need, stage_frame_bytes
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.program import Stage
from tmc.backend_gap9.target.target import Stacks
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph

MACHINE = (
    "-march=rv32imc",
    "-mabi=ilp32",
    "-std=gnu11",
    "-ffreestanding",
    "-fno-common",
    "-fno-tree-loop-distribute-patterns",
)
# What kernels call and use: as on bare metal, where it takes no stack.
PLATFORM = """
unsigned long tmc_ne16_last;
unsigned tmc_core_id(void) { return *(volatile unsigned *)16; }
void tmc_barrier(void) { *(volatile unsigned *)20; }
void _start(void) { }
"""
FREESTANDING = RUNTIME / "bare_metal" / "freestanding.c"
# Tokens, layers, channels, samples, rope period, and tiles: with loops in loops, with none, ragged.
NETWORKS = {
    "ragged": (24, 2, 4, 48, 24, Tiles(rows=16, channels=12, buffers=2, queries=5, keys=20, values=4)),
    "whole": (20, 1, 4, 40, 0, Tiles(rows=20, channels=96, buffers=1, queries=20, keys=20, values=8)),
    "deep": (30, 3, 6, 60, 5, Tiles(rows=8, channels=8, buffers=2, queries=8, keys=12, values=4)),
}


@cache
def network(name: str) -> Graph:
    """Return one of the networks."""
    tokens, layers, channels, samples, period, _ = NETWORKS[name]
    return integer_network(
        tokens, layers, channels, samples, 5, seed=tokens, rope_period=period, dim=24, heads=3, hidden=40
    )


def stated_needs() -> Mapping[str, int]:
    """Return what the table says of each kernel, by its whole name."""
    return {
        f"{stem}_{isa}": need for stem, kernel in KERNELS.items() for isa, need in kernel.stack_bytes.items()
    }


def kernel_needs(folder: Path, level: str) -> Mapping[str, int]:
    """Return what each kernel needs by its whole name, from a program of all of them."""
    (folder / "platform.c").write_text(PLATFORM)
    sources = [folder / "platform.c", FREESTANDING, *sorted((RUNTIME / "kernels").glob("*.c"))]
    program = folder / "kernels.elf"
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    link = ["-nostdlib", "-nostartfiles", "-lgcc", "-o", program]
    run_quietly([gcc, *MACHINE, level, *includes(), f"-I{RUNTIME / 'bare_metal'}", *sources, *link])
    objdump = gcc.removesuffix("gcc") + "objdump"
    text = subprocess.run([objdump, "-d", str(program)], capture_output=True, text=True, check=True).stdout
    stacks = " ".join(f"{name}:4096" for name in stated_needs())
    command = ["awk", f"-vstacks={stacks}", "-f", str(RUNTIME / "stacks" / "stack_need.awk")]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    # stack: at most 48 of 4096 bytes: NAME 48
    words = [line.split() for line in done.stdout.splitlines()]
    return {word[7]: int(word[3]) for word in words}


def test_kernels_need_what_their_table_says(tmp_path: Path) -> None:
    found = [kernel_needs(tmp_path, level) for level in ("-O2", "-O3")]
    largest = {name: max(needs[name] for needs in found) for name in found[0]}
    stated = stated_needs()
    assert largest.keys() == stated.keys()
    # Another release of the compiler may need less, but not much less: then the table is out of date.
    assert {name: need for name, need in largest.items() if not need <= stated[name] <= need + 32} == {}


def frames(directory: Path, *flags: str) -> Mapping[str, int]:
    """Return the frames of the functions of network.c."""
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    folders = [f"-I{path}" for path in (directory, directory / "include", RUNTIME / "bare_metal")]
    command = [gcc, *MACHINE, "-DTMC_STAGES", "-fstack-usage", *folders, *flags, "-c"]
    run_quietly([*command, directory / "network.c", "-o", directory / "network.o"])
    lines = (directory / "network.su").read_text().splitlines()
    return {name.rsplit(":", 1)[1]: int(size) for name, size, _ in (line.split("\t") for line in lines)}


@pytest.mark.parametrize("flags", [("-O2",), ("-O2", "-DTMC_TRACE"), ("-O3",)], ids=" ".join)
@pytest.mark.parametrize("name", NETWORKS)
def test_frames_of_stages_are_below_the_rule(tmp_path: Path, name: str, flags: tuple[str, ...]) -> None:
    tiles = NETWORKS[name][-1]
    write_directory(emitted(network(name), tiles), tmp_path / "out")
    stages = {stage.name: stage for stage in simple_plan(network(name), tiles).program.stages}
    found = frames(tmp_path / "out", *flags)
    for function, size_bytes in found.items():
        assert size_bytes <= limit(function, stages), function
    assert found["network_entry"] <= 16
    assert sum(function.startswith("network_stage_") for function in found) == len(stages)


def limit(function: str, stages: Mapping[str, Stage]) -> int:
    """Return what the rule allows a function of network.c."""
    number = function.removeprefix("network_like_stage_").removeprefix("network_stage_")
    if number.isdigit():
        return stage_frame_bytes(stages[f"stage_{number}"])
    return 96


def test_the_deepest_path_has_every_part() -> None:
    need = stack_need(program())
    stage = next(stage for stage in program().stages if stage.name == need.stage)
    assert need.need_bytes == 96 + stage_frame_bytes(stage) + KERNELS[need.kernel].stack_bytes["xpulp"]
    assert (need.stage, need.kernel) == ("stage_1", "tmc_linear_add_s8s8s16")


def test_a_program_that_needs_more_than_the_target_has_is_refused() -> None:
    target, need = target_named("gap9"), stack_need(program())
    exact = replace(target, stacks=Stacks(need.need_bytes, 2048))
    check_stack(program(), graph(), exact)
    less = replace(target, stacks=Stacks(need.need_bytes - 16, 2048))
    with pytest.raises(PlanError) as caught:
        check_stack(program(), graph(), less)
    assert caught.value.where == graph().ops[1].loc
    assert caught.value.what == (
        f"found a need of {need.need_bytes:,} bytes on the stack of a core, deepest in {need.kernel}, "
        f"allowed {need.need_bytes - 16:,}"
    )


def test_every_kernel_fits_the_targets_stack_in_the_largest_frame() -> None:
    """No network needs more while loops are four deep at most: the target's stacks are large enough."""
    args_bytes = max(kernel.args_bytes for kernel in KERNELS.values())
    largest = max(need for kernel in KERNELS.values() for need in kernel.stack_bytes.values())
    assert 96 + 64 + 48 + args_bytes + 15 + 4 * 32 + largest <= target_named("gap9").stacks.worker_bytes
