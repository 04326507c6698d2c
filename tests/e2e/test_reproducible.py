"""The output depends on the model, its samples and nothing else: no path, no host, no date, no hash order."""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.networks.transformers import Architecture, write_transformer
from tests.repository import ROOT
from tests.tmc.command import tree

SHAPE = Architecture(channels=3, patches=7, dim=48, heads=3, hidden=96, layers=2, rope="flat")
DATE = re.compile(rb"\b20[2-9]\d-[01]\d-[0-3]\d\b|\b[0-2]\d:[0-5]\d:[0-5]\d\b")


def compiled(model: Path, output: Path, hash_seed: str, directory: Path) -> dict[str, bytes]:
    """Compile in a process of its own and return the files."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tmc", "compile", str(model), "-o", str(output), "--json"]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tree(output)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Compile one file twice, under different hash seeds, from different folders, to different places."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    model = write_transformer(one / "net.onnx", SHAPE)
    for name in ("net.onnx", "net.calibration.npz"):
        (other / name).write_bytes(model.with_name(name).read_bytes())
    return (
        compiled(model, one / "first", "1", ROOT),
        compiled(other / "net.onnx", other / "a" / "second", "2", other),
    )


def test_identical_directories(outputs: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    first, second = outputs
    assert first.keys() == second.keys() and len(first) > 20
    assert [name for name in first if first[name] != second[name]] == []


def test_nothing_of_this_machine(
    outputs: tuple[dict[str, bytes], dict[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine = {
        str(ROOT),
        str(tmp_path_factory.getbasetemp()),
        str(Path.home()),
        sys.prefix,
        platform.node(),
        platform.release(),
        f"{getpass.getuser()}@",
    }
    texts = {name: content for name, content in outputs[0].items() if not name.endswith((".npz", ".bin"))}
    assert "network.c" in texts and "report.json" in texts and "report.html" in texts
    wrong = [
        (name, word)
        for name, content in texts.items()
        for word in machine
        if len(word) > 2 and re.search(rf"(?<!\w){re.escape(word)}(?!\w)".encode(), content)
    ]
    assert wrong == []
    assert {name: match[0] for name, content in texts.items() if (match := DATE.search(content))} == {}
