"""`tmc compile` and `tmc check`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tmc.backend_gap9.plan import Plan
from tmc.backend_gap9.plan_text import print_plan
from tmc.backend_gap9.program_text import print_program
from tmc.backend_gap9.targets import target_named
from tmc.driver import Compiled, Options, Value, Watch, compile_model
from tmc.ir.errors import TmcError
from tmc.ir.graph import Graph
from tmc.ir.text import print_graph
from tmc.passes.explain import explain


class _Stop(Exception):
    """--stop-after was reached: nothing more is computed and nothing is written."""


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    """Add what `compile` and `check` share."""
    parser.add_argument("model", metavar="MODEL.onnx", type=Path)
    parser.add_argument("--target", default="gap9", metavar="NAME", help="see `tmc targets`; default: gap9")
    parser.add_argument(
        "--calibration",
        metavar="FILE.npz",
        type=Path,
        help="one array per input, first axis = samples; default: MODEL.calibration.npz",
    )
    parser.add_argument(
        "--name", help="name of the network and of its C symbols; default: from the file name"
    )
    debugging = parser.add_argument_group("debugging")
    debugging.add_argument(
        "--print-ir-after", metavar="NAME", help="print what a pass or stage made, or `all`"
    )
    debugging.add_argument("--stop-after", metavar="NAME", help="stop after a pass or stage; write nothing")
    debugging.add_argument(
        "--dump-dir", metavar="DIR", type=Path, help="write what every pass and stage made"
    )
    debugging.add_argument(
        "--time-passes", action="store_true", help="print the seconds of every pass and stage"
    )
    debugging.add_argument("--explain", action="store_true", help="say why recognisers left parts alone")


def compile_(options: argparse.Namespace) -> int:
    """Compile MODEL.onnx into a directory."""
    output = Path(options.output) if options.output else options.model.with_suffix("")
    return _run(options, output)


def check(options: argparse.Namespace) -> int:
    """Compile without writing anything."""
    return _run(options, None)


def _run(options: argparse.Namespace, output: Path | None) -> int:
    log = _Log(options)
    request = Options(options.model, target_named(options.target), output, options.calibration, options.name)
    try:
        compiled = compile_model(request, Watch(log.stage, log.after))
    except _Stop:
        if options.json:
            print(json.dumps({"ok": True, "stopped_after": options.stop_after, "seconds": log.seconds}))
        return 0
    if options.stop_after is not None:
        raise TmcError("--stop-after", f"found {options.stop_after}, allowed {', '.join(log.seconds)}")
    if not compiled.calibration.meaningful:
        print(
            "warning: calibrated on noise, for want of samples: scales and accuracy mean nothing.\n"
            f"note: give --calibration FILE.npz, or have {options.model.stem}.calibration.npz beside it",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(_as_json(compiled, options.model, output, log.seconds)))
    else:
        _summarise(compiled, output)
    return 0


class _Log:
    """Print progress to standard error and what the debugging options ask for; keep the seconds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._start = time.perf_counter()
        self.seconds: dict[str, float] = {}
        if options.dump_dir is not None:
            options.dump_dir.mkdir(parents=True, exist_ok=True)

    def stage(self, text: str) -> None:
        print(f"[{time.perf_counter() - self._start:6.1f} s] {text}", file=sys.stderr, flush=True)

    def after(self, name: str, value: Value, seconds: float) -> None:
        options = self._options
        number = len(self.seconds)
        self.seconds[name] = round(seconds, 3)
        if options.time_passes:
            print(f"{seconds:9.3f} s  {name}", file=sys.stderr)
        if options.print_ir_after in (name, "all"):
            print(f"# after {name}\n{_text(value)}", file=sys.stderr if options.json else sys.stdout)
        if options.dump_dir is not None:
            suffix = "ir" if isinstance(value, Graph) else "txt"
            (options.dump_dir / f"{number:02}_{name}.{suffix}").write_text(_text(value), encoding="utf-8")
        if options.explain and isinstance(value, Graph) and name == "remove_dead_ops":
            for declined in explain(value):
                print(f"declined: {declined.loc}: {declined.reason}", file=sys.stderr)
        if options.stop_after == name:
            raise _Stop


def _text(value: Value) -> str:
    if isinstance(value, Graph):
        return print_graph(value)
    return print_plan(value) if isinstance(value, Plan) else print_program(value)


def _as_json(
    compiled: Compiled, model: Path, output: Path | None, seconds: dict[str, float]
) -> dict[str, object]:
    facts = compiled.report.to_json()
    return {
        "ok": True,
        **facts,
        "model": str(model),
        "output_dir": None if output is None else str(output),
        "calibration": compiled.calibration.source,
        "reference_difference": compiled.reference_difference,
        "seconds": seconds,
    }


def _summarise(compiled: Compiled, output: Path | None) -> None:
    report = compiled.report
    rows = (
        ("network", f"{report.network}, {report.macs:,} multiply-accumulates"),
        ("weights", f"{report.weights_bytes:,} bytes in L3"),
        ("L1", f"{report.l1.peak_bytes:,} of {report.l1.budget_bytes:,} bytes"),
        (
            "L2",
            f"{report.l2.peak_bytes:,} of {report.l2.budget_bytes:,} bytes; no plan needs less than "
            f"{report.l2.bound_bytes:,}",
        ),
        (
            "cycles",
            f"{report.cycles_estimate:,} by the cost model, "
            f"{report.cycles_estimate / report.cluster_hz * 1e3:.1f} ms at "
            f"{report.cluster_hz / 1e6:.0f} MHz",
        ),
        ("proved", f"{compiled.proof}"),
        (
            "imported",
            f"equal to onnxruntime within {compiled.reference_difference:.1e} of the output's range",
        ),
        ("written", "nothing (check)" if output is None else f"{output}; open {output / 'report.html'}"),
    )
    for name, text in rows:
        print(f"{name:9} {text}")
