"""The command line as a function: arguments in; exit status, standard output and standard error out."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmc.cli.main import main


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict) and self.out.count("\n") == 1
        return found

    @property
    def error(self) -> str:
        """Return the text behind `error:`, which stands there exactly once."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return line.removeprefix("error: ")

    @property
    def notes(self) -> list[str]:
        """Return the texts behind `note:`."""
        return [line.removeprefix("note: ") for line in self.err.splitlines() if line.startswith("note: ")]


def call(*arguments: str | Path) -> Answer:
    """Run one verb in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return Answer(status, out.getvalue(), err.getvalue())


def succeeded(*arguments: str | Path) -> dict[str, Any]:
    """Run one verb with --json and return its object; it must have succeeded."""
    answer = call(*arguments, "--json")
    assert answer.status == 0, answer.out + answer.err
    found = answer.json
    assert found["ok"] is True
    return found


def refused(*arguments: str | Path) -> Answer:
    """Run one verb twice, plain and with --json: both must fail in one clear error, and say the same."""
    plain, as_json = call(*arguments), call(*arguments, "--json")
    assert (plain.status, as_json.status) == (1, 1)
    assert plain.out == "" and "Traceback" not in plain.err + as_json.err
    found = as_json.json
    assert found.keys() == {"ok", "error"} and found["ok"] is False
    assert f"{found['error']['where']}: {found['error']['what']}" == plain.error
    assert found["error"]["notes"] == plain.notes
    assert not any(line.startswith(("error", "note")) for line in as_json.err.splitlines())
    return plain


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by relative path; empty folders count as files without content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }
