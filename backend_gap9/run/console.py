"""What a program on the bare-metal platform prints (runtime_c/bare_metal/main.c)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tmc.ir.errors import PlatformError


@dataclass(frozen=True, slots=True)
class StageCycles:
    """The cycles from the beginning of a stage to that of the next."""

    number: int
    cycles: int


@dataclass(frozen=True, slots=True)
class ConsoleFacts:
    """One run: the bytes of each output by its number, cycles, and the sums of the traced values by name.

    init_cycles: what the network's init took before the run, to load the weights that stay in L2.
    """

    outputs: Mapping[int, bytes]
    cycles: int
    init_cycles: int
    stages: tuple[StageCycles, ...]
    sums: Mapping[str, int]


def parse_console(platform: str, text: str) -> ConsoleFacts:
    """Return the facts of a complete run; lines of other origin are passed over.

    Raises: PlatformError if the program reports an error or its text is cut off.
    """
    outputs: dict[int, bytes] = {}
    stages: list[StageCycles] = []
    sums: dict[str, int] = {}
    cycles: int | None = None
    init_cycles = 0
    complete = False
    for verb, rest in _facts(text):
        match verb:
            case "error:":
                raise PlatformError(platform, rest)
            case "output":
                number, digits = rest.split()
                outputs[int(number)] = outputs.get(int(number), b"") + bytes.fromhex(digits)
            case "stage_cycles":
                number, count = rest.split()
                stages.append(StageCycles(int(number), int(count)))
            case "cycles":
                cycles = int(rest)
            case "init_cycles":
                init_cycles = int(rest)
            case "trace":
                digits, _, name = rest.partition(" ")
                sums[name] = int(digits, 16)
            case "end":
                complete = True
    if cycles is None or not complete:
        raise PlatformError(platform, "found a run that did not print its end", *text.splitlines()[-20:])
    return ConsoleFacts(outputs, cycles, init_cycles, tuple(stages), sums)


def last_stage(text: str) -> int | None:
    """Return the number of the stage that began last, of a text that may be cut off anywhere."""
    numbers = [int(rest) for verb, rest in _facts(text) if verb == "stage" and rest.isdecimal()]
    return numbers[-1] if numbers else None


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        verb, _, rest = line.partition(" ")
        yield verb, rest
