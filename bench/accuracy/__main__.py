"""Measure accuracy on trained networks and real signals; ends with one JSON line.

    python -m bench.accuracy [--quick] [--networks NAME ...] [--windows N] [--no-sentences]
    python -m bench.accuracy --ablation
    python -m bench.accuracy --sources

Fails, naming the rows, where a figure misses its floor or a single integer of the C is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.accuracy.ablation import ABLATION
from bench.accuracy.floors import STRESSED, TRAINED, Floor, misses, must_miss, values
from bench.accuracy.signals import Parts, read_parts
from bench.accuracy.sources import SOURCES
from bench.accuracy.stress import SHARP, SHARPENING, stressed
from bench.accuracy.subject import Subject, subject
from bench.accuracy.suite import NAIVE, TMC, TMC_WIDE, Outcome, Sizes, by_others, by_tmc
from bench.accuracy.tables import Study, table, write_table
from bench.accuracy.train import NETWORKS, Network, Teaching, trained
from bench.accuracy.workers import Workers, workers
from bench.sentence_encoder import TEST_SENTENCES, evaluate_sentence_encoder, failures, lines
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import TinyMyo

FOLDER = Path("build/bench-accuracy")
QUICK = Sizes(windows=48, token_windows=12, other_windows=24, stressed_windows=12)
HEADING = (
    f"{'network':<24} {'quantiser':<36} {'windows':>7} {'logit dB':>8} {'token dB':>8} "
    f"{'agree %':>8} {'margin':>7} {'float %':>8} {'int %':>7} {'C wrong':>7} {'s':>6}"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, and a line for each figure that fails."""

    outcomes: list[Outcome]
    failed: list[str]

    def add(self, one: Outcome, floors: Sequence[Floor]) -> None:
        """Print an outcome and judge it: ours must hold, the naive recipe must not, a peer is not judged."""
        print(_line(one), flush=True)
        self.outcomes.append(one)
        where = f"{one.network}, {one.quantiser}"
        if one.quantiser in (TMC, TMC_WIDE):
            self.failed.extend(misses(where, values(one.figures), floors))
            self.failed.extend([f"{where}: {one.wrong_integers} wrong integers"] * bool(one.wrong_integers))
        if one.quantiser == NAIVE:
            self.failed.extend(must_miss(where, values(one.figures), floors))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite, or a study of the first network."""
    options = _parser().parse_args(arguments)
    networks = [network for network in NETWORKS if network.name in options.networks]
    networks = networks[:1] if options.study else networks
    sizes = QUICK if options.quick else Sizes()
    if options.windows is not None:
        few = min(options.windows, sizes.other_windows)
        sizes = Sizes(options.windows, min(few, sizes.token_windows), few, min(few, sizes.stressed_windows))
    teaching = Teaching().shortened() if options.quick else Teaching()
    try:
        parts = read_parts()
        kept = FOLDER / "trained"
        models = {network: trained(network, parts, teaching, kept) for network in networks}
    except TinyMyoError as error:
        print(f"error: {error}\nnote: {error.note}", file=sys.stderr)
        return 1
    with workers() as pool:
        if options.study:
            return _study(pool, options.study, networks[0], models[networks[0]], parts)
        measured = _suite(pool, models, parts, sizes)
        sentences, failed = None, list(measured.failed)
        if options.sentences:
            sentences, missed = _sentences(pool, 24 if options.quick else TEST_SENTENCES)
            failed += missed
    for line in failed:
        print(f"FAILED {line}")
    networks_json = [_as_json(one) for one in measured.outcomes]
    print(
        json.dumps(
            {
                "bench": "accuracy",
                "ok": not failed,
                "failed": failed,
                "networks": networks_json,
                "sentence_encoder": sentences,
            }
        )
    )
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description="Measure accuracy.")
    names = [network.name for network in NETWORKS]
    parser.add_argument(
        "--networks", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {' '.join(names)}"
    )
    parser.add_argument(
        "--no-sentences", dest="sentences", action="store_false", help="leave the sentence encoder out"
    )
    parser.add_argument("--windows", type=int, help="held-out windows for each network (default 1000)")
    parser.add_argument("--quick", action="store_true", help="train one epoch, measure few windows")
    for study, what in (
        (ABLATION, "every step of the recipe off, one at a time"),
        (SOURCES, "each kind of value in integers alone"),
    ):
        parser.add_argument(
            f"--{study.name}",
            dest="study",
            action="store_const",
            const=study,
            help=f"{what}, on the first network: writes its table in docs/numerics.md",
        )
    return parser


def _suite(pool: Workers, models: dict[Network, TinyMyo], parts: Parts, sizes: Sizes) -> Measured:
    """Measure the networks as they were trained, and stressed."""
    print(f"signals: {parts.source}; test windows from its last 30 %\n{HEADING}")
    measured = Measured([], [])

    def tested(name: str, model: TinyMyo, windows: int) -> Subject:
        return subject(pool, name, model, parts, FOLDER / "networks", windows, sizes.token_windows)

    for network, model in models.items():
        plain = tested(network.name, model, sizes.windows)
        measured.add(by_tmc(pool, plain), TRAINED)
        for one in by_others(pool, plain, sizes.other_windows):
            measured.add(one, TRAINED)
        for how in SHARPENING:
            hard = tested(f"{network.name}-{how}", stressed(model, how), sizes.stressed_windows)
            measured.add(by_tmc(pool, hard), STRESSED)
            if how in SHARP:
                measured.add(by_tmc(pool, hard, wide=True), STRESSED)
    return measured


def _sentences(pool: Workers, count: int) -> tuple[dict[str, Any], list[str]]:
    """Measure the published sentence encoder on `count` held-out sentences, by tmc and its naive recipe."""
    found = evaluate_sentence_encoder(pool, count)
    print("\n".join(lines(found)), flush=True)
    return {name: one.to_json() for name, one in found.items()}, failures(found)


def _line(one: Outcome) -> str:
    has, wrong = one.figures, "-" if one.wrong_integers is None else str(one.wrong_integers)
    token_db = "-" if has.token_db is None else f"{has.token_db:.1f}"
    accuracies = f"{has.float_accuracy:>8.2f} {has.integer_accuracy:>7.2f}"
    return (
        f"{one.network:<24} {one.quantiser:<36} {has.windows:>7} {has.logit_db:>8.1f} {token_db:>8} "
        f"{has.agreement:>8.2f} {has.margin:>7.3f} {accuracies} {wrong:>7} {one.seconds:>6.0f}"
    )


def _as_json(one: Outcome) -> dict[str, Any]:
    rounded = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(one.figures).items()
    }
    return {
        "network": one.network,
        "quantiser": one.quantiser,
        "wrong_integers": one.wrong_integers,
        "seconds": one.seconds,
        "accuracy_drop": round(one.figures.accuracy_drop, 4),
        **rounded,
    }


def _study(pool: Workers, study: Study, network: Network, model: TinyMyo, parts: Parts) -> int:
    models = {"trained": model, **{how: stressed(model, how) for how in study.stresses}}
    folder, windows = FOLDER / "networks", study.windows
    subjects = tuple(
        subject(pool, f"{study.name}-{which}", variant, parts, folder, windows, windows)
        for which, variant in models.items()
    )
    rows = []
    for row in study.rows(pool, subjects):
        print(row, file=sys.stderr, flush=True)
        rows.append(row)
    text = table(rows, tuple(models), windows)
    write_table(study.name, text)
    print(text)
    print(
        json.dumps(
            {
                "bench": study.name,
                "network": network.name,
                "windows": windows,
                "rows": [asdict(row) for row in rows],
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
