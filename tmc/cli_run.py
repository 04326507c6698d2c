"""`tmc run` and `tmc report`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tmc.backend_gap9.output_directory import MARKER
from tmc.backend_gap9.run_host import run_host
from tmc.backend_gap9.run_result import RunResult, load_golden
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.ir.types import Array
from tmc.passes.codes import dequantise, quantise_inputs

PLATFORMS: Mapping[str, Callable[[Path, Array | None], RunResult]] = {"host": run_host}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument("--on", required=True, choices=tuple(PLATFORMS), help="where to run it")
    parser.add_argument(
        "--input",
        metavar="X.npy",
        type=Path,
        help="one input or a stack of them, real numbers or codes; default: the golden input",
    )
    parser.add_argument(
        "--output",
        metavar="Y.npy",
        type=Path,
        help="write the outputs: real numbers for a real input, codes for codes",
    )


def run(options: argparse.Namespace) -> int:
    """Run a compiled directory and compare; return 1 where a single element is wrong."""
    codes, real = None, False
    graph = load_golden(options.directory).graph
    if options.input is not None:
        codes, real = _read_input(options.input, graph)
    result = PLATFORMS[options.on](options.directory, codes)
    if options.output is not None:
        kind = graph.types[graph.outputs[0]]
        outputs = dequantise(kind, result.outputs).astype(np.float32) if real else result.outputs
        with options.output.open("wb") as file:  # numpy would add .npy to a name without it
            np.save(file, outputs, allow_pickle=False)
    if options.json:
        print(json.dumps(_as_json(result)))
    else:
        _summarise(result)
    return 0 if result.bit_exact else 1


def _read_input(path: Path, graph: Graph) -> tuple[Array, bool]:
    """Return the codes [runs, *shape] in a file, and whether it held real numbers.

    Raises: PlatformError for an unreadable file or another shape.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PlatformError(str(path), f"found no readable npy file ({error})") from error
    name = graph.inputs[0]
    shape = graph.types[name].shape
    shorter = shape[1:] if shape[:1] == (1,) else shape
    if array.shape in (shape, shorter):
        array = array[None]
    if array.shape[1:] not in (shape, shorter) or len(array) == 0:
        raise PlatformError(
            str(path),
            f"found shape {array.shape}, allowed {shape} or a stack of these",
            "the batch axis of 1 may be left out",
        )
    array = array.reshape(len(array), *shape)
    if np.issubdtype(array.dtype, np.integer):
        return array, False
    return np.stack([quantise_inputs(graph, {name: sample})[name] for sample in array]), True


def _as_json(result: RunResult) -> dict[str, Any]:
    ops = [
        {"name": op.name, "op": op.op, "node": op.node, "elements": op.elements, "mismatches": op.mismatches}
        for op in result.ops
    ]
    return {
        "ok": True,
        "bit_exact": result.bit_exact,
        "platform": result.platform,
        "mismatches": result.mismatches,
        "runs": len(result.outputs),
        "cycles": result.cycles,
        "seconds": round(result.seconds, 3),
        "layers": ops,
    }


def _summarise(result: RunResult) -> None:
    elements = sum(op.elements for op in result.ops)
    print(f"{result.platform}: {len(result.outputs)} runs in {result.seconds:.2f} s")
    if result.bit_exact:
        print(f"bit-exact: {elements:,} elements of {len(result.ops)} ops equal the interpreter's")
        return
    print(f"NOT bit-exact: {result.mismatches:,} elements differ")
    wrong = result.first_wrong
    if wrong is not None and wrong.first is not None:
        first = wrong.first
        print(
            f"first: {wrong.name} ({wrong.op}, from {wrong.node}), run {first.run}, index {first.index}: "
            f"found {first.found}, expected {first.expected}"
        )


def report(options: argparse.Namespace) -> int:
    """Summarise a compiled directory."""
    path = Path(options.directory) / MARKER
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlatformError(
            str(options.directory),
            f"found no compiled network ({error})",
            "give a directory that `tmc compile` wrote",
        ) from error
    if options.json:
        print(json.dumps({"ok": True, **facts}))
        return 0
    print(
        f"{facts['network']} for {facts['target']}, {facts['macs']:,} multiply-accumulates, "
        f"{facts['cycles_estimate']:,} cycles by the cost model"
    )
    for memory in ("l1", "l2", "l3"):
        print(
            f"{memory.upper()}  {facts[f'{memory}_peak_bytes']:>10,} bytes "
            f"of {facts[f'{memory}_budget_bytes']:,}"
        )
    print(f"{'stage':<10} {'cycles':>12} {'exposed':>10} {'MAC/cycle':>10}  ops")
    for stage in facts["stages"]:
        rate = stage["macs"] / stage["cycles"]
        print(
            f"{stage['name']:<10} {stage['cycles']:>12,} {stage['exposed_cycles']:>10,} {rate:>10.2f}  "
            f"{', '.join(stage['ops'])}"
        )
    print(f"details: {Path(options.directory) / 'report.html'}")
    return 0
