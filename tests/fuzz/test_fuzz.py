"""Damaged files never find a defect: each compiles or is refused, in time, and nothing half is written.

The same files every run, whose seed is printed: a change is judged, not the day. `TMC_FUZZ_SEED=N` draws
others, `python -m tests.fuzz --count 20000 --seed N` many, and `--first F --count 1` shows one of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.campaign import fuzzed_file, run_campaign
from tests.fuzz.models import KINDS
from tests.fuzz.trial import try_file
from tmc.cli import main as cli
from tmc.ir.errors import TmcError

FILES = 500
SEED = int(os.environ.get("TMC_FUZZ_SEED", "1"))


def test_damaged_files(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    keep = tmp_path / "failed"
    tally = run_campaign(SEED, range(FILES), keep)
    record_property("ran", f"{FILES} damaged files, TMC_FUZZ_SEED={SEED}: {tally.compiled} compile")
    assert not tally.failed, f"TMC_FUZZ_SEED={SEED}, files in {keep}: {tally.failed}"
    assert tally.files == tally.refused + tally.compiled == FILES
    assert tally.compiled > FILES // 25 and tally.refused > FILES // 2, tally


def test_files_are_drawn_by_seed_and_number() -> None:
    assert fuzzed_file(1, 2) == fuzzed_file(1, 2) != fuzzed_file(1, 3)


@pytest.mark.parametrize("draw", dict.fromkeys(KINDS), ids=lambda draw: draw.__name__.strip("_"))
def test_models_of_every_kind_compile_before_they_are_damaged(
    tmp_path: Path, draw: Callable[..., object]
) -> None:
    """Else the damage would only ever reach the first check. A salad of ops compiles by chance alone."""
    verdicts = []
    for seed in range(12):
        path = tmp_path / str(seed) / "m.onnx"
        path.parent.mkdir()
        model = draw(Random(seed))
        path.write_bytes(model.SerializeToString())  # type: ignore[attr-defined]
        outcome = try_file("check", path)
        verdicts.append(outcome.verdict)
        if "compiled" in verdicts:
            break
    assert set(verdicts) <= {"compiled", "refused"}
    assert "compiled" in verdicts or draw.__name__ == "_salad"


# ---------------------------------------------------------------- the judge can fail


def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Callable[[list[str]], int]) -> str:
    """Return the verdict about a command line that does something else."""
    model = tmp_path / "case" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(b"")
    monkeypatch.setattr(cli, "main", main)
    outcome = try_file("compile", model)
    return f"{outcome.verdict}: {outcome.text}"


def crash(arguments: list[str]) -> int:
    raise IndexError("list index out of range")


def dies(arguments: list[str]) -> int:
    os.abort()


def spins(arguments: list[str]) -> int:
    while True:
        pass


def writes_elsewhere(arguments: list[str]) -> int:
    (Path(arguments[-1]).parent.parent / "evil").write_bytes(b"")
    return 1


def writes_half(arguments: list[str]) -> int:
    Path(arguments[-1]).mkdir()
    return 1


def writes_nothing(arguments: list[str]) -> int:
    return 0


def says_nothing(arguments: list[str]) -> int:
    return 1


def grows(arguments: list[str]) -> int:
    return len(bytearray(2**40))


@pytest.mark.parametrize(
    ("main", "text"),
    [
        (crash, "defect: .*IndexError"),
        (dies, "defect: killed by SIGABRT"),
        (spins, "hang: no answer after 1 s"),
        (writes_elsewhere, "defect: written outside of its directory: .*evil"),
        (writes_half, "defect: exit status 1, and a directory was written"),
        (writes_nothing, "defect: exit status 0, and no whole directory"),
        (says_nothing, "defect: exit status 1, 0 errors"),
        (grows, "defect: .*MemoryError"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_judge_finds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Callable[[list[str]], int], text: str
) -> None:
    monkeypatch.setattr("tests.fuzz.trial.CPU_SECONDS", 1)
    found = judged(tmp_path, monkeypatch, main)
    assert re.match(text, found, re.DOTALL), found


def test_a_defect_that_is_reported_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_model(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr("tmc.cli.compile.compile_model", compile_model)
    model = tmp_path / "case" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(b"")
    outcome = try_file("check", model)
    assert outcome.verdict == "defect" and "ZeroDivisionError" in outcome.text


def test_an_error_of_the_user_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_model(*_: object) -> None:
        raise TmcError("node", "found 1, allowed 2", "do this")

    monkeypatch.setattr("tmc.cli.compile.compile_model", compile_model)
    model = tmp_path / "case" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(b"")
    assert try_file("check", model).verdict == "refused"
