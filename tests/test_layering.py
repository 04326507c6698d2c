"""Who may import whom, between the layers and inside of them: two tables, checked on the source text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.repository import FOLDERS, PRODUCT, ROOT, SUBPACKAGES, files_under, module_name

LAYERS: dict[str, frozenset[str]] = {
    "tmc": frozenset({"tmc", "frontend", "passes", "backend_gap9", "ir"}),
    "frontend": frozenset({"frontend", "ir"}),
    "passes": frozenset({"passes", "ir"}),
    "backend_gap9": frozenset({"backend_gap9", "ir"}),
    "ir": frozenset({"ir"}),
    "runtime_c": frozenset(),
}

# Inside a layer: which of its rooms each room may import, the ground floor first. A room is a folder, or a
# file that stands beside the folders; `plan.plan` is one file of the room `plan`.
ROOMS: dict[str, dict[str, tuple[str, ...]]] = {
    "tmc": {
        "calibration": (),
        "check_ports": (),
        "accuracy_floor": (),
        "integer_inputs": (),
        "report": (),
        "compile_stages": (),
        "driver": ("calibration", "check_ports", "accuracy_floor", "integer_inputs", "report"),
        "cli": ("accuracy_floor", "integer_inputs", "report", "compile_stages", "driver"),
        "__main__": ("cli",),
    },
    "frontend": {
        "limits": (),
        "node": ("limits",),
        "fold": ("limits", "node"),
        "signature": ("node",),
        "structure": ("limits", "signature"),
        "importers": ("limits", "node", "structure"),
        "unsupported": ("node", "importers"),
        "qoperator": ("node",),
        "read_model": ("node", "structure", "importers", "qoperator"),
        "input_types": ("limits", "structure"),
        "import_nodes": ("node", "fold", "structure", "importers"),
        "onnx_import": (
            "node",
            "structure",
            "qoperator",
            "read_model",
            "input_types",
            "import_nodes",
            "unsupported",
        ),
        "oracle": ("node", "qoperator", "read_model"),
        "operators_page": ("importers", "qoperator", "read_model", "unsupported"),
        "__init__": ("onnx_import",),
    },
    "passes": {
        "recipe": (),
        "watch": (),
        "pipeline": (),
        "views": (),
        "calibrate": (),
        "integer_ops": ("recipe",),
        "scales": ("recipe", "calibrate", "integer_ops"),
        "canonical": ("pipeline", "views", "integer_ops", "scales"),
        "quantise_clip": ("integer_ops", "scales", "canonical"),
        "integer_form": ("recipe", "integer_ops", "scales", "quantise_clip"),
        "quantise": ("recipe", "integer_ops", "scales", "quantise_clip", "integer_form"),
        "quantise_calibrated": (
            *("recipe", "watch", "pipeline", "calibrate", "scales", "integer_form", "quantise"),
        ),
        "outline": (
            *("recipe", "pipeline", "calibrate", "scales", "quantise_clip", "integer_form", "quantise"),
        ),
        "declared": ("recipe", "pipeline", "views", "calibrate", "integer_ops", "scales", "canonical"),
        "accuracy": ("recipe", "calibrate", "integer_ops"),
        "quantise_model": (
            *(
                "recipe",
                "watch",
                "pipeline",
                "calibrate",
                "integer_ops",
                "scales",
                "canonical",
                "declared",
                "outline",
            ),
            *("integer_form", "quantise_calibrated"),
        ),
    },
    "backend_gap9": {
        "target": (),
        "program": (),
        "kernels": ("target.target", "target.read_record", "program"),
        "stages": ("target.target", "kernels", "program"),
        "plan": ("target", "kernels", "program", "stages"),
        "schedule": ("kernels", "program", "stages", "plan"),
        "prove": ("target.target", "kernels", "program", "plan.plan"),
        "emit": ("target.target", "kernels", "program"),
        "run": ("kernels", "emit"),
    },
}

# Third-party packages of the product, and the files that may import each.
# `google` is protobuf, whose errors onnx raises.
IMPORTERS: dict[str, tuple[str, ...]] = {
    "numpy": ("tmc/*", "frontend/*", "ir/*", "passes/*", "backend_gap9/*"),
    "threadpoolctl": ("tmc/cli/main.py",),
    "networkx": ("frontend/*", "passes/*", "backend_gap9/*"),
    "onnx": ("frontend/*",),
    "onnxruntime": ("frontend/*",),
    "google": ("frontend/*",),
    "ortools": ("backend_gap9/plan/*",),
    "jinja2": ("backend_gap9/emit/*", "tmc/report/*"),
    # GVSoC's own packages: it imports the description of its target itself.
    **dict.fromkeys(("devices", "gvsoc", "interco", "pulp", "vp"), ("backend_gap9/target/gvsoc/*",)),
}

# The compiler never needs it: only who trains or exports networks, to show or to measure.
TORCH_USERS = (
    "examples/*",
    "tests/examples/*",
    "tests/quantised/test_torch_*",
    "tests/quantised/test_real_results.py",
    "tests/quantised/pt2e_models.py",
    "tests/e2e/encoders.py",
    "tests/e2e/zoo/*",
    "tests/e2e/test_worker_stacks.py",
    "bench/accuracy/*",
    "tests/bench/*",
)

PRODUCT_FILES = tuple(path for path in files_under(*PRODUCT) if path.suffix == ".py")
PYTHON_FILES = tuple(path for path in files_under(*FOLDERS) if path.suffix == ".py")


def imported_modules(source: str) -> list[str]:
    """List what a source text imports, `from a import b` as `a.b`; relative imports start with a dot."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            modules += [f"{prefix}.{alias.name}" for alias in node.names]
    return modules


