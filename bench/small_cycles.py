"""Measure small encoders, of 2 to 60 tokens, on GVSoC: cycles, and how far the cost model is off.

    python -m bench.small_cycles [--gvsoc PATH] [--target NAME] [--networks NAME ...] [--half-l1]

--half-l1 compares TinyissimoMyo 8 x 200 with 64 KiB of L1 and with 128 KiB instead. Ends with one JSON line.
Exit status 1: an output is wrong, or a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.compile_time import export_network
from bench.cycles import COMPILE, GAP9, LIMIT_NETWORK_ERROR, LIMIT_STAGE_ERROR, TARGETS, tmc
from tests.e2e.encoders import Encoder, write_encoder
from tmc.backend_gap9.run.simulators import GVSOC_TARGET, find_gvsoc
from tmc.ir.errors import PlatformError

# By tokens and columns. Windows of 8 channels.
NETWORKS: Mapping[str, Encoder] = {
    "2x48": Encoder(2, 48, 4, layers=1, patch=20, embed="conv"),
    "4x32": Encoder(4, 32, 2, layers=1, patch=20, embed="conv"),
    "6x64": Encoder(6, 64, 4, patch=10),
    "10x48": Encoder(10, 48, 4, patch=20, embed="conv"),
    "16x32": Encoder(16, 32, 2, patch=10, activation="relu"),
    "20x64": Encoder(20, 64, 4, patch=10, embed="conv"),
    "25x96": Encoder(25, 96, 4, layers=1, patch=8, embed="conv"),
    "32x48": Encoder(32, 48, 4, patch=5, embed="conv", norm="post"),
    "50x64": Encoder(50, 64, 4, patch=4, embed="conv"),
    "60x32": Encoder(60, 32, 4, patch=4, head="tokens"),
}
LIMITS_CYCLES = {"10x48": 120_000}
LEAST_MAC_PER_CYCLE = {"50x64": 11.0}
LIMIT_HALF_L1 = 1.25
HALF_L1 = 'base = "gap9"\n[l1]\nsize_bytes = 65_536\n'


@dataclass(frozen=True, slots=True)
class Measured:
    """One network: cycles measured and by the cost model, and by what part the model is off at each stage."""

    name: str
    bit_exact: bool
    macs: int
    cycles: int
    modelled_cycles: int
    stage_errors: Mapping[str, float]

    @property
    def error(self) -> float:
        """Return how far the model is off."""
        return self.modelled_cycles / self.cycles - 1

    def faults(self) -> list[str]:
        """Return what is wrong or beyond its limit, in words."""
        most, least = LIMITS_CYCLES.get(self.name), LEAST_MAC_PER_CYCLE.get(self.name)
        found = [] if self.bit_exact else [f"{self.name}: wrong integers"]
        if most is not None and self.cycles > most:
            found.append(f"{self.name}: {self.cycles:,} cycles, allowed {most:,}")
        if least is not None and self.macs / self.cycles < least:
            found.append(f"{self.name}: {self.macs / self.cycles:.2f} MAC/cycle, at least {least}")
        if abs(self.error) > LIMIT_NETWORK_ERROR:
            found.append(
                f"{self.name}: the model is off by {self.error:.1%}, allowed {LIMIT_NETWORK_ERROR:.0%}"
            )
        found += [
            f"{self.name}, {stage}: the model is off by {error:.1%}, allowed {LIMIT_STAGE_ERROR:.0%}"
            for stage, error in self.stage_errors.items()
            if abs(error) > LIMIT_STAGE_ERROR
        ]
        return found


def measure(name: str, model: Path, gvsoc: Path, output: Path, *options: str | Path) -> Measured:
    """Compile one network and run it."""
    facts = tmc("compile", model, "-o", output, *options)
    ran = tmc("run", output, "--on", "gvsoc", "--no-trace", "--gvsoc", gvsoc)
    errors = {stage["name"]: stage["modelled_cycles"] / stage["cycles"] - 1 for stage in ran["stages"]}
    return Measured(name, ran["bit_exact"], facts["macs"], ran["cycles"], facts["cycles_estimate"], errors)


def print_one(each: Measured) -> None:
    """Print one line of the table."""
    worst = max(each.stage_errors.values(), key=abs)
    print(
        f"{each.name:<20}{each.cycles:>13,}{each.macs / each.cycles:>11.2f}{each.modelled_cycles:>13,}"
        f"{each.error:>8.1%}{worst:>8.1%}",
        flush=True,
    )


def half_l1(gvsoc: Path, folder: Path) -> tuple[list[Measured], list[str]]:
    """Return TinyissimoMyo 8 x 200 with all of L1 and with half of it, and what is beyond the limit."""
    model, target = export_network("tinyissimo-8x200", folder), folder / "half.toml"
    target.write_text(HALF_L1)
    whole = measure("128 KiB of L1", model, gvsoc, folder / "whole", *COMPILE)
    half = measure("64 KiB of L1", model, gvsoc, folder / "half", "--target", target, *COMPILE)
    times = half.cycles / whole.cycles
    faults = [f"64 KiB of L1: {times:.2f} times the cycles, allowed {LIMIT_HALF_L1}"]
    return [whole, half], faults if times > LIMIT_HALF_L1 else []


def main() -> None:
    """Measure everything and print it."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--gvsoc", metavar="PATH", type=Path, help="GVSoC, if it is not on the path")
    parser.add_argument("--target", choices=TARGETS, default=GAP9, help="as of `tmc compile`")
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=tuple(NETWORKS))
    parser.add_argument("--half-l1", action="store_true", help="half of L1 against all of it")
    options = parser.parse_args()
    try:
        gvsoc = find_gvsoc(options.gvsoc)
    except PlatformError as error:
        sys.exit("\n".join([f"error: {error}", *(f"note: {note}" for note in error.notes)]))
    print(f"target {options.target}")
    print(f"{'network':<20}{'cycles':>13}{'MAC/cycle':>11}{'modelled':>13}{'error':>8}{'stage':>8}")
    measured: list[Measured] = []
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.half_l1:
            measured, faults = half_l1(gvsoc, folder)
            for each in measured:
                print_one(each)
        else:
            for network in options.networks:
                (folder / network).mkdir()
                model = write_encoder(folder / network, NETWORKS[network])
                output, target = folder / network / "out", options.target
                measured.append(measure(network, model, gvsoc, output, "--target", target))
                print_one(measured[-1])
    faults += [fault for each in measured for fault in each.faults()]
    for fault in faults:
        print(f"beyond its limit: {fault}")
    networks = [asdict(each) for each in measured]
    print(json.dumps({"target": GVSOC_TARGET, "networks": networks, "faults": faults}))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
