"""Compile a network with `fold_gain` among the passes: `python -m examples.passes MODEL.onnx -o DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.passes.fold_gain import fold_gain
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.errors import TmcError
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import insert_before

# Here every matrix is a `linear`, every LayerNorm a `layernorm`, and all names are final.
PASSES = insert_before(CANONICALISE, "require_canonical", fold_gain)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile with and without the pass, and run the result with it on this machine."""
    parser = argparse.ArgumentParser(prog="python -m examples.passes", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    target = target_named("gap9")
    try:
        plain = compile_model(Options(options.model, target))
        own = compile_model(Options(options.model, target, options.output, canonicalise=PASSES))
        ran = run_host(options.output)
    except TmcError as error:
        print(f"error: {error}", *(f"note: {note}" for note in error.notes), sep="\n", file=sys.stderr)
        return 1
    print(f"without fold_gain: {plain.report.cycles_estimate:,} cycles by the cost model")
    print(f"with fold_gain:    {own.report.cycles_estimate:,} cycles by the cost model")
    print(f"on this machine:   {'bit-exact' if ran.bit_exact else 'NOT bit-exact'}, {len(ran.ops)} ops")
    return 0 if ran.bit_exact else 1


if __name__ == "__main__":
    sys.exit(main())
