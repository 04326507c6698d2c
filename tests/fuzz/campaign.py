"""Many files by number: equal seeds and numbers give equal files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.models import draw_model
from tests.fuzz.mutations import damage
from tests.fuzz.trial import Outcome, try_file

COMPILE_EVERY = 5  # the others are checked, which writes nothing


@dataclass(slots=True)
class Tally:
    """How the files of a campaign ended; `failed` are the numbers of defects and hangs with their texts."""

    files: int = 0
    refused: int = 0
    compiled: int = 0
    defects: int = 0
    hangs: int = 0
    seconds: float = 0.0
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one file."""
        self.files += 1
        self.refused += outcome.verdict == "refused"
        self.compiled += outcome.verdict == "compiled"
        self.defects += outcome.verdict == "defect"
        self.hangs += outcome.verdict == "hang"
        if outcome.verdict in ("defect", "hang"):
            self.failed[number] = outcome.text


def fuzzed_file(seed: int, number: int) -> bytes:
    """Return a file of a campaign."""
    random = Random(f"{seed} {number}")
    return damage(random, draw_model(random))


def run_campaign(
    seed: int, numbers: Iterable[int], keep: Path, watch: Callable[[int, Outcome], None] = lambda *_: None
) -> Tally:
    """Try files one after the other; those that end in a defect or a hang are kept in a folder, by number."""
    tally, start = Tally(), time.monotonic()
    for number in numbers:
        content = fuzzed_file(seed, number)
        with tempfile.TemporaryDirectory() as name:
            model = Path(name) / "case" / "m.onnx"
            model.parent.mkdir()
            model.write_bytes(content)
            (Path(name) / "secret").write_bytes(bytes(64))
            outcome = try_file("compile" if number % COMPILE_EVERY == 0 else "check", model)
        tally.add(number, outcome)
        if number in tally.failed:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{seed}-{number}.onnx").write_bytes(content)
        watch(number, outcome)
    tally.seconds = round(time.monotonic() - start, 1)
    return tally
