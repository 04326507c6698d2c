"""Who looks on while a network is compiled: one observer, one clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Watch:
    """Look on: `stage` before each stage, `after` with what it made (if that prints) and its seconds.

    note: what was assumed of the model, in words.
    """

    stage: Callable[[str], None] = lambda text: None
    after: Callable[[str, Any, float], None] = lambda name, value, seconds: None
    note: Callable[[str], None] = lambda text: None
    _since: float = field(default_factory=time.perf_counter, init=False, repr=False)

    def done(self, name: str, value: object | None = None) -> None:
        """Say what was made, with the seconds since the last time."""
        now = time.perf_counter()
        self.after(name, value, now - self._since)
        self._since = now
