"""`python -m tests.fuzz --count 20000 --seed 1`: damaged ONNX files by number; ends in one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.campaign import run_campaign
from tests.fuzz.trial import Outcome


def main() -> int:
    """Return 1 if a file ended in a defect or a hang."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to try one again")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for files that fail")
    options = parser.parse_args()

    def watch(number: int, outcome: Outcome) -> None:
        if outcome.verdict in ("defect", "hang") or options.count == 1:
            print(f"file {number}: {outcome.verdict}\n{outcome.text}", flush=True)
        if number % 1000 == 999:
            print(f"{number + 1} files", file=sys.stderr, flush=True)

    numbers = range(options.first, options.first + options.count)
    tally = asdict(run_campaign(options.seed, numbers, options.keep, watch))
    failed = tally.pop("failed")
    if failed:
        print(f"kept in {options.keep}: " + ", ".join(f"{options.seed}-{number}.onnx" for number in failed))
    print(json.dumps({"seed": options.seed, **tally}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
