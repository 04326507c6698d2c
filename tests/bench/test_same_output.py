"""Two trees are compared by what they generate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.same_output import NETWORKS, REFERENCE_NETWORKS, compare, package_of
from tests.networks.transformers import Architecture, write_transformer
from tests.repository import PRODUCT, ROOT


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in REFERENCE_NETWORKS])
def test_small_networks_are_written_with_their_samples(tmp_path: Path, name: str) -> None:
    model = NETWORKS[name](tmp_path)
    assert model.is_file() and model.parent == tmp_path
    assert model.with_suffix(".calibration.npz").is_file() == (not name.startswith("quantised"))


def changed_copy(folder: Path) -> Path:
    """Return a copy of the product whose README of an output directory says one word more."""
    tree = folder / "tree"
    for name in PRODUCT:
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (template,) = (tree / "backend_gap9").rglob("README.txt.j2")
    template.write_text(template.read_text() + "changed\n")
    return tree


def test_exactly_the_changed_file_differs(tmp_path: Path) -> None:
    model = write_transformer(tmp_path / "net.onnx", Architecture(patches=2, dim=8, hidden=8))
    tree = changed_copy(tmp_path)
    assert package_of(tree) == tree / "tmc"
    found = compare("net", model, ROOT, tree, tmp_path)
    assert (found.different, found.refused, found.same) == (("README.txt", "manifest.json"), "", False)
    assert found.files > 20
    assert found.line().endswith(f"2 of {found.files} files differ: README.txt, manifest.json")


def test_a_network_that_does_not_compile_is_not_the_same(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_text("no ONNX")
    found = compare("net", tmp_path / "net.onnx", ROOT, ROOT, tmp_path)
    assert not found.same and "error: " in found.refused
    assert found.line().startswith("net ") and "not compiled" in found.line()
