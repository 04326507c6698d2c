"""Names and layout of the generated C: identifiers, strings, comments, long lines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmc.backend_gap9.program.program import Dma, Fetch, If, Job, Loop, Program, Stmt, Wait
from tmc.ir.graph import Graph, Op
from tmc.ir.ops import VIEWS

COLUMNS = 110
INDENT = 4
# Stands for a space at which no line may break.
GLUE = "\0"
# Functions of the run time begin with this; a network of that name would collide with them.
_RUNTIME = "tmc"


@dataclass(frozen=True, slots=True)
class Names:
    """Identifiers of one network.

    l2, l3: offsets by buffer; slots: variables by slot; values: numbers of traced values by value;
    externals: the pointer by external buffer, as an expression behind the context. inputs, outputs: of each
    port, in the order of the graph.
    """

    network: str
    l2: Mapping[str, str]
    l3: Mapping[str, str]
    slots: Mapping[str, str]
    values: Mapping[str, str]
    externals: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def names_of(program: Program, graph: Graph) -> Names:
    """Choose the identifiers of a network; equal programs get equal ones."""
    network = network_name(program.name)
    return Names(
        network,
        _upper("L2", (b.name for b in program.buffers if b.memory == "l2" and not b.external)),
        _upper("L3", (b.name for b in program.buffers if b.memory == "l3")),
        _slot_names(program, network),
        _upper("VALUE", (op.output for op in traced_ops(graph))),
        {
            buffer: f"{what}[{number}]"
            for what, names, buffers in (
                ("inputs", graph.inputs, program.inputs),
                ("outputs", graph.outputs, program.outputs),
            )
            for number, buffer in enumerate(buffers[name] for name in names)
        },
        *_port_names(graph, network),
    )


def _port_names(graph: Graph, network: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the identifiers of inputs and outputs: parameters of NETWORK_run and parts of macros."""
    used_there = f"{network}_session"
    inputs = (f"input_{name}" for name in graph.inputs)
    outputs = (f"output_{name}" for name in graph.outputs)
    _, *found = identifiers((used_there, *inputs, *outputs))
    count = len(graph.inputs)
    return tuple(found[:count]), tuple(found[count:])


def traced_ops(graph: Graph) -> tuple[Op, ...]:
    """Return the ops whose outputs the generated code can trace: all that compute bytes of their own."""
    return tuple(op for op in graph.ops if op.kind not in VIEWS)


def network_name(name: str) -> str:
    """Return the name of a network as the beginning of its C identifiers."""
    identifier = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    if not identifier[:1].isalpha() or identifier == _RUNTIME or identifier.startswith(f"{_RUNTIME}_"):
        identifier = f"network_{identifier}"
    return identifier


def l1_names(buffers: Iterable[str]) -> dict[str, str]:
    """Return the identifiers of the L1 offsets of a stage, by buffer."""
    return _upper("L1", buffers)


def _upper(prefix: str, names: Iterable[str]) -> dict[str, str]:
    return {name: text.upper() for name, text in _unique(prefix, names).items()}


def _unique(prefix: str, names: Iterable[str]) -> dict[str, str]:
    distinct = tuple(dict.fromkeys(names))
    return dict(zip(distinct, identifiers(distinct, f"{prefix}_"), strict=True))


def identifiers(names: Iterable[str], prefix: str = "") -> tuple[str, ...]:
    """Return C identifiers for names, all different even without regard to case.

    Of two that would be the same the later one gets a number.
    """
    taken: set[str] = set()
    result: list[str] = []
    for name in names:
        stem = prefix + re.sub(r"\W", "_", name, flags=re.ASCII)
        stem = f"_{stem}" if stem[:1].isdigit() else stem
        identifier, number = stem, 2
        while identifier.upper() in taken:
            identifier, number = f"{stem}_{number}", number + 1
        taken.add(identifier.upper())
        result.append(identifier)
    return tuple(result)


def _slot_names(program: Program, network: str) -> dict[str, str]:
    fetched: dict[str, None] = {}
    moved: dict[str, None] = {}
    started: dict[str, None] = {}

    def visit(body: tuple[Stmt, ...]) -> None:
        for statement in body:
            if isinstance(statement, Loop | If):
                visit(statement.body)
            elif isinstance(statement, Fetch) or (isinstance(statement, Wait) and statement.memory == "l3"):
                fetched[statement.slot.name] = None
            elif isinstance(statement, Job):
                started[statement.slot.name] = None
            elif isinstance(statement, Dma | Wait):
                moved[statement.slot.name] = None

    for stage in (program.init, *program.stages):
        visit(stage.body)
    stems = {name: f"dma {name}" for name in moved}
    stems |= {name: f"fetch {name.removeprefix('fetch ')}" for name in fetched}
    stems |= {name: f"job {name.removeprefix('job ')}" for name in started}
    identifiers = _unique(network, stems.values())
    return {name: identifiers[stem] for name, stem in stems.items()}


def c_string(text: str) -> str:
    """Return a C string literal."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{escaped}"'


def comment_text(text: str) -> str:
    """Return text that may stand inside a C comment and, on its own line, ends it nowhere."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable.replace("*/", "* /").replace("/*", "/ *")


def wrapped(text: str, indent: int) -> list[str]:
    """Return a statement in lines of at most COLUMNS.

    Lines break between the arguments of the outermost call, and align with the first one; inside an argument
    only where it is longer than a line.
    """
    if indent + len(text) <= COLUMNS:
        return [" " * indent + text]
    opening = text.find("(")
    hanging = indent + (opening + 1 if 0 <= opening < COLUMNS // 2 else 4)
    lines = textwrap.wrap(
        _glue_arguments(text),
        COLUMNS,
        initial_indent=" " * indent,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [piece for line in lines for piece in _cut(line.replace(GLUE, " "), hanging + 4)]


def _cut(line: str, hanging: int) -> list[str]:
    """Return a line that is still too long in several."""
    start = len(line) - len(line.lstrip())
    return textwrap.wrap(
        line.lstrip(),
        COLUMNS,
        initial_indent=" " * start,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _glue_arguments(text: str) -> str:
    """Replace every space but those between arguments of the outermost call."""
    depth, result = 0, []
    for before, char in zip(" " + text, text, strict=False):
        depth += (char in "([{") - (char in ")]}")
        result.append(GLUE if char == " " and not (depth == 1 and before == ",") else char)
    return "".join(result)


def filled(entries: Iterable[str], indent: int = INDENT) -> tuple[str, ...]:
    """Return entries, each behind the one before as they fit into lines."""
    text = " ".join(entry.replace(" ", GLUE) for entry in entries)
    width = COLUMNS - indent
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return tuple(" " * indent + line.replace(GLUE, " ") for line in lines)


def comment_lines(text: str) -> list[str]:
    """Return a paragraph of a block comment, without the marks at its ends."""
    return textwrap.wrap(
        comment_text(text),
        COLUMNS,
        initial_indent=" * ",
        subsequent_indent=" *   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
