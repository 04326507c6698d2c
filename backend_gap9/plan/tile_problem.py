"""What there is to decide about the tiles of one stage, as numbers.

A stage runs turns (row tiles; in attention, row tiles of every head), a turn runs steps (ops, or the halves
of an attention), a step runs over tiles of its streamed operand (weights; K; V transposed). The model:

* The transfers of a tile, its streamed operand and its result, hide behind one tile's compute: its own, which
  stands for the tile before it. What is longer is exposed; what is left over of the compute is slack.
* Inputs of the next turn and whole results of the last one hide behind the slack of a turn; an input with one
  buffer only behind the slack after its last reader.
* The first loads and the last stores of a stage are exposed.
* A step on the accelerator is a job for each tile; its compute is what the cores do behind the job before,
  while the job runs. What of job or transfers is longer than that is exposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """One step with a given tile of its streamed operand, over all turns of a stage.

    hiding_cycles: compute of all turns but the last one that is left over for transfers of other turns; where
    a job takes longer, that. job_cycles: all jobs; what compute does not hide of them is in exposed_cycles.
    operand_bytes, result_bytes, sums_bytes: the size of one slot of the streamed operand, of one streamed
    result, of what a job leaves for the cores, each in whole words.
    """

    tile: int
    compute_cycles: int
    dma_cycles: int
    exposed_cycles: int
    hiding_cycles: int
    job_cycles: int = 0
    operand_bytes: int = 0
    result_bytes: int = 0
    sums_bytes: int = 0


@dataclass(frozen=True, slots=True)
class InputCost:
    """One input: bytes of a tile in whole words, cycles of loading it for all turns but the first, and the
    legal buffer counts."""

    tile_bytes: int
    ahead_cycles: int
    buffers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """A number of rows per tile, in attention also of heads, and what follows from it alone.

    steps: for each step the choices of its tile. ahead_cycles: stores that hide like loads of double-buffered
    inputs. dma_cycles: of inputs, whole results and tables; exposed_cycles: of those at both ends. ahead: the
    first step runs a row tile ahead of the others.
    """

    rows: int
    fixed_bytes: int
    dma_cycles: int
    exposed_cycles: int
    ahead_cycles: int
    inputs: tuple[InputCost, ...]
    steps: tuple[tuple[StepCost, ...], ...]
    heads: int = 1
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class TileProblem:
    """One stage. last_readers: for each input the number of the step that reads it last."""

    choices: tuple[RowChoice, ...]
    last_readers: tuple[int, ...]
    budget_bytes: int


@dataclass(frozen=True, slots=True)
class TileChoice:
    """A solution: which row choice, the index of the tile chosen for each step, the buffers of each input."""

    choice: int
    tiles: tuple[int, ...]
    buffers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileCost:
    """What a solution costs."""

    compute_cycles: int
    dma_cycles: int
    job_cycles: int
    exposed_cycles: int
    l1_bytes: int


def tile_cost(problem: TileProblem, solution: TileChoice) -> TileCost:
    """Return modelled cycles and L1 bytes of a solution."""
    choice = problem.choices[solution.choice]
    steps = [costs[tile] for costs, tile in zip(choice.steps, solution.tiles, strict=True)]
    inputs = list(zip(choice.inputs, solution.buffers, problem.last_readers, strict=True))
    exposed = choice.exposed_cycles + sum(step.exposed_cycles for step in steps)
    ahead = choice.ahead_cycles + sum(each.ahead_cycles for each, buffers, _ in inputs if buffers == 2)
    exposed += _excess(ahead, steps)
    for each, buffers, last_reader in inputs:
        if buffers == 1:
            exposed += _excess(each.ahead_cycles, steps[last_reader + 1 :])
    l1_bytes = choice.fixed_bytes + sum(buffers * each.tile_bytes for each, buffers, _ in inputs)
    l1_bytes += 2 * max(step.operand_bytes for step in steps) + 2 * max(step.result_bytes for step in steps)
    l1_bytes += 2 * max(step.sums_bytes for step in steps)
    return TileCost(
        compute_cycles=sum(step.compute_cycles for step in steps),
        dma_cycles=choice.dma_cycles + sum(step.dma_cycles for step in steps),
        job_cycles=sum(step.job_cycles for step in steps),
        exposed_cycles=exposed,
        l1_bytes=l1_bytes,
    )


def _excess(cycles: int, steps: Sequence[StepCost]) -> int:
    return max(0, cycles - sum(step.hiding_cycles for step in steps))
