"""Choose with CP-SAT which constant blocks stay in L2 and when the others travel from L3.

There is one L3 channel, first in first out, and blocks are asked for in the order in which stages need them.
A stage asks for its fetches at its start, then waits for its own blocks; what it waits is exposed. Wanted, in
this order: least exposed cycles, fewest bytes from L3, and fetches no earlier than needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ortools.sat.python import cp_model

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l3_timeline import waits_for_l3
from tmc.backend_gap9.plan.place import live_bytes, misfit
from tmc.backend_gap9.plan.plan import LiveRange, Residency
from tmc.backend_gap9.plan.stream_blocks import stream_blocks
from tmc.backend_gap9.stages.staged import ConstantBlock
from tmc.backend_gap9.target.cost import fetch_cycles
from tmc.backend_gap9.target.target import Target

# No block is fetched more than this many stages ahead: two layers.
MAX_STAGES_AHEAD = 6
MAX_DETERMINISTIC_TIME = 0.4
# Of more, the solver's own preparations alone take longer than a compile should.
MAX_SOLVED_BLOCKS = 300
# Fewer bytes from L3 by less than this are not worth the time to prove them.
BYTES_GAP = 0.01
# One byte weighs as much as this many stages of earliness.
EARLINESS_PARTS = 16


def choose_residency(
    blocks: Sequence[ConstantBlock],
    stage_cycles: Sequence[int],
    activations: Sequence[LiveRange],
    target: Target,
    budget_bytes: int,
    steps: Sequence[str] = (),
    *,
    resident: bool = True,
) -> tuple[tuple[Residency, ...], int]:
    """Return the residency of every block, in order of stages, and the exposed cycles of L3.

    blocks: in the order in which stages need them. activations: live ranges over stages. `steps` are the
    names of the stages, for errors. Without `resident` every block travels in every inference.
    Raises: PlanError if activations and the blocks of one stage exceed the budget.
    """
    assert all(a.stage <= b.stage for a, b in pairwise(blocks)), "blocks out of order"
    check_live(blocks, activations, budget_bytes, steps)
    live = live_bytes(activations)
    free = [budget_bytes - live.get(stage, 0) for stage in range(len(stage_cycles))]
    chosen: tuple[Residency, ...] | None = None
    if len(blocks) <= MAX_SOLVED_BLOCKS:
        chosen = _Model(blocks, stage_cycles, free, target, 0, resident).fewest_bytes()
        if chosen is None:
            least = _Model(blocks, stage_cycles, free, target, None, resident).least_exposed()
            chosen = _Model(blocks, stage_cycles, free, target, least, resident).fewest_bytes()
    if chosen is None:
        # Too many for the solver, or it ran out of time without any answer.
        chosen = stream_blocks(blocks, free, MAX_STAGES_AHEAD, resident=resident)
    return chosen, sum(waits_for_l3(chosen, stage_cycles, target))


def check_live(
    blocks: Sequence[ConstantBlock],
    activations: Sequence[LiveRange],
    budget_bytes: int,
    steps: Sequence[str] = (),
) -> None:
    """Raise PlanError if activations and the blocks of one stage exceed the budget."""
    own = [LiveRange(block.name, block.size_bytes, block.stage, block.stage) for block in blocks]
    needed = live_bytes((*activations, *own))
    worst = max(needed, key=lambda stage: needed[stage], default=0)
    if needed.get(worst, 0) > budget_bytes:
        what = f"found {needed[worst]} bytes live at once"
        raise misfit((*activations, *own), worst, steps, what, budget_bytes)


class _Model:
    """The choice as a model. `limit` bounds the exposed cycles; None leaves them free.

    A stage starts at the sum of the cycles before it plus the cycles exposed so far; a block is there when
    the channel, which takes one after the other, has moved it.
    """

    def __init__(
        self,
        blocks: Sequence[ConstantBlock],
        stage_cycles: Sequence[int],
        free_bytes: Sequence[int],
        target: Target,
        limit: int | None,
        may_stay: bool,
    ) -> None:
        self.blocks = blocks
        self.model = cp_model.CpModel()
        self.resident = [self.model.new_bool_var("") for _ in blocks]
        self.fetched: list[dict[int, cp_model.IntVar]] = []
        for block, resident in zip(blocks, self.resident, strict=True):
            stages = range(max(0, block.stage - MAX_STAGES_AHEAD), block.stage + 1)
            picks = {stage: self.model.new_bool_var("") for stage in stages}
            self.model.add_exactly_one((resident, *picks.values()))
            # Every block at its own stage keeps the budget always: where the search starts.
            self.model.add_hint(resident, False)
            for stage, pick in picks.items():
                self.model.add_hint(pick, stage == block.stage)
            self.fetched.append(picks)
        if not may_stay:
            self.model.add(sum(self.resident) == 0)
        self._limit_memory(free_bytes)
        self._keep_order()
        durations = [fetch_cycles(target, block.size_bytes) for block in blocks]
        self.exposed = self._channel(durations, stage_cycles, sum(durations) if limit is None else limit)

    def _limit_memory(self, free_bytes: Sequence[int]) -> None:
        sizes = [word_up(block.size_bytes) for block in self.blocks]
        for stage, free in enumerate(free_bytes):
            variables, factors = list(self.resident), list(sizes)
            for block, size, picks in zip(self.blocks, sizes, self.fetched, strict=True):
                alive = [pick for at, pick in picks.items() if at <= stage <= block.stage]
                variables += alive
                factors += [size] * len(alive)
            self.model.add(cp_model.LinearExpr.weighted_sum(variables, factors) <= free)

    def _keep_order(self) -> None:
        """Let fetch stages rise with the blocks, whatever stays in L2 in between."""
        earlier = self.model.new_constant(0)
        for block, picks in zip(self.blocks, self.fetched, strict=True):
            latest = self.model.new_int_var(0, block.stage, "")
            for stage, pick in picks.items():
                self.model.add(latest == stage).only_enforce_if(pick)
            self.model.add(latest >= earlier)
            earlier = latest

    def _channel(self, durations: Sequence[int], stage_cycles: Sequence[int], limit: int) -> cp_model.IntVar:
        """Add the timeline; return the exposed cycles of all stages."""
        model = self.model
        before = [sum(stage_cycles[:stage]) for stage in range(len(stage_cycles))]
        # exposed[s]: cycles waited before stage s asks for its fetches; the last entry is that of the end
        exposed = [model.new_constant(0)]
        for _ in stage_cycles:
            exposed.append(model.new_int_var(0, limit, ""))
            model.add(exposed[-1] >= exposed[-2])
        done = model.new_constant(0)
        for block, duration, resident, picks in zip(
            self.blocks, durations, self.resident, self.fetched, strict=True
        ):
            finished = model.new_int_var(0, sum(stage_cycles) + limit, "")
            model.add(finished >= done + duration - duration * resident)
            for stage, pick in picks.items():
                model.add(finished >= before[stage] + exposed[stage] + duration).only_enforce_if(pick)
            waited = before[block.stage] + exposed[block.stage + 1]
            model.add(finished <= waited).only_enforce_if(~resident)
            done = finished
        return exposed[-1]

    def least_exposed(self) -> int | None:
        """Return the least exposed cycles found, None if nothing was found in time."""
        self.model.minimize(self.exposed)
        solver = self._solve(0.0)
        return None if solver is None else round(solver.objective_value)

    def fewest_bytes(self) -> tuple[Residency, ...] | None:
        """Return a choice of fewest bytes from L3, then latest fetches; None if none keeps the limit."""
        variables: list[cp_model.IntVar] = []
        factors: list[int] = []
        for block, picks in zip(self.blocks, self.fetched, strict=True):
            for stage, pick in picks.items():
                variables.append(pick)
                factors.append(block.size_bytes * EARLINESS_PARTS + block.stage - stage)
        self.model.minimize(cp_model.LinearExpr.weighted_sum(variables, factors))
        solver = self._solve(BYTES_GAP)
        if solver is None:
            return None
        chosen = []
        for block, resident, picks in zip(self.blocks, self.resident, self.fetched, strict=True):
            stays = solver.boolean_value(resident)
            stage = 0 if stays else next(at for at, pick in picks.items() if solver.boolean_value(pick))
            chosen.append(Residency(block, stays, stage))
        return tuple(chosen)

    def _solve(self, gap: float) -> cp_model.CpSolver | None:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.relative_gap_limit = gap
        solver.parameters.max_deterministic_time = MAX_DETERMINISTIC_TIME
        status = solver.solve(self.model)
        return solver if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None
