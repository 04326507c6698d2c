"""What planning asks of a stage form: its tiles, the buffers and transfers that they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tmc.backend_gap9.plan.l1_buffers import L1Needs
from tmc.backend_gap9.plan.plan import StageCycles, Tiling
from tmc.backend_gap9.plan.tiling_solver import TileSolver


@dataclass(frozen=True, slots=True)
class TiledStage:
    """Tiles of a stage, the buffers that they need, and their modelled cycles.

    optimal tells whether no tiles are modelled faster, by proof.
    """

    tiling: Tiling
    needs: L1Needs
    cycles: StageCycles
    optimal: bool


@dataclass(frozen=True, slots=True)
class SmallestTiles:
    """The smallest legal tiles of a stage, in words, their buffers, and name and bytes of each transfer."""

    text: str
    needs: L1Needs
    transfers: tuple[tuple[str, int], ...]


class StageTiles(Protocol):
    """The tiles of one stage on one target."""

    @property
    def remedy(self) -> str:
        """What a user can do if none fit."""

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, or None if none fit."""

    def smallest(self) -> SmallestTiles:
        """Return the smallest legal tiles, whether they fit or not."""
