"""What the comments of the generated files say that the program does not hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Captions:
    """Sentences for comments: where the network comes from, and the figures of its plan.

    made_by: one sentence. network: paragraphs at the top of network.c. stages: the paragraphs of each stage;
    the title of the stage stands behind the first.
    """

    made_by: str
    network: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
