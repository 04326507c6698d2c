"""`tmc operators`, `tmc ops`, `tmc passes`, `tmc targets`: the tables of the compiler."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Sequence

from tmc.backend_gap9.target.targets import TARGETS
from tmc.compile_stages import compile_stages
from tmc.frontend.operators_page import operator_rows, operators_page
from tmc.ir.ops import OPS


def list_ops(options: argparse.Namespace) -> int:
    """Print every op of the IR: name, operands, attributes, summary."""
    rows = [
        {
            "op": kind.value,
            "operands": " ".join(row.operands),
            "attributes": " ".join(row.attrs.__dataclass_fields__),
            "summary": row.summary,
        }
        for kind, row in OPS.items()
    ]
    return _print(options, "ops", rows)


def list_operators(options: argparse.Namespace) -> int:
    """Print every ONNX operator that is read, and what of it is taken."""
    if options.markdown:
        print(operators_page(), end="")
        return 0
    rows = [{"operator": kind, "takes": limits} for kind, limits in operator_rows()]
    return _print(options, "operators", rows)


def list_passes(options: argparse.Namespace) -> int:
    """Print the passes in the order they run, with the first line of their documentation."""
    rows = [
        {"pass": stage.name, "summary": (inspect.getdoc(stage.function) or "").partition("\n")[0]}
        for stage in compile_stages()
        if stage.is_pass
    ]
    return _print(options, "passes", rows)


def list_targets(options: argparse.Namespace) -> int:
    """Print the targets: cores, clock and the bytes that a plan may use of each memory."""
    rows = [
        {
            "target": target.name,
            "cores": str(target.cores),
            "MHz": str(target.cluster_hz // 1_000_000),
            "L1": str(target.l1_usable_bytes),
            "L2": str(target.l2.usable_bytes),
            "L3": str(target.l3.usable_bytes),
            "description": target.description,
        }
        for target in TARGETS.values()
    ]
    return _print(options, "targets", rows)


def _print(options: argparse.Namespace, name: str, rows: Sequence[dict[str, str]]) -> int:
    if options.json:
        print(json.dumps({"ok": True, name: rows}))
        return 0
    columns = list(rows[0])
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    for row in ({column: column for column in columns}, *rows):
        print("  ".join(row[column].ljust(widths[column]) for column in columns).rstrip())
    return 0
