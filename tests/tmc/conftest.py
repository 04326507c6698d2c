"""A small network, compiled once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.networks.transformers import Architecture, write_transformer
from tests.tmc.command import succeeded

SMALL = Architecture(channels=2, patches=3, dim=16, heads=2, hidden=16, classes=3)


@dataclass(frozen=True, slots=True)
class Built:
    """A model and its output directory, which nothing may change."""

    model: Path
    output: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Compile a small network."""
    folder = tmp_path_factory.mktemp("built")
    model = write_transformer(folder / "small.onnx", SMALL)
    succeeded("compile", model, "-o", folder / "out")
    return Built(model, folder / "out")


@pytest.fixture(scope="session")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Compile it without room for loud windows: its input has 15 bits of its int16."""
    folder = tmp_path_factory.mktemp("limited")
    model = write_transformer(folder / "small.onnx", SMALL)
    succeeded("compile", model, "-o", folder / "out", "--recipe", "loudness=1")
    return Built(model, folder / "out")
