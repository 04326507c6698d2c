"""CP-SAT on the tiles of one stage: least modelled cycles within L1, with the solver's proof."""

from __future__ import annotations

from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from tmc.backend_gap9.plan.tile_problem import InputCost, StepCost, TileChoice, TileProblem, tile_cost

# Far more than any stage needs; the same on every machine, other than seconds.
MAX_DETERMINISTIC_TIME = 20.0


@dataclass(frozen=True, slots=True)
class TileSolution:
    """The best tiles of a problem, and the cycles that no choice of tiles undercuts."""

    choice: TileChoice
    bound_cycles: int
    optimal: bool


@dataclass(slots=True)
class TileSolver:
    """Solve each problem once: identical stages of one network share their tiles."""

    solved: dict[TileProblem, TileSolution] = field(default_factory=dict)

    def solve(self, problem: TileProblem) -> TileSolution | None:
        """Return the best tiles, or None if none fit."""
        if problem not in self.solved:
            solution = solve_tiles(problem)
            if solution is None:
                return None
            self.solved[problem] = solution
        return self.solved[problem]


def solve_tiles(problem: TileProblem) -> TileSolution | None:
    """Return the choice of least modelled cycles within the budget, or None if there is none."""
    if not problem.choices:
        return None
    model = _TileModel(problem)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = MAX_DETERMINISTIC_TIME
    status = solver.solve(model.model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        assert status == cp_model.INFEASIBLE, "no tiles found, and no proof that there are none"
        return None
    solution = model.solution(solver)
    cost = tile_cost(problem, solution)
    assert cost.compute_cycles + cost.exposed_cycles <= round(solver.objective_value), "the model disagrees"
    return TileSolution(solution, round(solver.best_objective_bound), status == cp_model.OPTIMAL)


class _Terms:
    """A sum of variables times numbers."""

    def __init__(self) -> None:
        self.variables: list[cp_model.IntVar] = []
        self.factors: list[int] = []

    def add(self, variable: cp_model.IntVar, factor: int) -> None:
        if factor:
            self.variables.append(variable)
            self.factors.append(factor)

    def total(self) -> cp_model.LinearExprT:
        return cp_model.LinearExpr.weighted_sum(self.variables, self.factors)


class _TileModel:
    """The problem as a model: one variable for every row choice, and for each of its tiles and buffer counts.

    `ahead` is the excess of the transfers that hide behind whole turns, `after` that of each input with one
    buffer; in every sum only the terms of the chosen row choice are not zero.
    """

    def __init__(self, problem: TileProblem) -> None:
        self.problem = problem
        self.model = cp_model.CpModel()
        self.costs, self.ahead, self.memory = _Terms(), _Terms(), _Terms()
        self.after = [_Terms() for _ in problem.last_readers]
        self.operands = [_Terms() for _ in problem.choices[0].steps]
        self.results = [_Terms() for _ in problem.choices[0].steps]
        self.sums = [_Terms() for _ in problem.choices[0].steps]
        self.rows = [self.model.new_bool_var("") for _ in problem.choices]
        self.model.add_exactly_one(self.rows)
        self.tiles: list[list[list[cp_model.IntVar]]] = []
        self.buffers: list[list[dict[int, cp_model.IntVar]]] = []
        for choice, chosen in zip(problem.choices, self.rows, strict=True):
            self.costs.add(chosen, choice.exposed_cycles)
            self.ahead.add(chosen, choice.ahead_cycles)
            self.memory.add(chosen, choice.fixed_bytes)
            self.tiles.append([self._step(chosen, n, step) for n, step in enumerate(choice.steps)])
            self.buffers.append([self._input(chosen, n, each) for n, each in enumerate(choice.inputs)])
        self._limit_memory()
        self._expose()

    def _step(
        self, chosen: cp_model.IntVar, number: int, step: tuple[StepCost, ...]
    ) -> list[cp_model.IntVar]:
        picks = [self.model.new_bool_var("") for _ in step]
        self.model.add(sum(picks) == chosen)
        for pick, cost in zip(picks, step, strict=True):
            self.costs.add(pick, cost.compute_cycles + cost.exposed_cycles)
            self.ahead.add(pick, -cost.hiding_cycles)
            for terms, last_reader in zip(self.after, self.problem.last_readers, strict=True):
                if number > last_reader:
                    terms.add(pick, -cost.hiding_cycles)
            self.operands[number].add(pick, cost.operand_bytes)
            self.results[number].add(pick, cost.result_bytes)
            self.sums[number].add(pick, cost.sums_bytes)
        return picks

    def _input(self, chosen: cp_model.IntVar, number: int, cost: InputCost) -> dict[int, cp_model.IntVar]:
        picks = {count: self.model.new_bool_var("") for count in cost.buffers}
        self.model.add(sum(picks.values()) == chosen)
        for count, pick in picks.items():
            self.memory.add(pick, count * cost.tile_bytes)
            (self.after[number] if count == 1 else self.ahead).add(pick, cost.ahead_cycles)
        return picks

    def _limit_memory(self) -> None:
        budget = self.problem.budget_bytes
        with_sums = (self.sums,) if any(terms.variables for terms in self.sums) else ()
        for slots in (self.operands, self.results, *with_sums):
            slot = self.model.new_int_var(0, budget // 2, "")
            for terms in slots:
                self.model.add(slot >= terms.total())
            self.memory.add(slot, 2)
        self.model.add(self.memory.total() <= budget)

    def _expose(self) -> None:
        for terms in (self.ahead, *self.after):
            largest = sum(factor for factor in terms.factors if factor > 0)
            if largest:
                excess = self.model.new_int_var(0, largest, "")
                self.model.add(excess >= terms.total())
                self.costs.add(excess, 1)
        self.model.minimize(self.costs.total())

    def solution(self, solver: cp_model.CpSolver) -> TileChoice:
        """Return what the solver chose."""
        index = _first(solver, self.rows)
        tiles = tuple(_first(solver, picks) for picks in self.tiles[index])
        buffers = tuple(
            next(count for count, pick in picks.items() if solver.boolean_value(pick))
            for picks in self.buffers[index]
        )
        return TileChoice(index, tiles, buffers)


def _first(solver: cp_model.CpSolver, picks: list[cp_model.IntVar]) -> int:
    return next(index for index, pick in enumerate(picks) if solver.boolean_value(pick))
