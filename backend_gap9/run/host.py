"""Build a generated network for this machine, run it, and compare every op with the interpreter."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from tmc.backend_gap9.emit.port_bytes import pack_ports, unpack_ports
from tmc.backend_gap9.run.result import (
    RunResult,
    checked_inputs,
    compare_ops,
    compare_outputs,
    load_golden,
)
from tmc.ir.errors import PlatformError
from tmc.ir.ports import Port, each_run, ports_of
from tmc.ir.types import Array

Sanitizer = Literal["address", "thread"]
PROGRAM = "network-host"
# A make that runs tmc must not pass its own settings on to the one that builds the network.
_WITHOUT_MAKE_SETTINGS = ("env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "-u", "MAKEOVERRIDES")


def run_host(
    directory: Path,
    inputs: Mapping[str, Array] | None = None,
    *,
    trace: bool = True,
    sanitizer: Sanitizer | None = None,
    compiler_flags: str = "-O2",
) -> RunResult:
    """Run the network in an output directory on codes by input ([runs, ...] or one), or on its golden ones.

    Builds in a temporary folder and leaves the directory as it is. With `trace` every op is compared, else
    the outputs only: tracing meets at barriers of its own, which the thread sanitizer should not see.
    Raises: PlatformError if gcc or make is missing, the build or the run fails, or the inputs do not fit.
    """
    golden = load_golden(directory)
    graph, ports = golden.graph, ports_of(golden.graph)
    given = golden.inputs if inputs is None else checked_inputs(ports.inputs, inputs)
    packed = [pack_ports(ports.inputs, one_run) for one_run in each_run(given)]
    with tempfile.TemporaryDirectory() as folder:
        program = build_host(directory, Path(folder), trace, sanitizer, compiler_flags)
        (Path(folder) / "input.bin").write_bytes(b"".join(packed))
        names = ["input.bin", "output.bin", *(["trace.bin"] if trace else [])]
        start = time.perf_counter()
        _run(program, directory / "weights.bin", *(Path(folder) / name for name in names))
        seconds = time.perf_counter() - start
        outputs = _outputs(ports.outputs, len(packed), (Path(folder) / "output.bin").read_bytes())
        traces = _split((Path(folder) / "trace.bin").read_bytes(), len(packed)) if trace else ()
    return RunResult(
        "host",
        outputs,
        compare_outputs(graph, given, outputs),
        compare_ops(graph, given, traces) if trace else (),
        None,
        seconds,
    )


def build_host(
    directory: Path, folder: Path, trace: bool, sanitizer: Sanitizer | None, compiler_flags: str
) -> Path:
    """Build the host program of an output directory into a folder and return it.

    Raises: PlatformError if a tool is missing or the build fails.
    """
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            note = "install gcc and make, for example: apt-get install gcc make libc6-dev"
            raise PlatformError("host", f"found no {tool}", note)
    program = (folder / PROGRAM).resolve()
    settings = [f"OUTPUT={program}", f"CFLAGS={compiler_flags}", *(["TRACE=1"] if trace else [])]
    settings += [f"SANITIZE={sanitizer}"] if sanitizer else []
    make = ["make", "--no-print-directory", "-C", str(directory), "-f", "host.mk", *settings]
    _checked("build", [*_WITHOUT_MAKE_SETTINGS, *make])
    return program


def _run(program: Path, *files: Path) -> None:
    _checked("run", [str(program), *map(str, files)])


def _checked(what: str, command: list[str]) -> None:
    """Run a command. Raises: PlatformError with the end of what it printed, if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        output = result.stdout.decode(errors="replace").strip()
        last_lines = output.splitlines()[-20:]
        raise PlatformError("host", f"the {what} failed with status {result.returncode}", *last_lines)


def _split(content: bytes, runs: int) -> list[bytes]:
    size_bytes = len(content) // runs
    return [content[run * size_bytes : (run + 1) * size_bytes] for run in range(runs)]


def _outputs(ports: tuple[Port, ...], runs: int, content: bytes) -> dict[str, Array]:
    found = [unpack_ports(ports, part) for part in _split(content, runs)]
    return {port.name: np.stack([each[port.name] for each in found]) for port in ports}
