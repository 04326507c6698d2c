"""What a quantised model declares, and what the integer network keeps of it; printed by reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeptDeclarations:
    """What an integer graph keeps of the quantised model that it was made of.

    exact: every code is that of the model. scales: how many values have their declared scale, of how many
    that the model rounds. weights: how many linear ops have the model's integers. ranges: for how many values
    a declared range stands in for samples that were not given. clips: how many values are clipped to the
    range of a rounding; cutting: how many ranges cut what calibration samples reach; lost: how many of these
    are not kept, because outputs show less of them than of the file's own rounding. reason: which op is not
    taken code by code. inputs: of a network of integers, the smallest and the largest that each input holds.
    file_db: signal to noise of the outputs against those of the file itself, each op as ONNX says, over
    file_windows windows; None where only noise could be compared. file_float_db: the same of the file's
    outputs against `reference`; None where that is the file.
    """

    exact: bool
    scales: int
    of_scales: int
    weights: int
    of_weights: int
    ranges: int = 0
    clips: int = 0
    cutting: int = 0
    lost: int = 0
    reason: str = ""
    inputs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    file_db: float | None = None
    file_float_db: float | None = None
    file_windows: int = 0

    @staticmethod
    def every_code(codes: int, weights: int, inputs: Mapping[str, tuple[int, int]]) -> KeptDeclarations:
        """Return the record of a model of so many roundings and linear ops that is taken code by code."""
        return KeptDeclarations(True, codes, codes, weights, weights, inputs=inputs)

    @property
    def reference(self) -> str:
        """Return what the accuracy figures of the report compare with."""
        if self.exact:
            return "the quantised model in float32, with its roundings"
        return "the model in float32 with its integer weights and ranges, activations not rounded"

    def summary(self) -> str:
        """Return one line about what was kept."""
        parts = [
            f"integer weights of {self.weights} of {self.of_weights} linear ops",
            f"{self.scales} values at their scales in the model, which states {self.of_scales}",
        ]
        if self.ranges:
            parts.append(f"the ranges of {self.ranges} values are the model's, for want of samples")
        if self.clips or self.cutting:
            cut = f"{self.clips} values clipped to their ranges, {self.cutting} ranges cut what samples reach"
            lost = f", {self.lost} of them not kept, for outputs hardly show them" if self.lost else ""
            parts.append(cut + lost)
        if self.reason:
            parts.append(f"not code by code: {self.reason}")
        if self.exact:
            parts = ["every code is that of the quantised model"]
            if self.inputs:
                limits = (f"{name} from {low} to {high}" for name, (low, high) in self.inputs.items())
                parts = [f"{parts[0]}, for {', '.join(limits)}"]
        if self.file_db is not None:
            own = "" if self.file_float_db is None else f", which are {self.file_float_db:.1f} dB from float"
            windows = f"{self.file_windows} window{'s' if self.file_windows != 1 else ''}"
            parts.append(f"outputs {self.file_db:.1f} dB from those of the file itself on {windows}{own}")
        return "; ".join((*parts, f"accuracy is against {self.reference}"))