def names_used(source: str) -> set[str]:
    """Return the attributes and the imported names that a source text mentions."""
    nodes = list(ast.walk(ast.parse(source)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {module.rpartition(".")[2] for module in imported_modules(source)}


def layer_of(module: str) -> str:
    """Return the layer that a module under `tmc` belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in SUBPACKAGES else "tmc"


def violations(path: Path, source: str) -> list[str]:
    """List what a product file imports against the table."""
    own_layer = path.parts[0]
    found: list[str] = []
    for module in imported_modules(source):
        top = module.partition(".")[0]
        if top == "":
            found.append(f"{path}: relative import {module}")
        elif top == "tmc":
            if layer_of(module) not in LAYERS[own_layer]:
                found.append(f"{path}: {own_layer} may not import {module}")
        elif top not in sys.stdlib_module_names and not any(
            fnmatch(path.as_posix(), pattern) for pattern in IMPORTERS.get(top, ())
        ):
            found.append(f"{path}: may not import {module}")
    return found


def within_layer(module: str) -> str:
    """Return the dotted name of a module under `tmc` inside its layer."""
    return module.removeprefix("tmc.").removeprefix(f"{layer_of(module)}.")


def reached(path: Path, source: str) -> list[str]:
    """List what a file imports from other rooms of its own layer, by dotted names inside the layer."""
    own_layer, room = path.parts[0], path.with_suffix("").parts[1]
    modules = [m for m in imported_modules(source) if m.startswith("tmc.") and layer_of(m) == own_layer]
    names = [within_layer(module) for module in modules if module != "tmc.__version__"]
    return [name for name in names if name.partition(".")[0] != room]


def opens(prefixes: Iterable[str], name: str) -> bool:
    """Tell whether one of the prefixes is a name or a package around it."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def room_violations(path: Path, source: str) -> list[str]:
    """List what a product file imports against the table of the rooms."""
    own_layer, room = path.parts[0], path.with_suffix("").parts[1]
    if own_layer not in ROOMS:
        return []
    allowed = ROOMS[own_layer].get(room, ())
    return [f"{path}: {room} may not import {n}" for n in reached(path, source) if not opens(allowed, n)]


def test_product_imports_follow_the_table() -> None:
    assert PRODUCT_FILES
    assert [v for path in PRODUCT_FILES for v in violations(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ir/graph.py", "import onnx"),
        ("ir/graph.py", "from tmc.passes import order"),
        ("ir/graph.py", "from tmc import frontend"),
        ("ir/graph.py", "from tmc import __version__"),
        ("ir/graph.py", "from .types import DType"),
        ("ir/graph.py", "import networkx"),
        ("passes/order.py", "def f():\n    import tmc.backend_gap9.target.cost"),
        ("passes/order.py", "import ir.graph"),
        ("backend_gap9/target/cost.py", "from ortools.sat.python import cp_model"),
        ("backend_gap9/program/program.py", "import jinja2"),
        ("backend_gap9/emit/emit.py", "import torch"),
        ("tmc/driver.py", "import onnxruntime as ort"),
        ("runtime_c/__init__.py", "import tmc.ir"),
    ],
)
def test_table_rejects(path: str, source: str) -> None:
    assert len(violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tmc/driver.py", "from tmc import __version__\nimport tmc.backend_gap9.emit\nimport numpy as np"),
        ("frontend/load.py", "import onnx.helper\nimport onnxruntime"),
        ("backend_gap9/plan/tiling_gemm.py", "from ortools.sat.python import cp_model"),
        ("backend_gap9/emit/emit.py", "import jinja2\nfrom tmc.ir.graph import Graph"),
        ("ir/graph.py", "import dataclasses\nimport numpy as np\nfrom tmc.ir.types import DType"),
    ],
)
def test_table_accepts(path: str, source: str) -> None:
    assert violations(Path(path), source) == []


def test_rooms_import_what_the_table_says() -> None:
    assert [v for path in PRODUCT_FILES for v in room_violations(path, (ROOT / path).read_text())] == []


def test_the_table_lists_every_room() -> None:
    for layer, rooms in ROOMS.items():
        found = {path.with_suffix("").parts[1] for path in PRODUCT_FILES if path.parts[0] == layer}
        assert found - {"__init__"} == rooms.keys() - {"__init__"}
        floors = {room: {name.partition(".")[0] for name in below} for room, below in rooms.items()}
        TopologicalSorter(floors).prepare()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("backend_gap9/prove/walk.py", "from tmc.backend_gap9.stages.layout import l2_layouts"),
        ("backend_gap9/prove/walk.py", "from tmc.backend_gap9.plan.planning import make_plan"),
        ("backend_gap9/prove/check_plan.py", "from tmc.backend_gap9.target.cost import dma_cycles"),
        ("backend_gap9/prove/check_plan.py", "from tmc.backend_gap9 import schedule"),
        ("backend_gap9/plan/tiling.py", "import tmc.backend_gap9.schedule.rows"),
        ("backend_gap9/kernels/table.py", "from tmc.backend_gap9.plan.plan import Plan"),
        ("backend_gap9/run/host.py", "from tmc.backend_gap9.plan.plan import Plan"),
        ("backend_gap9/new_room/file.py", "from tmc.backend_gap9.program.program import Program"),
        ("passes/recipe.py", "from tmc.passes.quantise import quantise"),
        ("passes/views/element_map.py", "from tmc.passes.pipeline import Declined"),
        ("frontend/importers/table.py", "from tmc.frontend import load"),
        ("tmc/driver.py", "from tmc.cli.main import main"),
        ("tmc/report/facts.py", "from tmc.driver import compile_model"),
    ],
)
def test_rooms_reject(path: str, source: str) -> None:
    assert len(room_violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("backend_gap9/prove/walk.py", "from tmc.backend_gap9.plan.plan import Plan"),
        ("backend_gap9/prove/walk.py", "from tmc.backend_gap9.prove.state import State\nimport numpy"),
        ("backend_gap9/plan/tiling.py", "from tmc.backend_gap9.stages import staged"),
        ("passes/quantise.py", "from tmc.passes.recipe import Recipe\nfrom tmc.ir.graph import Graph"),
        ("tmc/driver.py", "from tmc import __version__\nfrom tmc.passes.views.element_map import Term"),
        ("ir/graph.py", "from tmc.ir.types import DType"),
    ],
)
def test_rooms_accept(path: str, source: str) -> None:
    assert room_violations(Path(path), source) == []


