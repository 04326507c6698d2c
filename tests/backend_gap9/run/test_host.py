"""Host runs: right ones, wrong ones, and what stands in the way of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.networks import small_output
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import Mismatch, load_golden
from tmc.ir.errors import ParseError, PlatformError
from tmc.ir.interpret import interpret


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_directory(small_output.output(), tmp_path / "out")
    return tmp_path / "out"


def content(path: Path) -> dict[Path, bytes]:
    """Return the files below a folder."""
    return {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that occurs once."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_golden_input(directory: Path) -> None:
    before = content(directory)
    result = run_host(directory)
    assert result.bit_exact and result.first_wrong is None and result.cycles is None
    assert [(op.name, op.op, op.node, op.elements, op.mismatches) for op in result.ops] == [
        ("n", "qlayernorm", "/norm/LayerNormalization", 160, 0),
        ("y", "qlinear", "/fc/MatMul", 160, 0),
    ]
    assert content(directory) == before


@pytest.mark.parametrize("trace", [True, False])
def test_several_inputs(directory: Path, trace: bool) -> None:
    inputs = np.stack([small_output.golden_input(seed) for seed in range(3)])
    result = run_host(directory, {"x": inputs}, trace=trace)
    graph = small_output.graph()
    expected = np.stack([interpret(graph, {"x": each})["y"] for each in inputs])
    assert (
        result.bit_exact and (result.outputs["y"] == expected).all() and result.outputs["y"].dtype == np.int16
    )
    assert len(result.ops) == (2 if trace else 0)


def test_wider_integers_are_taken(directory: Path) -> None:
    wide = small_output.golden_input().astype(np.int64)
    assert run_host(directory, {"x": wide}).bit_exact


def test_a_wrong_kernel_is_found(directory: Path) -> None:
    kernel = directory / "kernels" / "tmc_layernorm_s16s8_scalar.c"
    edit(kernel, "void tmc_layernorm_s16s8_scalar", "static void right")
    kernel.write_text(
        kernel.read_text()
        + (
            "void tmc_layernorm_s16s8_scalar(const tmc_layernorm_args *args);\n"
            "void tmc_layernorm_s16s8_scalar(const tmc_layernorm_args *args)\n{\n    right(args);\n"
            "    if (tmc_core_id() == 1u && args->rows == 2u)\n"
            "        ((int8_t *)args->y)[args->y_pitch + 7u] ^= 1;\n}\n"
        )
    )
    result = run_host(directory)
    graph = small_output.graph()
    values: dict[str, np.ndarray] = {}
    interpret(graph, {"x": small_output.golden_input()}, values.__setitem__)
    expected = int(values["n"][9, 7])
    assert not result.bit_exact
    wrong = result.first_wrong
    assert wrong is not None and (wrong.name, wrong.node, wrong.mismatches) == (
        "n",
        "/norm/LayerNormalization",
        1,
    )
    assert wrong.first == Mismatch(0, (9, 7), expected ^ 1, expected)
    (compared,) = result.compared
    assert result.ops[1].mismatches == compared.mismatches > 0
    assert (compared.name, compared.elements, compared.first) == ("y", 160, result.ops[1].first)


def test_resident_weights_are_watched(directory: Path) -> None:
    call = "    small_stage_0(context);\n"
    damage = "    tmc_barrier();\n    if (tmc_core_id() == 0u)\n        context->l2[L2_TABLES + 4] ^= 1u;\n"
    edit(directory / "network.c", call, call + damage)
    with pytest.raises(PlatformError, match="the run failed with status -6") as caught:
        run_host(directory)
    assert "host platform: byte 4 of L2, which init filled for good, has changed" in caught.value.notes[-1]


def test_weights_of_another_network(directory: Path) -> None:
    weights = bytearray((directory / "weights.bin").read_bytes())
    weights[7] ^= 1
    (directory / "weights.bin").write_bytes(weights)
    with pytest.raises(PlatformError, match="the run failed with status 1") as caught:
        run_host(directory)
    assert caught.value.notes[-1].endswith("weights.bin: not the weights of this network")


def test_code_that_does_not_compile(directory: Path) -> None:
    edit(directory / "network.c", "small_stage_1(context);", "small_stage_7(context);")
    with pytest.raises(PlatformError, match="host: the build failed with status 2") as caught:
        run_host(directory)
    assert any("small_stage_7" in note for note in caught.value.notes)


@pytest.mark.parametrize(("there", "missing"), [((), "make"), (("make",), "gcc")])
def test_missing_tools(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], missing: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in there:
        (tools / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(PlatformError, match=f"host: found no {missing}") as caught:
        run_host(directory)
    assert "install gcc and make" in caught.value.notes[0]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((10, 15), np.int16), r"found shape \(10, 15\), allowed \(10, 16\) or a stack of these"),
        (np.zeros((0, 10, 16), np.int16), r"found shape \(0, 10, 16\)"),
        (np.zeros((10, 16), np.float32), "found float32, allowed int16"),
        (np.full((10, 16), 40_000), "found codes from 40000 to 40000, allowed -32768 to 32767"),
    ],
)
def test_inputs_that_do_not_fit(directory: Path, inputs: np.ndarray, message: str) -> None:
    with pytest.raises(PlatformError, match=f"input %x: {message}"):
        run_host(directory, {"x": inputs})


def test_no_output_directory(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="found no compiled network"):
        run_host(tmp_path)


def test_damaged_golden_data(directory: Path) -> None:
    (directory / "golden" / "input.bin").write_bytes(b"12")
    with pytest.raises(PlatformError, match=r"input\.bin: found 2 bytes, allowed 320 of x"):
        load_golden(directory)
    (directory / "golden" / "input.bin").unlink()
    with pytest.raises(PlatformError, match=r"input\.bin: cannot be read: No such file"):
        load_golden(directory)
    (directory / "golden" / "graph.npz").write_bytes(b"")
    with pytest.raises(ParseError, match=r"graph\.npz"):
        load_golden(directory)
