"""Start the simulators of the cluster and end them in time: the project's own, and GVSoC."""

from __future__ import annotations

import contextlib
import math
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import IO

from tmc.backend_gap9.emit.machine import Machine
from tmc.backend_gap9.run.console import last_stage
from tmc.ir.errors import PlatformError

GVSOC_TARGET = "tmc_pulp"
_TRAP = "iss: trap: "


def find_gvsoc(gvsoc: Path | None = None) -> Path:
    """Return the path of a GVSoC: the named one, or the one on the path.

    Raises: PlatformError without one.
    """
    found = shutil.which(gvsoc or "gvsoc")
    if found is None:
        raise PlatformError(
            "gvsoc",
            f"found no {gvsoc or 'gvsoc'}",
            "build it from https://github.com/gvsoc/gvsoc with `make all TARGETS=pulp-open`",
            "put its install/bin and a python3 with its packages on the path, or name the program",
        )
    return Path(found)


def iss_options(machine: Machine) -> list[str]:
    """Return the options that make the instruction-set simulator a machine."""
    sizes = {
        "--cores": machine.cores,
        "--l1-kib": machine.l1_bytes // 1024,
        "--l2-kib": machine.l2_bytes // 1024,
        "--hyperram-kib": machine.l3_bytes // 1024,
        "--dma-ids": machine.dma_queue_entries,
        "--dma-bytes": machine.dma_max_bytes,
    }
    return [word for option, value in sizes.items() for word in (option, str(value))]


def iss_command(iss: Path, machine: Machine, program: Path, flash: Path, instructions_max: int) -> list[str]:
    """Return the command that runs a program with the content of its flash."""
    limits = ["--hyperflash", str(flash), "--limit", str(instructions_max)]
    return [str(iss), *iss_options(machine), *limits, str(program)]


def gvsoc_properties(machine: Machine) -> list[str]:
    """Return the properties that make the project's target description of GVSoC a machine."""
    return [
        f"cores={machine.cores}",
        f"l1_bytes={machine.l1_bytes}",
        f"l2_bytes={machine.l2_bytes}",
        f"l3_bytes={machine.l3_bytes}",
        f"cluster_hz={machine.cluster_hz}",
        f"periph_hz={machine.l3_bytes_per_second}",
        *(["ne16=tmc.ne16"] if machine.ne16 else []),
    ]


def gvsoc_command(
    gvsoc: Path, machine: Machine, program: Path, flash: Path, folder: Path, properties: Sequence[str] = ()
) -> list[str]:
    """Return the command that runs a program with the content of its flash; folder is for GVSoC's own files.

    properties: NAME=VALUE for the project's target description.
    """
    # The simulator writes to its flash: it gets a copy.
    shutil.copyfile(flash, folder / "hyperflash.bin")
    targets = files("tmc.backend_gap9.target") / "gvsoc"
    given = (*gvsoc_properties(machine), *properties)
    options = [word for each in given for word in ("--target-property", each)]
    # Line by line: what was printed before a hang is wanted.
    return [
        *("stdbuf", "-oL", str(gvsoc), f"--target={GVSOC_TARGET}", "--target-dir", str(targets)),
        *(*options, "--work-dir", str(folder), "--binary", str(program), "run"),
    ]


def simulate(
    platform: str,
    command: Sequence[str],
    seconds: float,
    stages: Sequence[str] = (),
    quiet_seconds: float = math.inf,
) -> str:
    """Return what a simulation prints, if the program ended or said what is wrong.

    stages: what each stage does, by number, for messages. A program prints when a stage begins; one that is
    silent for quiet_seconds hangs.
    Raises: PlatformError if it fails without a word, hangs or takes longer than `seconds`, with the stage it
    was in.
    """
    # A simulator may be a script that starts others: all of them are ended together.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None, "it is a pipe"
    try:
        start = time.monotonic()
        content, silent = _read(process.stdout, seconds, quiet_seconds)
        if silent is None:
            try:
                process.wait(max(1.0, start + seconds - time.monotonic()))
            except subprocess.TimeoutExpired:
                silent = f"no end after {seconds:g} s"
    except BaseException:
        _end(process)
        raise
    text = content.decode(errors="replace")
    if silent is not None:
        _end(process)
        raise PlatformError(
            platform,
            f"found {silent}; {_progress(text, stages)}",
            "GVSoC hangs on an access to where no memory is; `--on iss` names the instruction",
        )
    lines = text.strip().splitlines()
    if process.returncode != 0 and not any(line.startswith("error: ") for line in lines):
        status = f"the simulation failed with status {process.returncode}"
        # What a core was printing may stand before it.
        trap = next((line.partition(_TRAP)[2] for line in lines if _TRAP in line), status)
        notes = lines[-20:]
        if platform == "gvsoc" and any(line.startswith("Traceback") for line in lines):
            notes = [*launcher_notes(text), *notes]
        raise PlatformError(platform, f"{trap}; {_progress(text, stages)}", *notes)
    return text


def launcher_notes(text: str) -> list[str]:
    """Return what to do about a failure of GVSoC's launcher, which is a program in Python."""
    python = shutil.which("python3") or "no python3"
    missing = re.search(r"No module named '([\w.]+)'", text)
    lacks = f", which lacks {missing[1]}" if missing else ""
    return [
        f"GVSoC's launcher took the first python3 on the path, {python}{lacks}",
        f"install what it needs there: {python} -m pip install -r GVSOC/core/requirements.txt "
        "-r GVSOC/gapy/requirements.txt psutil, where GVSOC is its checkout",
        "or choose another: put the folder of a python3 that has them first on PATH",
    ]


def _read(pipe: IO[bytes], seconds: float, quiet_seconds: float) -> tuple[bytes, str | None]:
    """Return what comes through a pipe until it closes, or until it is silent for too long, and how."""
    content, end = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return content, f"no end after {seconds:g} s"
            if not selector.select(min(left, quiet_seconds)):
                if quiet_seconds < left:
                    return content, f"no progress for {quiet_seconds:g} s"
                continue
            part = os.read(pipe.fileno(), 65536)
            if not part:
                return content, None
            content += part


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a simulation and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _progress(text: str, stages: Sequence[str]) -> str:
    """Say how far a run got."""
    number = last_stage(text)
    if number is None:
        return "no stage was seen to begin"
    name = f" ({stages[number]})" if number < len(stages) else ""
    return f"the last stage seen to begin is {number}{name}"
