"""`tmc compile` and `tmc check`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from tmc.accuracy_floor import Floor
from tmc.backend_gap9.emit.keep_files import KeptFiles
from tmc.backend_gap9.prove.check_program import CheckReport
from tmc.backend_gap9.target.targets import target_named
from tmc.cli.value_text import accuracy_lines, beyond_text, print_value
from tmc.compile_stages import compile_stages
from tmc.driver import Compiled, Options, Value, compile_model
from tmc.integer_inputs import Limits
from tmc.ir.errors import TmcError
from tmc.ir.graph import Graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.explain import explaining
from tmc.passes.pipeline import Declined
from tmc.passes.recipe import CHOICES, DEFAULT, NAMED
from tmc.passes.watch import Watch


class _Stop(Exception):
    """--stop-after was reached: nothing more is computed and nothing is written."""


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    """Add what `compile` and `check` share."""
    parser.add_argument("model", metavar="MODEL.onnx", type=Path)
    parser.add_argument(
        "--target",
        default="gap9",
        metavar="NAME|FILE.toml",
        help="one that `tmc targets` lists, or the description of your own; default: gap9",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE.npz",
        type=Path,
        help="one array per input, first axis = samples; default: MODEL.calibration.npz",
    )
    parser.add_argument(
        "--shape",
        metavar="INPUT=1x8x200",
        action="append",
        default=[],
        help="the sizes of an input that the file leaves open; may be repeated; default: 1 for a first axis",
    )
    parser.add_argument(
        "--input-range",
        metavar="[INPUT=]LOW:HIGH",
        action="append",
        default=[],
        help="the integers that a network of integers (RequantShift) reads, for example 0:255, of one input "
        "or from all; default: what the samples show",
    )
    parser.add_argument(
        "--name", help="name of the network and of its C symbols; default: from the file name"
    )
    parser.add_argument(
        "--stream-weights",
        action="store_true",
        help="keep no weights in L2 between inferences: each one brings all of them from L3",
    )
    parser.add_argument(
        "--accuracy-floor",
        metavar="DB",
        type=float,
        help="fail below this signal to quantisation noise of the output, on held-back calibration windows",
    )
    parser.add_argument(
        "--agreement-floor",
        metavar="PERCENT",
        type=float,
        help="fail if the class is that of float in fewer held-back calibration windows",
    )
    parser.add_argument(
        "--recipe",
        metavar="STEP=VALUE",
        action="append",
        default=[],
        help="switch a step of the quantisation, to measure its worth; may be repeated; "
        f"steps: {', '.join(CHOICES)}; or a whole recipe: {', '.join(NAMED)}",
    )
    parser.add_argument(
        "--bits",
        metavar="VALUE=16",
        action="append",
        default=[],
        help="store the result of a node in int16 where the recipe would take int8; may be repeated",
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
    beside = options.model.with_suffix("") if options.model.name else options.model
    output = Path(options.output) if options.output else beside
    return _run(options, output)


def check(options: argparse.Namespace) -> int:
    """Compile without writing anything."""
    return _run(options, None)


def _run(options: argparse.Namespace, output: Path | None) -> int:
    for option in ("print_ir_after", "stop_after"):
        _check_name(option, getattr(options, option))
    target = target_named(options.target)
    recipe = DEFAULT.with_settings(options.recipe)
    declined: list[Declined] = []
    passes = explaining(CANONICALISE, declined) if options.explain else CANONICALISE
    log = _Log(options)
    output = None if options.stop_after else output
    try:
        compiled = compile_model(
            Options(
                options.model,
                target,
                output,
                options.calibration,
                options.name,
                dict(map(_shape, options.shape)),
                dict(map(_input_range, options.input_range)),
                resident_weights=not options.stream_weights,
                judge_shapes=_is_planned(options.stop_after),
                recipe=recipe,
                wide=frozenset(map(_wide_value, options.bits)),
                floor=Floor(options.accuracy_floor, options.agreement_floor),
                canonicalise=passes,
            ),
            Watch(log.stage, log.after, log.note),
        )
    except _Stop:
        if options.json:
            print(json.dumps({"ok": True, "stopped_after": options.stop_after, "seconds": log.seconds}))
        return 0
    finally:
        for reason in dict.fromkeys(declined):
            print(f"declined: {reason}", file=sys.stderr)
    if options.stop_after:
        raise TmcError(
            "--stop-after",
            f"found no {options.stop_after} on the way of this model, allowed {', '.join(log.shown)}",
            "a model that declares all its codes is not calibrated; only such a model is lowered by them",
        )
    kept = compiled.report.declared
    if not (compiled.calibration.meaningful or (kept and kept.exact)):
        known = "scales and accuracy mean nothing"
        if kept is not None and kept.ranges:
            known = (
                f"the ranges of {kept.ranges} values are the model's own, those of the others are noise's; "
                "the figures of accuracy mean nothing"
            )
        print(
            f"warning: calibrated on noise, for want of samples: {known}.\n"
            f"note: give --calibration FILE.npz, or have {options.model.stem}.calibration.npz beside it",
            file=sys.stderr,
        )
    beyond = beyond_text(compiled.accuracy)
    if beyond is not None:
        remedy = "calibrate on more windows, the loudest that the network will see among them"
        print(f"warning: {beyond}.\nnote: {remedy}", file=sys.stderr)
    if options.json:
        print(json.dumps(_as_json(compiled, options.model, output, log.seconds)))
    else:
        _summarise(compiled, output)
    return 0


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Return an input and its shape. Raises: TmcError for another form."""
    match = re.fullmatch(r"(.+)=([1-9]\d{0,8}(?:x[1-9]\d{0,8})*)", text)
    if match is None:
        raise TmcError(
            "--shape", f"found {text!r}, allowed INPUT=SIZExSIZE...", "such as --shape emg=1x8x200"
        )
    return match[1], tuple(int(size) for size in match[2].split("x"))


