"""Products of two computed matrices, to the cores: bit-exact, every change of a call caught, near float."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.backend_gap9.prove.test_relations import uncaught_in_all_stages
from tests.networks.emitted_network import emitted
from tests.networks.matrix_network import matrix_network
from tests.networks.onnx_files import node, write
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.backend_gap9.stages.column_shape import column_shape
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.errors import PlanError
from tmc.ir.graph import OpKind

# Rows of a tile, channels of a linear and columns, buffers of an input; the others are of attention.
TILES = Tiles(5, 8, 2, 1, 1, 1)
DEPTH, ROWS, WIDTH, HEADS, CLASSES = 12, 20, 24, 3, 5

# Linear attention: f(q) (f(k)^T v) / (f(q) sum f(k)), f(x) = elu(x) + 1, three heads.
SPLIT = [
    step
    for name in "qkv"
    for step in (
        node("MatMul", f"n w{name}", f"{name}0"),
        *(
            [node("Elu", f"{name}0", f"{name}1"), node("Add", f"{name}1 one", f"{name}2")]
            if name != "v"
            else []
        ),
        node("Reshape", f"{name}{'0' if name == 'v' else '2'} split", f"{name}3"),
        node("Transpose", f"{name}3", name, perm=[0, 2, 1, 3]),
    )
]
MERGE = [
    node("Transpose", "a", "t", perm=[0, 2, 1, 3]),
    node("Reshape", "t merge", "m"),
    node("MatMul", "m w1", "y"),
]
LINEAR_ATTENTION = [
    *SPLIT,
    node("Transpose", "k", "kt", perm=[0, 1, 3, 2]),
    node("MatMul", "kt v", "kv"),
    node("MatMul", "q kv", "above"),
    node("ReduceSum", "k tokens", "sum", keepdims=0),
    node("Unsqueeze", "sum last", "column"),
    node("MatMul", "q column", "below"),
    node("Div", "above below", "a"),
    *MERGE,
]
# The same with f(x) = max(x, 0) + 0.001: where all of a row of Q is below 0, what is left of it is small.
RECTIFIED_ATTENTION = [
    node("Relu", *each.input, *each.output)
    if each.op_type == "Elu"
    else node("Add", f"{each.input[0]} small", *each.output)
    if each.op_type == "Add"
    else each
    for each in LINEAR_ATTENTION
]
# The same without a quotient, each of Q and K with a softmax of its own: efficient attention.
EFFICIENT_ATTENTION = [
    *SPLIT,
    node("Softmax", "q", "qs", axis=-1),
    node("Softmax", "k", "ks", axis=2),
    node("Transpose", "ks", "kt", perm=[0, 1, 3, 2]),
    node("MatMul", "kt v", "kv"),
    node("MatMul", "qs kv", "a"),
    *MERGE,
]
# What channels have in common, as features.
COVARIANCE = [
    node("MatMul", "n wk", "k"),
    node("Transpose", "k", "kt", perm=[0, 2, 1]),
    node("MatMul", "kt k", "c"),
    node("ReduceMean", "c", "m", axes=[1], keepdims=0),
    node("MatMul", "m w1", "y"),
]
# Scores of a query of its own for each of a batch, as sequence pooling has them.
POOLING = [
    node("MatMul", "n score", "s"),
    node("Softmax", "s", "p", axis=1),
    node("Transpose", "p", "pt", perm=[0, 2, 1]),
    node("MatMul", "pt n", "pooled"),
    node("MatMul", "pooled w1", "y"),
]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1, 4), (3, 7, 5, 8), (2, 24, 36, 12), (4, 5, 1, 20)],
    ids=lambda sizes: "x".join(map(str, sizes)),
)
def test_every_product_is_bit_exact(tmp_path: Path, iss: Path, sizes: tuple[int, int, int, int]) -> None:
    write_directory(emitted(matrix_network(*sizes), TILES), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


def test_products_are_bit_exact_on_gvsoc(tmp_path: Path, gvsoc_program: Path) -> None:
    write_directory(emitted(matrix_network(3, 7, 5, 8), TILES), tmp_path / "out")
    assert run_gvsoc(tmp_path / "out", gvsoc=gvsoc_program).bit_exact


def test_a_large_group_is_computed_some_rows_at_a_time(tmp_path: Path, iss: Path) -> None:
    graph = matrix_network(2, 200, 40, 64)
    # A row has 64 bytes of x and 40 or 80 of the result: 16 KiB hold 100 rows of the 200, 113 at most.
    shapes = [column_shape(graph, op) for op in graph.ops if op.kind is OpKind.QMATMUL]
    assert [(shape.x_rows, shape.z_rows, shape.calls_per_z) for shape in shapes] == [(100, 40, 2)] * 2
    write_directory(emitted(graph, TILES), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


def test_every_change_of_a_call_is_caught() -> None:
    planned = simple_plan(matrix_network(3, 7, 5, 8), TILES)
    assert uncaught_in_all_stages(planned) == set()


def compiled(folder: Path, nodes: Sequence[onnx.NodeProto], batch: int = 1) -> Compiled:
    """Return a network of tokens that goes through a LayerNorm and some nodes, compiled to folder / "out"."""
    random = np.random.default_rng(1)
    weights = {name: random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5 for name in ("wq", "wk", "wv")}
    arrays: dict[str, np.ndarray] = {  # type: ignore[type-arg]
        **{name: array.astype(np.float32) for name, array in weights.items()},
        "w0": (random.standard_normal((DEPTH, WIDTH)) / DEPTH**0.5).astype(np.float32),
        "gain": np.exp(0.3 * random.standard_normal(WIDTH)).astype(np.float32),
        "w1": (random.standard_normal((WIDTH, CLASSES)) / WIDTH**0.5).astype(np.float32),
        "score": (random.standard_normal((WIDTH, 1)) / WIDTH**0.5).astype(np.float32),
        "one": np.array(1.0, np.float32),
        "small": np.array(1e-3, np.float32),
        "split": np.array([batch, ROWS, HEADS, WIDTH // HEADS]),
        "merge": np.array([batch, ROWS, WIDTH]),
        "tokens": np.array([2]),
        "last": np.array([3]),
    }
    path = folder / "products.onnx"
    stem = [node("MatMul", "x w0", "h"), node("LayerNormalization", "h gain", "n", axis=-1)]
    used = {name for each in (*stem, *nodes) for name in each.input}
    constants = {name: array for name, array in arrays.items() if name in used}
    write(path, [*stem, *nodes], {"x": (batch, ROWS, DEPTH)}, ("y",), constants)
    windows = random.standard_normal((96, batch, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return compile_model(Options(path, target_named("gap9"), folder / "out"))


@pytest.mark.parametrize(
    ("nodes", "batch", "count", "least_db"),
    [
        (LINEAR_ATTENTION, 1, 3, 30),
        (RECTIFIED_ATTENTION, 1, 3, 28),
        (EFFICIENT_ATTENTION, 1, 2, 30),
        (COVARIANCE, 1, 1, 30),
        (POOLING, 3, 1, 30),
        (LINEAR_ATTENTION, 2, 3, 30),
    ],
    ids=[
        "linear attention",
        "rectified attention",
        "efficient attention",
        "covariance",
        "pooling of a batch",
        "batch",
    ],
)
def test_networks_are_bit_exact_and_near_float(
    tmp_path: Path, iss: Path, nodes: list[onnx.NodeProto], batch: int, count: int, least_db: float
) -> None:
    found = compiled(tmp_path, nodes, batch)
    assert sum(op.kind is OpKind.QMATMUL for op in found.graph.ops) == count
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > least_db


def test_a_product_too_large_for_l1_is_refused_by_its_size(tmp_path: Path) -> None:
    """All of the second matrix lies in L1, twice."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 2, 1]),
        node("MatMul", "x t", "c"),
        node("MatMul", "c x", "y"),
    ]
    path = tmp_path / "large.onnx"
    write(path, nodes, {"x": (1, 1900, 64)}, ("y",))
    with pytest.raises(PlanError, match=r"node_c.*: found .* bytes") as caught:
        compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert any("all rows of a column lie in L1 at once" in note for note in caught.value.notes)
