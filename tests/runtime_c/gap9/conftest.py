"""The small SDK, once for all tests."""

from __future__ import annotations

import pytest

from tests.runtime_c.gap9.small_sdk import SmallSdk, build_small_sdk
from tmc.backend_gap9.run.build import build_iss


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> SmallSdk:
    """Return an SDK whose programs run on the instruction-set simulator."""
    folder = tmp_path_factory.mktemp("small_sdk")
    return build_small_sdk(folder / "home", build_iss(folder))