def _wide_value(text: str) -> str:
    """Return the name of a value that is to have 16 bits. Raises: TmcError for another form."""
    match = re.fullmatch(r"%?(.+)=16", text)
    if match is None:
        raise TmcError(
            "--bits",
            f"found {text!r}, allowed VALUE=16",
            "name the ONNX node, as the lines on accuracy do, or the value",
        )
    return match[1]


def _input_range(text: str) -> tuple[str | None, Limits]:
    """Return the input, if one is named, and the ends of a range. Raises: TmcError for another form."""
    match = re.fullmatch(r"(?:(.+)=)?(-?\d{1,9}):(-?\d{1,9})", text)
    if match is None:
        raise TmcError(
            "--input-range",
            f"found {text!r}, allowed LOW:HIGH or INPUT=LOW:HIGH, two integers",
            "such as --input-range=0:255",
        )
    return match[1], (int(match[2]), int(match[3]))


def _is_planned(stop_after: str | None) -> bool:
    """Tell whether a compile that stops there, or nowhere, needs room in the memories of the target."""
    return stop_after is None or any(stage.planned and stage.name == stop_after for stage in compile_stages())


def _check_name(option: str, name: str | None) -> None:
    """Refuse a pass or stage that does not exist, before any work is done."""
    allowed = tuple(stage.name for stage in compile_stages())
    allowed += ("all",) * (option == "print_ir_after")
    if name is not None and name not in allowed:
        where = f"--{option.replace('_', '-')}"
        raise TmcError(where, f"found {name}, allowed {', '.join(allowed)}", "see `tmc passes`")


