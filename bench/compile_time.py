"""Measure how long the reference networks take to compile, in CPU seconds, stage by stage.

    python -m bench.compile_time [NETWORK ...]

Each network is exported with its 32 calibration windows and compiled in a process of its own: start-up of
Python and all imports count, and so do child processes. Prints a table, and ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, Value, compile_model
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import named
from tmc.passes.watch import Watch

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ("tinyissimo-8x200", "tinyissimo-8x1000", "tinymyo-8x1000", "tinymyo-16x1000")
LIMITS_CPU_SECONDS = {"tinymyo-8x1000": 30.0, "tinymyo-16x1000": 60.0}
START, CANONICAL = "start", "canonicalise"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One compile. `stages` are CPU seconds and add up to the total; limit: what it must not exceed."""

    network: str
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int
    limit_cpu_seconds: float | None
    stages: dict[str, float]


def export_network(network: str, folder: Path) -> Path:
    """Export a reference network and its calibration windows; return the model."""
    model = folder / f"{network}.onnx"
    verb = ["export", "--network", network, "--exporter", "torchscript", "-o", str(model)]
    command = [sys.executable, "-m", "examples.tinymyo", *verb]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return model


def measure(model: Path) -> Measurement:
    """Compile a model in a new process and return what it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "bench.compile_time", "--compile", str(model)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    wall_seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    inside: dict[str, Any] = json.loads(done.stdout)
    stages: dict[str, float] = inside["stages"]
    return Measurement(
        model.stem,
        round(cpu_seconds, 2),
        round(wall_seconds, 2),
        inside["peak_memory_bytes"],
        LIMITS_CPU_SECONDS.get(model.stem),
        {START: round(cpu_seconds - sum(stages.values()), 2), **stages},
    )


def compile_stages(model: Path) -> dict[str, float]:
    """Compile a model in this process, as the command line does; return the CPU seconds of every stage."""
    passes = {named(entry).name for entry in CANONICALISE}
    seconds: dict[str, float] = {}
    last = _cpu_seconds()

    def after(name: str, value: Value | None, wall_seconds: float) -> None:
        nonlocal last
        now, stage = _cpu_seconds(), CANONICAL if name in passes else name
        seconds[stage] = seconds.get(stage, 0.0) + now - last
        last = now

    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1, user_api="blas"):
        compile_model(Options(model, target_named("gap9"), Path(folder) / "out"), Watch(after=after))
    return {stage: round(value, 2) for stage, value in seconds.items()}


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def print_table(measurements: list[Measurement]) -> None:
    """Print one column for each network, one row for each stage."""
    print(f"{'CPU seconds':<18}" + "".join(f"{each.network:>19}" for each in measurements))
    for stage in measurements[0].stages:
        print(f"{stage:<18}" + "".join(f"{each.stages[stage]:>19.2f}" for each in measurements))
    limits = [f"{each.limit_cpu_seconds:.0f}" if each.limit_cpu_seconds else "-" for each in measurements]
    print(f"{'total':<18}" + "".join(f"{each.cpu_seconds:>19.2f}" for each in measurements))
    print(f"{'limit':<18}" + "".join(f"{limit:>19}" for limit in limits))
    print(f"{'wall':<18}" + "".join(f"{each.wall_seconds:>19.2f}" for each in measurements))
    memory = [f"{each.peak_memory_bytes / 1e6:>19.0f}" for each in measurements]
    print(f"{'peak memory, MB':<18}" + "".join(memory))


def main() -> int:
    """Measure the networks that were asked for, or all."""
    parser = argparse.ArgumentParser(description="Measure compile times in CPU seconds.")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"default: {' '.join(NETWORKS)}")
    parser.add_argument("--compile", type=Path, metavar="MODEL", help="compile here; print stages as JSON")
    options = parser.parse_args()
    if options.compile is not None:
        stages = compile_stages(options.compile)
        peak_kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"stages": stages, "peak_memory_bytes": 1024 * peak_kibibytes}))
        return 0
    measurements = []
    with tempfile.TemporaryDirectory() as folder:
        for network in options.networks or NETWORKS:
            print(f"{network} ...", file=sys.stderr, flush=True)
            measurements.append(measure(export_network(network, Path(folder))))
    print_table(measurements)
    print(json.dumps({"bench": "compile", "networks": [asdict(each) for each in measurements]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
