"""One file through the command line, in a process of its own with bounded memory and time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import select
import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tmc.backend_gap9.emit.manifest import read_manifest
from tmc.cli import main as cli
from tmc.ir.errors import CheckError, ParseError, VerifyError

MEMORY_BYTES = 6 * 2**30
CPU_SECONDS = 60
WALL_SECONDS = 600
# What only a defect makes tmc say, beside a program or a graph that fails its check.
DEFECTS = ("defect", "this is a fault of the pass", "Traceback")
OWN_FAULTS = (CheckError, ParseError, VerifyError)

Verdict = Literal["compiled", "refused", "defect", "hang"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file; `text` is the error, or what is wrong about it."""

    verdict: Verdict
    text: str
    seconds: float


def try_file(verb: Literal["check", "compile"], model: Path) -> Outcome:
    """Run `tmc check` or `tmc compile` on a file that is alone in its folder."""
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(verb, model, writing)
    os.close(writing)
    report = _read(reading, start + WALL_SECONDS)
    if report is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    if report is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)):
        return Outcome("hang", f"no answer after {CPU_SECONDS} s of processor time", seconds)
    if os.WIFSIGNALED(status):
        return Outcome("defect", f"killed by {signal.Signals(os.WTERMSIG(status)).name}", seconds)
    verdict, text = json.loads(report)
    return Outcome(verdict, text, seconds)


def _read(reading: int, until: float) -> bytes | None:
    """Return all that comes before the pipe closes; None if it is still open then."""
    found = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            part = pipe.read(65536)
            if not part:
                return found
            found += part


def _in_child(verb: str, model: Path, writing: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            verdict, text = _judge(verb, model)
        except BaseException:
            verdict, text = "defect", traceback.format_exc()
        os.write(writing, json.dumps([verdict, text]).encode())
    finally:
        os._exit(0)


def _judge(verb: str, model: Path) -> tuple[Verdict, str]:
    output = model.parent / "out"
    arguments = [verb, str(model), *(["-o", str(output)] if verb == "compile" else [])]
    if b"RequantShift" in model.read_bytes():  # a network of integers does not say which come
        arguments.append("--input-range=-128:127")
    before = sorted(model.parent.parent.rglob("*"))
    errors_seen: list[Exception] = []
    print_error = cli._report

    def note_error(error: Exception, as_json: bool) -> int:
        errors_seen.append(error)
        return print_error(error, as_json)

    cli._report = note_error
    out, err = io.TextIOWrapper(io.BytesIO(), "ascii"), io.TextIOWrapper(io.BytesIO(), "ascii")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(arguments)
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode("ascii"))
    errors = [line for line in texts[1].splitlines() if line.startswith("error: ")]
    text = errors[0] if errors else ""
    after = [path for path in sorted(model.parent.parent.rglob("*")) if output not in (path, *path.parents)]
    if after != before:
        return (
            "defect",
            f"written outside of its directory: {sorted(set(map(str, after)) ^ set(map(str, before)))}",
        )
    if status == 0:
        if verb == "compile" and not _is_whole(output):
            return "defect", "exit status 0, and no whole directory"
        return "compiled", ""
    if output.exists():
        return "defect", f"exit status {status}, and a directory was written"
    if status not in (1, 2) or len(errors) != 1 or "note: " not in texts[1]:
        return "defect", f"exit status {status}, {len(errors)} errors: {texts[1][-2000:]}"
    if any(word in texts[0] + texts[1] for word in DEFECTS) or isinstance(errors_seen[0], OWN_FAULTS):
        return "defect", "".join(traceback.format_exception(errors_seen[0]))
    return "refused", text


def _is_whole(output: Path) -> bool:
    written = read_manifest(output)
    found = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    return written is not None and found == {*written, "manifest.json"}
