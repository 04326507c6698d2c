"""Measure whole networks, the overlap of transfers, and kernels on their own, on GVSoC.

    python -m bench.cycles [--gvsoc PATH] [--target NAME] [--networks NAME ...] [--no-kernels]

Exports and compiles the reference networks and runs each on the project's GVSoC target, once as it is and
once with transfers that take no time. Prints tables and ends with one JSON line. Exit status 1: an output is
wrong, or a figure is beyond its limit. --target gap9-ne16: with the accelerator, for a GVSoC that has it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.compile_time import export_network
from tmc.backend_gap9.run.simulators import GVSOC_TARGET, find_gvsoc
from tmc.ir.errors import PlatformError
from tmc.report.accelerator import AcceleratorUse

ROOT = Path(__file__).resolve().parents[1]
# Every inference brings all weights from L3: nothing is in L2 before the clock starts but the input.
COMPILE = ("--stream-weights",)
GAP9 = "gap9"
TARGETS = (GAP9, "gap9-ne16")
# Cycles from the start of inference to the output in L2, at most, on the cores.
LIMITS_CYCLES = {
    "tinymyo-8x1000": 106_000_000,
    "tinyissimo-8x1000": 54_000_000,
    "tinyissimo-8x200": 9_500_000,
    "tinymyo-16x1000": 275_000_000,
}
LIMIT_NETWORK_ERROR = 0.05
LIMIT_STAGE_ERROR = 0.15
# Of the cycles, what waiting for transfers may be.
LIMITS_WAITING = {"tinymyo-8x1000": 0.04}
SECONDS_MAX = 3600
FREE = "free_transfers=1"


@dataclass(frozen=True, slots=True)
class Stage:
    """Cycles of one stage: measured, by the cost model, and measured with free transfers."""

    name: str
    ops: tuple[str, ...]
    cycles: int
    modelled_cycles: int
    free_cycles: int
    mac_per_cycle: float

    @property
    def error(self) -> float:
        """Return how far the model is off."""
        return self.modelled_cycles / self.cycles - 1


@dataclass(frozen=True, slots=True)
class Network:
    """One network on a target; bit_exact tells of the outputs of both runs.

    accelerator: the use of one, in words; None without.
    """

    name: str
    target: str
    bit_exact: bool
    macs: int
    cycles: int
    modelled_cycles: int
    free_cycles: int
    stages: tuple[Stage, ...]
    accelerator: str | None

    @property
    def error(self) -> float:
        """Return how far the model is off."""
        return self.modelled_cycles / self.cycles - 1

    @property
    def waiting(self) -> float:
        """Return the share of the cycles that free transfers save."""
        return 1 - self.free_cycles / self.cycles

    @property
    def limit_cycles(self) -> int | None:
        """Return the cycles that are allowed; None where no limit is set."""
        return LIMITS_CYCLES[self.name] if self.target == GAP9 else None

    def faults(self) -> list[str]:
        """Return what is beyond its limit."""
        found = [] if self.bit_exact else [f"{self.name}: not bit-exact"]
        if self.limit_cycles is not None and self.cycles > self.limit_cycles:
            found.append(f"{self.name}: {self.cycles:,} cycles, allowed {self.limit_cycles:,}")
        if abs(self.error) > LIMIT_NETWORK_ERROR:
            found.append(
                f"{self.name}: the model is off by {self.error:.1%}, allowed {LIMIT_NETWORK_ERROR:.0%}"
            )
        for stage in self.stages:
            if abs(stage.error) > LIMIT_STAGE_ERROR:
                found.append(
                    f"{self.name}, {stage.name}: the model is off by {stage.error:.1%}, "
                    f"allowed {LIMIT_STAGE_ERROR:.0%}"
                )
        if self.target == GAP9 and self.waiting > LIMITS_WAITING.get(self.name, 1.0):
            found.append(f"{self.name}: {self.waiting:.1%} of the cycles wait for transfers")
        return found


def tmc(*words: str | Path) -> dict[str, Any]:
    """Run one verb and return what it says."""
    command = [sys.executable, "-m", "tmc", *map(str, words), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX, check=False
    )
    if not done.stdout:
        sys.exit(f"error: tmc {words[0]} failed with status {done.returncode}")
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def measure(name: str, target: str, gvsoc: Path, folder: Path) -> Network:
    """Export, compile and run one network."""
    output = folder / name
    facts = tmc("compile", export_network(name, folder), "--target", target, *COMPILE, "-o", output)
    run = ("run", output, "--on", "gvsoc", "--no-trace", "--gvsoc", gvsoc)
    real, free = tmc(*run), tmc(*run, "--property", FREE)
    stages = tuple(
        Stage(
            stage["name"],
            tuple(stage["ops"]),
            stage["cycles"],
            stage["modelled_cycles"],
            quick["cycles"],
            stage["mac_per_cycle"],
        )
        for stage, quick in zip(real["stages"], free["stages"], strict=True)
    )
    use = facts.get("accelerator")
    return Network(
        name,
        target,
        real["bit_exact"] and free["bit_exact"],
        facts["macs"],
        real["cycles"],
        facts["cycles_estimate"],
        free["cycles"],
        stages,
        None if use is None else AcceleratorUse(**use).text(facts["macs"], real["cycles"]),
    )


def print_stages(network: Network) -> None:
    """Print the stages of one network."""
    print(f"\n{network.name}: stages")
    print(f"{'stage':<10}{'cycles':>13}{'modelled':>13}{'error':>8}{'MAC/cycle':>11}{'waiting':>9}  ops")
    for each in network.stages:
        waiting = 1 - each.free_cycles / each.cycles
        print(
            f"{each.name:<10}{each.cycles:>13,}{each.modelled_cycles:>13,}{each.error:>8.1%}"
            f"{each.mac_per_cycle:>11.2f}{waiting:>9.1%}  {', '.join(each.ops)}",
            flush=True,
        )


def print_networks(networks: Sequence[Network]) -> None:
    """Print one line for each network."""
    print(f"\nnetworks, GVSoC target {GVSOC_TARGET}; waiting: what free transfers save")
    head = f"{'network':<20}{'cycles':>13}{'at most':>13}{'MAC/cycle':>11}"
    print(f"{head}{'modelled':>13}{'error':>8}{'waiting':>9}")
    for each in networks:
        rate = each.macs / each.cycles
        limit = "-" if each.limit_cycles is None else f"{each.limit_cycles:,}"
        print(
            f"{each.name:<20}{each.cycles:>13,}{limit:>13}{rate:>11.2f}"
            f"{each.modelled_cycles:>13,}{each.error:>8.1%}{each.waiting:>9.1%}",
            flush=True,
        )
    for each in networks:
        if each.accelerator is not None:
            print(f"{each.name}: {each.accelerator}")


def measure_kernels(target: str, gvsoc: Path) -> list[dict[str, Any]]:
    """Run the programs of single kernels, which print a table, and return what they measured."""
    command = [sys.executable, "-m", "bench.kernel_cycles", "--gvsoc", str(gvsoc), "--target", target]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX, check=True
    )
    *table, last = done.stdout.splitlines()
    print("\nkernels\n" + "\n".join(table), flush=True)
    kernels = json.loads(last)["kernels"]
    assert isinstance(kernels, list)
    return kernels


def main() -> None:
    """Measure everything and print it."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--gvsoc", metavar="PATH", type=Path, help="GVSoC, if it is not on the path")
    parser.add_argument("--target", choices=TARGETS, default=GAP9, help="as of `tmc compile`")
    parser.add_argument("--networks", nargs="+", choices=tuple(LIMITS_CYCLES), default=tuple(LIMITS_CYCLES))
    parser.add_argument("--no-kernels", action="store_true", help="networks only")
    options = parser.parse_args()
    try:
        gvsoc = find_gvsoc(options.gvsoc)
    except PlatformError as error:
        sys.exit("\n".join([f"error: {error}", *(f"note: {note}" for note in error.notes)]))
    kernels = [] if options.no_kernels else measure_kernels(options.target, gvsoc)
    networks = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks:
            networks.append(measure(name, options.target, gvsoc, Path(folder)))
            print_stages(networks[-1])
    print_networks(networks)
    faults = [fault for network in networks for fault in network.faults()]
    for fault in faults:
        print(f"beyond its limit: {fault}")
    measured = [asdict(each) for each in networks]
    print(json.dumps({"target": GVSOC_TARGET, "networks": measured, "kernels": kernels, "faults": faults}))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
