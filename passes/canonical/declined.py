"""Why a recogniser left something alone: collected by the passes, shown by --explain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Declined:
    """One op that a pass looked at and left alone. `loc` is its ONNX node, `op` its kind in the text form."""

    loc: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.loc} ({self.op}): {self.reason}"
