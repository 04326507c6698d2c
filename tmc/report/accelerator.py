"""How much a network uses the accelerator of its target: cycles in which it works, and against its best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.plan.plan import StageCycles
from tmc.backend_gap9.target.target import Target


@dataclass(frozen=True, slots=True)
class AcceleratorUse:
    """The jobs of one inference. job_cycles: what they take alone, by the rule of the accelerator.

    most_macs_per_cycle: of a job without end.
    """

    name: str
    job_cycles: int
    most_macs_per_cycle: float

    def text(self, macs: int, cycles: int) -> str:
        """Return the use in words, of a network of so many multiply-accumulates in so many cycles."""
        rate, most = macs / cycles, self.most_macs_per_cycle
        return (
            f"{self.name.upper()} computes for {self.job_cycles:,} of {cycles:,} cycles, "
            f"{share_text(self.job_cycles, cycles)}; {rate:.1f} MAC/cycle in all, "
            f"{share_text(rate, most)} of the {most:.1f} that it has at most"
        )


def accelerator_use(target: Target, stages: Sequence[StageCycles]) -> AcceleratorUse | None:
    """Return the use of the accelerator, None on a target without one."""
    if not target.accelerator:
        return None
    most = round(job_costs(target).most_macs_per_cycle, 2)
    return AcceleratorUse(target.accelerator, sum(cycles.jobs for cycles in stages), most)


def share_text(part: float, whole: float) -> str:
    """Return a part as so many percent."""
    return f"{part / max(1, whole):.0%}"
