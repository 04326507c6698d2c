"""Compile every encoder of the tests' table and print what came out, as in docs/networks.md.

    python -m bench.encoders [--gvsoc PROGRAM] [NAME ...]

Each is exported with its calibration windows, compiled, run on host against the interpreter at every op, and
compared with onnxruntime on windows that calibration has not seen; with GVSoC on the path it runs there too,
bit for bit, and its cycles are counted. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

from tests.e2e.zoo.encoders import ENCODERS, Encoder
from tests.e2e.zoo.measure import measure
from tests.tmc.command import succeeded

PROGRAM = "gvsoc"


def line(shape: Encoder, seed: int, gvsoc: Path | None) -> tuple[str, dict[str, object]]:
    """Measure one encoder; return its line of the table, and its figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = measure(folder, shape, seed)
        cycles = None
        if gvsoc is not None:
            ran = succeeded("run", folder / "out", "--on", "gvsoc", "--gvsoc", gvsoc, "--no-trace")
            cycles = ran["cycles"] if ran["bit_exact"] else None
    near = f"{found.same:.0%} equal" if shape.head == "argmax" else f"{found.sqnr_db:.0f} dB"
    exporter = f"{shape.exporter}, {shape.opset}"
    counted = "" if cycles is None else f"{cycles:,}"
    figures = asdict(found) | {"name": shape.name, "gvsoc_cycles": cycles}
    text = f"| {shape.name} | {exporter} | {found.macs:,} | {near} | {found.cycles_estimate:,} | {counted} |"
    return text, figures


def main() -> int:
    """Print the table; return 1 where host or GVSoC differs from the interpreter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gvsoc", type=Path, help="GVSoC, if it is not on the path")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # exporters have much to say
    logging.disable(logging.WARNING)
    on_path = shutil.which(PROGRAM)
    gvsoc = options.gvsoc or (Path(on_path) if on_path else None)
    print(
        "| encoder | exporter, opset | MACs | outputs against onnxruntime | cycles modelled | cycles, GVSoC |"
    )
    print("|---|---|---|---|---|---|")
    every = []
    for seed, shape in enumerate(ENCODERS):
        if options.names and shape.name not in options.names:
            continue
        text, figures = line(shape, seed, gvsoc)
        print(text, flush=True)
        every.append(figures)
    print(json.dumps({"encoders": every}))
    exact = all(each["bit_exact"] and (gvsoc is None or each["gvsoc_cycles"]) for each in every)
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
