"""The wheel holds the whole compiler, and asks for nothing it does not need."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.repository import PRODUCT, ROOT, SUBPACKAGES, files_under
from tmc import __version__

DOCUMENTATION = {".md"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel from a copy, without the links, as from a clone on a file system that has none."""
    tree = tmp_path_factory.mktemp("tree")
    for path in (*files_under(*PRODUCT), *map(Path, ("pyproject.toml", "README.md", "LICENSE"))):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tree / path)
    command = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    built = subprocess.run([sys.executable, "-c", command], cwd=tree, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (tree / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_every_file_of_the_product(wheel: zipfile.ZipFile) -> None:
    expected = {
        path.as_posix() if path.parts[0] == "tmc" else f"tmc/{path.as_posix()}"
        for path in files_under("tmc", *SUBPACKAGES)
        if path.suffix not in DOCUMENTATION
    }
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"tinymyo_compiler-{__version__}.dist-info"
    metadata = message_from_string(wheel.read(f"{info}/METADATA").decode())
    assert (metadata["Name"], metadata["Version"]) == ("tinymyo-compiler", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "tmc = tmc.cli.main:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_compiling_does_not_need_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    solvers = {"networkx", "ortools"}
    assert needed == {"jinja2", "numpy", "onnx", "onnxruntime", "threadpoolctl"} | solvers
