"""The simulators, once for all tests."""

from __future__ import annotations

import pytest

from tests.runtime_c.bare_metal import programs


@pytest.fixture(scope="session")
def simulators(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> programs.Simulators:
    """Return the simulators of this session."""
    return programs.simulators(tmp_path_factory.mktemp("iss"), request.config)
