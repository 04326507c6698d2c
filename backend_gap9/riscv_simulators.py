"""Start the simulators of the cluster and end them in time: the project's own, and GVSoC."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from tmc.backend_gap9.riscv_console import last_stage
from tmc.ir.errors import PlatformError

GVSOC_TARGET = "tmc_gap9"
HYPERRAM_KIB = 32768  # as in that target
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


def iss_command(iss: Path, program: Path, flash: Path, instructions_max: int) -> list[str]:
    """Return the command that runs a program with the content of its flash."""
    sizes = ["--hyperram-kib", str(HYPERRAM_KIB)]
    return [str(iss), *sizes, "--hyperflash", str(flash), "--limit", str(instructions_max), str(program)]


def gvsoc_command(
    gvsoc: Path, program: Path, flash: Path, folder: Path, properties: Sequence[str] = ()
) -> list[str]:
    """Return the command that runs a program with the content of its flash; folder is for GVSoC's own files.

    properties: NAME=VALUE for the project's target description.
    """
    # The simulator writes to its flash: it gets a copy.
    shutil.copyfile(flash, folder / "hyperflash.bin")
    targets = files("tmc.backend_gap9") / "gvsoc"
    options = [word for each in properties for word in ("--target-property", each)]
    # Line by line: what was printed before a hang is wanted.
    return [
        *("stdbuf", "-oL", str(gvsoc), f"--target={GVSOC_TARGET}", "--target-dir", str(targets)),
        *(*options, "--work-dir", str(folder), "--binary", str(program), "run"),
    ]


def simulate(platform: str, command: Sequence[str], seconds: float, stages: Sequence[str] = ()) -> str:
    """Return what a simulation prints, if the program ended or said what is wrong.

    stages: what each stage does, by number, for messages.
    Raises: PlatformError if it fails without a word or takes longer than `seconds`, with the stage it was in.
    """
    # A simulator may be a script that starts others: all of them are ended together.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        content, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        content, _ = process.communicate()
        progress = _progress(content.decode(errors="replace"), stages)
        raise PlatformError(
            platform,
            f"found no end after {seconds:g} s; {progress}",
            "GVSoC hangs on an access to where no memory is; `--on iss` names the instruction",
        ) from None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    text = content.decode(errors="replace")
    lines = text.strip().splitlines()
    if process.returncode != 0 and not any(line.startswith("error: ") for line in lines):
        status = f"the simulation failed with status {process.returncode}"
        # What a core was printing may stand before it.
        trap = next((line.partition(_TRAP)[2] for line in lines if _TRAP in line), status)
        raise PlatformError(platform, f"{trap}; {_progress(text, stages)}", *lines[-20:])
    return text


def _progress(text: str, stages: Sequence[str]) -> str:
    """Say how far a run got."""
    number = last_stage(text)
    if number is None:
        return "no stage was seen to begin"
    name = f" ({stages[number]})" if number < len(stages) else ""
    return f"the last stage seen to begin is {number}{name}"
