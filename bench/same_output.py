"""Show that a change leaves the generated directories as they were, byte for byte.

    python -m bench.same_output --against COMMIT [--networks NAME ...]

Networks are written once, by this tree. This tree and a worktree of COMMIT then compile the same files, each
in a process of its own. Prints one line for each network, and ends with one JSON line; the exit status is 1
if anything differs, or if a network does not compile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.compile_time import NETWORKS as REFERENCE_NETWORKS
from bench.compile_time import export_network
from tests.examples.head_models import PATCH_SAMPLES, HeadKind, HeadSize, build_head, export
from tests.examples.plain_models import plain_models
from tests.networks.transformers import Architecture, write_transformer
from tests.quantised.qdq_models import quantise, write_mlp

ROOT = Path(__file__).resolve().parents[1]
SHOWN_FILES = 4

Build = Callable[[Path], Path]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network compiled by both trees: its files, those that differ, why it did not compile."""

    network: str
    files: int
    different: tuple[str, ...]
    refused: str = ""

    @property
    def same(self) -> bool:
        """Tell whether both trees compiled it to the same bytes."""
        return not self.different and not self.refused

    def line(self) -> str:
        """Return what is printed of it."""
        if self.refused:
            return f"{self.network:<28} not compiled: {self.refused}"
        if self.different:
            others = len(self.different) - SHOWN_FILES
            names = ", ".join(self.different[:SHOWN_FILES]) + (f" and {others} more" if others > 0 else "")
            return f"{self.network:<28} {len(self.different)} of {self.files} files differ: {names}"
        return f"{self.network:<28} {self.files} files, the same"


def _transformer(shape: Architecture, folder: Path) -> Path:
    return write_transformer(folder / "net.onnx", shape)


def _head(kind: HeadKind, folder: Path) -> Path:
    size = HeadSize()
    shape = (1, size.channels, size.patches * PATCH_SAMPLES)
    export(build_head(kind, size), shape, folder / "net.onnx", "torchscript", 17, True)
    return _calibrated(folder / "net.onnx", "emg", shape)


def _plain(name: str, folder: Path) -> Path:
    network, shape = plain_models()[name]
    export(network.eval(), shape, folder / "net.onnx", "torchscript", 17, True)
    return _calibrated(folder / "net.onnx", "emg", shape)


def _quantised(per_channel: bool, activations: str, folder: Path) -> Path:
    return quantise(write_mlp(folder / "float.onnx"), folder / "net.onnx", per_channel, activations)


def _calibrated(model: Path, port: str, shape: tuple[int, ...]) -> Path:
    """Write seeded calibration windows beside a model; return its path."""
    windows = np.random.default_rng(3).standard_normal((16, *shape)).astype(np.float32)
    np.savez(model.with_suffix(".calibration.npz"), **{port: windows})
    return model


TRANSFORMERS = {
    "cyclic": Architecture(),
    "flat": Architecture(channels=3, patches=7, dim=48, heads=3, hidden=96, layers=2, rope="flat"),
    "plain": Architecture(rope="none", head="mean", gelu="tanh", channel_bias=False),
    "tokens": Architecture(channels=2, patches=9, dim=20, heads=5, hidden=36, head="tokens"),
    "long": Architecture(channels=8, patches=50, dim=64, heads=4, hidden=128),
}
HEADS: tuple[HeadKind, ...] = ("reconstruction", "classification", "mean", "regression")

NETWORKS: Mapping[str, Build] = {
    **{name: partial(export_network, name) for name in REFERENCE_NETWORKS},
    **{f"transformer-{name}": partial(_transformer, shape) for name, shape in TRANSFORMERS.items()},
    **{f"head-{kind}": partial(_head, kind) for kind in HEADS},
    **{f"plain-{name}": partial(_plain, name) for name in plain_models()},
    "quantised-uint8": partial(_quantised, False, "uint8"),
    "quantised-channels-int8": partial(_quantised, True, "int8"),
}


def compare(network: str, model: Path, here: Path, there: Path, folder: Path) -> Comparison:
    """Compile a model with the trees `here` and `there`, both at once, into `folder`; compare the files."""
    outputs = [folder / "here", folder / "there"]
    processes = [
        _start(tree, "-m", "tmc", "compile", str(model), "--target", "gap9", "-o", str(output))
        for tree, output in zip((here, there), outputs, strict=True)
    ]
    refused = []
    for tree, process in zip((here, there), processes, strict=True):
        _, errors = process.communicate()
        if process.returncode != 0:
            refused.append(f"{tree.name}: {errors[max(0, errors.find('error:')) :].strip()}")
    if refused:
        return Comparison(network, 0, (), "; ".join(refused))
    first, second = (_contents(output) for output in outputs)
    names = sorted(first.keys() | second.keys())
    return Comparison(network, len(names), tuple(n for n in names if first.get(n) != second.get(n)))


def _start(tree: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start Python in a tree, with the tmc of that tree before any that is installed."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def package_of(tree: Path) -> Path:
    """Return the folder from which a process in a tree imports tmc."""
    printed, errors = _start(tree, "-c", "import tmc; print(tmc.__path__[0])").communicate()
    assert printed, errors
    return Path(printed.strip())


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out beside this tree, and remove it again."""
    tree = folder / "tree"
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def main() -> int:
    """Compare the networks that were asked for, or all."""
    parser = argparse.ArgumentParser(description="Compare generated directories with those of a commit.")
    parser.add_argument("--against", required=True, metavar="COMMIT", help="the commit to compare with")
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=NETWORKS,
        default=list(NETWORKS),
        metavar="NAME",
        help=f"default: {' '.join(NETWORKS)}",
    )
    options = parser.parse_args()
    comparisons = []
    with tempfile.TemporaryDirectory() as scratch, worktree(options.against, Path(scratch)) as there:
        for tree in (ROOT, there):
            assert package_of(tree) == tree / "tmc", f"{tree} does not import its own tmc"
        for network in options.networks:
            with tempfile.TemporaryDirectory() as folder:
                model = NETWORKS[network](Path(folder))
                comparisons.append(compare(network, model, ROOT, there, Path(folder)))
            print(comparisons[-1].line(), flush=True)
    same = all(each.same for each in comparisons)
    facts = {"bench": "same_output", "against": options.against, "same": same}
    print(json.dumps({**facts, "networks": [asdict(each) for each in comparisons]}))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
