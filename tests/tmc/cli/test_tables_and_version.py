"""`tmc ops`, `passes`, `targets`, `--version`, `--help`; how the command starts, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tmc.cli.main
from tests.repository import ROOT
from tests.tmc.command import call, refused, succeeded
from tests.tmc.conftest import Built
from tmc import __version__
from tmc.backend_gap9.target.targets import TARGETS
from tmc.compile_stages import value_names
from tmc.ir.ops import OPS

TMC = (sys.executable, "-m", "tmc")


def process(*arguments: str | Path, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; a shell line may follow it."""
    command = [*TMC, *map(str, arguments)]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("verb", "key", "names"),
    [
        ("ops", "op", [kind.value for kind in OPS]),
        (
            "passes",
            "pass",
            [name for name in value_names() if name not in ("import", "stages", "plan", "program")],
        ),
        ("targets", "target", list(TARGETS)),
    ],
)
def test_tables(verb: str, key: str, names: list[str]) -> None:
    rows = succeeded(verb)[verb]
    assert [row[key] for row in rows] == names
    assert all(value for row in rows for name, value in row.items() if name in ("summary", "description"))
    lines = call(verb).out.splitlines()
    assert lines[0].startswith(key) and [line.split()[0] for line in lines[1:]] == names


def test_version() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout) == (0, f"tmc {__version__}\n")


@pytest.mark.parametrize("verb", [(), ("compile",), ("check",), ("run",), ("report",), ("ops",)])
def test_help(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        tmc.cli.main.main([*verb, "--help"])
    assert end.value.code == 0 and "usage: tmc" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [(), ("nothing",), ("compile",), ("run", "x"), ("run", "x", "--on", "moon"), ("ops", "x")]
)
def test_wrong_command_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        tmc.cli.main.main(arguments)
    assert end.value.code == 2 and "usage: tmc" in capsys.readouterr().err


def test_exit_status_of_the_process(built: Built) -> None:
    assert process("report", built.output).returncode == 0
    failed = process("report", built.model)
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr.startswith("error: ")


def test_a_reader_that_goes_away(built: Built) -> None:
    done = process("compile", built.model, "--print-ir-after=all", "--stop-after=quantise", shell="| head -1")
    assert done.stdout == "# after import\n"
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_debug_shows_the_traceback(built: Built) -> None:
    done = process("report", built.model, "--debug")
    assert done.returncode == 1 and "Traceback" in done.stderr and "PlatformError" in done.stderr


def test_a_defect_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, built: Built) -> None:
    """An error that no check foresaw: no traceback without --debug, and an answer for programs too."""

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("two\nlines")

    monkeypatch.setattr("tmc.passes.quantise_calibrated.choose_scales", broken)
    answer = refused("check", built.model)
    assert answer.error == "tmc: found a defect of its own: AssertionError (two lines)"
    with pytest.raises(AssertionError):
        call("check", built.model, "--debug")


def test_interrupt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, built: Built) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tmc.driver.make_plan", interrupted)
    answer = call("compile", built.model, "-o", tmp_path / "out")
    assert (answer.status, answer.error) == (130, "interrupted")
    assert list(tmp_path.iterdir()) == []
