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