def test_subpackages_are_imported_under_tmc() -> None:
    wrong = [
        f"{path}: import tmc.{module}"
        for path in PYTHON_FILES
        for module in imported_modules((ROOT / path).read_text())
        if module.partition(".")[0] in SUBPACKAGES
    ]
    assert wrong == []


def test_torch_stays_in_the_examples() -> None:
    wrong = [
        str(path)
        for path in PYTHON_FILES
        if "torch" in {module.partition(".")[0] for module in imported_modules((ROOT / path).read_text())}
        and not any(fnmatch(path.as_posix(), pattern) for pattern in TORCH_USERS)
    ]
    assert wrong == []


def test_product_modules_import_without_cycles() -> None:
    names = {module_name(path) for path in PRODUCT_FILES}
    graph: dict[str, set[str]] = {}
    for path in PRODUCT_FILES:
        targets = set()
        for module in imported_modules((ROOT / path).read_text()):
            target = module if module in names else module.rpartition(".")[0]
            targets |= {target} & names
        graph[module_name(path)] = targets
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_the_command_line_reads_the_environment() -> None:
    readers = {"environ", "environb", "getenv", "getenvb"}
    wrong = [
        str(path)
        for path in PRODUCT_FILES
        if path.as_posix() != "tmc/cli/main.py" and readers & names_used((ROOT / path).read_text())
    ]
    assert wrong == []
