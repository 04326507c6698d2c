"""The page of ONNX operators, docs/operators.md, made from the tables that the frontend works by."""

from __future__ import annotations

from collections.abc import Iterable

from tmc.frontend.importers.quantised import REFUSED
from tmc.frontend.importers.table import IMPORTERS, STATIC
from tmc.frontend.qoperator import QOPERATORS
from tmc.frontend.read_model import OPSETS
from tmc.frontend.unsupported import NEAREST

_ALL = "all of it"
_HEAD = f"""# ONNX operators

What the frontend reads, opsets {OPSETS[0]} to {OPSETS[-1]}; written by `tmc operators --markdown`.
Each becomes ops of the IR, which `tmc ops` lists, and the imported graph is compared with onnxruntime in
every compile. Reading is the first step: what has no integer form where it stands is refused by `tmc check`
by the name of its node.

* Nodes whose operands are all constant may be any that ONNX defines: they are folded.
* Values are float32; files in float16 and float64 are computed in float32, and compared at their own
  precision.
* An input may hold truth values, as masks do: 1 for true and 0 for false.
* Sizes are known: a symbolic first axis is 1, other open sizes are given by `--shape INPUT=1x8x200`.
* Minus infinity in a constant, as masks hold it, is -1e30: a softmax makes 0 of both.
* Functions of the file are inlined; of an `If` with a constant condition its branch is taken.
* ONNX's own tests of these operators run in `tests/frontend/test_backend_cases.py`.
"""


def operator_rows() -> list[tuple[str, str]]:
    """Return the operators that are read, by name, each with what of it is taken."""
    rows = {kind: row.limits or _ALL for kind, row in IMPORTERS.items()}
    rows |= dict.fromkeys(STATIC, _ALL)
    rows["If"] = "a constant condition"
    return sorted(rows.items(), key=lambda row: (row[0].count("."), row[0].lower()))


def operators_page() -> str:
    """Return the page in Markdown."""
    refused = sorted(NEAREST.items(), key=lambda row: row[0].lower())
    refused += [(kind, "ops on real numbers, quantised around them") for kind in sorted(REFUSED)]
    parts = [
        _HEAD,
        _table("operator", "what of it is taken", operator_rows()),
        "## Operator format of quantised files\n",
        f"{', '.join(sorted(QOPERATORS))}: as DequantizeLinear, the op, QuantizeLinear.\n",
        "## Not read\n",
        _table("operator", "what works in its place", refused),
    ]
    return "\n".join(parts)


def _table(first: str, second: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {first} | {second} |", "|---|---|", *(f"| {kind} | {text} |" for kind, text in rows)]
    return "\n".join(lines) + "\n"