class _Log:
    """Print progress to standard error and what the debugging options ask for; keep the seconds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._start = time.perf_counter()
        self.shown: list[str] = []
        self.seconds: dict[str, float] = {}

    def stage(self, text: str) -> None:
        print(f"[{time.perf_counter() - self._start:6.1f} s] {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        print(f"assumed: {text}", file=sys.stderr, flush=True)

    def after(self, name: str, value: Value | None, seconds: float) -> None:
        options = self._options
        self.seconds[name] = round(seconds, 3)
        if options.time_passes:
            print(f"{seconds:9.3f} s  {name}", file=sys.stderr)
        if value is None:
            return
        if options.print_ir_after in (name, "all"):
            print(f"# after {name}\n{print_value(value)}", file=sys.stderr if options.json else sys.stdout)
        if options.dump_dir is not None:
            suffix = "ir" if isinstance(value, Graph) else "txt"
            _write(options.dump_dir / f"{len(self.shown):02}_{name}.{suffix}", print_value(value))
        self.shown.append(name)
        if options.stop_after == name:
            raise _Stop


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TmcError(
            "--dump-dir", f"{path} cannot be written: {error.strerror}", "name another directory"
        ) from error


def _as_json(
    compiled: Compiled, model: Path, output: Path | None, seconds: dict[str, float]
) -> dict[str, object]:
    facts = compiled.report.to_json()
    return {
        "ok": True,
        **facts,
        "model": str(model),
        "output_dir": None if output is None else str(output),
        "kept_files": {
            "in_place": list(compiled.kept_files.in_place),
            "renamed": dict(compiled.kept_files.renamed),
            "before": None if compiled.kept_files.before is None else str(compiled.kept_files.before),
        },
        "calibration": compiled.calibration.source,
        "reference_difference": compiled.reference_difference,
        "oracle": compiled.oracle,
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
        *((("stages", f"in {report.order.text}"),) if report.order else ()),
        (
            "stack",
            f"at most {report.worker_stack.need_bytes:,} of {report.stacks.worker_bytes:,} bytes each core",
        ),
        (
            "cycles",
            f"{report.cycles_estimate:,} by the cost model, "
            f"{report.cycles_estimate / report.cluster_hz * 1e3:.1f} ms at "
            f"{report.cluster_hz / 1e6:.0f} MHz",
        ),
        ("proved", _proof_text(compiled.proof)),
        (
            "imported",
            f"equal to {compiled.oracle} within {compiled.reference_difference:.1e} of the output's range",
        ),
        *((("declared", report.declared.summary()),) if report.declared else ()),
        *((("loudness", report.loudness_text),) if report.loudness_text else ()),
        *_accuracy_rows(compiled),
        ("written", "nothing (check)" if output is None else f"{output}; open {output / 'report.html'}"),
        *(("kept", text) for text in _kept_lines(compiled.kept_files)),
    )
    for name, text in rows:
        print(f"{name:9} {text}")


def _accuracy_rows(compiled: Compiled) -> list[tuple[str, str]]:
    found = compiled.accuracy
    outputs, worst = accuracy_lines(found)[: len(found.outputs)], accuracy_lines(found)[len(found.outputs) :]
    if found.basis == "noise":
        outputs = ["means nothing: calibrated and compared on noise, for want of recorded windows"]
        worst = []
    basis = f"against float on {found.windows} {found.basis}: "
    rows = [("accuracy", basis * (found.basis != "noise") + text) for text in outputs]
    return rows + [("worst", text) for text in worst]


def _kept_lines(kept: KeptFiles) -> list[str]:
    """Say what of others is still in the output directory, and where."""
    lines = []
    if kept.in_place:
        lines.append(f"{', '.join(kept.in_place)}: not written by tmc, left as found")
    lines += [
        f"{name} as {new}: changed since the last compile, or in the way of this one"
        for name, new in kept.renamed.items()
    ]
    if kept.before is not None:
        lines.append(f"the directory found there as {kept.before}: it has no manifest of what tmc wrote")
    return lines


def _proof_text(proof: CheckReport) -> str:
    return (
        f"{proof.transfers:,} transfers and {proof.calls:,} kernel calls, {proof.bytes_proved:,} bytes read: "
        "no race, nothing out of bounds"
    )
