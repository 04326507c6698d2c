"""`tmc run` and `tmc report`: what they print, and what they refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tmc.command import call, refused, succeeded, tree
from tests.tmc.conftest import Built
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.ir.errors import PlatformError
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import dequantise, quantise_inputs

SHAPE = (1, 2, 60)


def windows(count: int, seed: int = 3) -> NDArray[np.float32]:
    """Return windows [count, 2, 60], without the batch axis."""
    return np.random.default_rng(seed).standard_normal((count, *SHAPE[1:])).astype(np.float32)


def test_golden_input(built: Built) -> None:
    before = tree(built.output)
    facts = succeeded("run", built.output, "--on", "host")
    assert (facts["bit_exact"], facts["mismatches"], facts["runs"], facts["platform"]) == (True, 0, 1, "host")
    assert facts["cycles"] is None and facts["inputs_clipped"] is None
    golden = load_golden(built.output).graph
    assert [layer["name"] for layer in facts["layers"]] == [
        op.output for op in golden.ops if op.kind.value != "reshape"
    ]
    assert all(layer["elements"] > 0 and layer["node"] for layer in facts["layers"])
    assert tree(built.output) == before, "the directory is left as it is"
    text = call("run", built.output, "--on", "host").out
    assert "clipped" not in text and "bit-exact: " in text
    assert f"of {len(facts['layers'])} ops equal the interpreter's" in text


def test_outputs_only(built: Built) -> None:
    facts = succeeded("run", built.output, "--on", "host", "--no-trace")
    assert facts["bit_exact"] is True and facts["layers"] == []
    assert "ops were not compared" in call("run", built.output, "--on", "host", "--no-trace").out


def expected(built: Built, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the output codes of the integer interpreter for codes [runs, *shape]."""
    graph = load_golden(built.output).graph
    return np.stack([interpret(graph, {"emg": one})[graph.outputs[0]] for one in codes])


@pytest.mark.parametrize("batch", [(), (1,)])
def test_real_inputs_give_real_outputs(tmp_path: Path, built: Built, batch: tuple[int, ...]) -> None:
    graph = load_golden(built.output).graph
    given = windows(3)
    np.save(tmp_path / "x.npy", given.reshape(3, *batch, *SHAPE[1:]))
    facts = succeeded(
        "run", built.output, "--on", "host", "--input", tmp_path / "x.npy", "--output", tmp_path / "y"
    )
    assert facts["runs"] == 3 and facts["bit_exact"] is True
    codes = np.stack([quantise_inputs(graph, {"emg": one.reshape(SHAPE)})["emg"] for one in given])
    result = np.load(tmp_path / "y")
    assert result.dtype == np.float32
    real = dequantise(graph.types[graph.outputs[0]], expected(built, codes)).astype(np.float32)
    assert np.array_equal(result, real)


def test_codes_give_codes(tmp_path: Path, limited: Built) -> None:
    codes = np.random.default_rng(5).integers(-16384, 16384, (2, *SHAPE))
    codes[0, 0, 0, :2] = -16384, 16383
    np.save(tmp_path / "x.npy", codes)
    succeeded(
        "run", limited.output, "--on", "host", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"
    )
    result = np.load(tmp_path / "y.npy")
    assert result.dtype == np.int32 and np.array_equal(result, expected(limited, codes.astype(np.int16)))


@pytest.mark.parametrize("run_on", [run_host, run_iss, run_gvsoc])
@pytest.mark.parametrize("code", [16384, -16385, 32767])
def test_codes_beyond_the_proved_ones_are_refused_on_every_platform(
    tmp_path: Path, limited: Built, run_on: Callable[..., object], code: int
) -> None:
    with pytest.raises(PlatformError) as found:
        run_on(limited.output, {"emg": np.full(SHAPE, code, dtype=np.int16)})
    said = f"found codes from {code} to {code}, allowed -16384 to 16383"
    assert str(found.value).startswith(f"input %emg: {said}")
    shutil.copytree(limited.output, tmp_path / "out")
    golden = tmp_path / "out" / "golden" / "input.bin"
    golden.write_bytes(np.full(SHAPE, code, dtype="<i2").tobytes())
    with pytest.raises(PlatformError) as found:
        run_on(tmp_path / "out")
    assert str(found.value).startswith(f"{golden}: input emg: {said}")


@pytest.mark.parametrize("loudness", [1.0, 6.0])
def test_clipped_inputs_are_counted(tmp_path: Path, limited: Built, loudness: float) -> None:
    given = loudness * windows(3)
    quant = load_golden(limited.output).graph.types["emg"].quant
    assert quant is not None
    steps = np.rint(given.astype(np.float64) / quant.scale[0])
    beyond = int(((steps < -16384) | (steps > 16383)).sum())
    assert (beyond > 0) == (loudness > 1)
    np.save(tmp_path / "x.npy", given)
    text = call("run", limited.output, "--on", "host", "--input", tmp_path / "x.npy").out
    largest, (least, most) = float(given.flat[np.abs(given).argmax()]), (-16384, 16383)
    least, most = (code * quant.scale[0] for code in (least, most))
    reach = f"codes stand for {least:.4g} to {most:.4g}, the largest input is {largest:.4g}"
    if not beyond:
        assert f"input emg: none of 360 numbers was clipped: {reach}\n" in text
        return
    share = f"{beyond} of 360 numbers ({beyond / 360:.2%})"
    assert f"input emg: {share} were clipped: {reach}; calibrate on windows as loud as these\n" in text
    facts = succeeded("run", limited.output, "--on", "host", "--input", tmp_path / "x.npy")["inputs_clipped"][
        "emg"
    ]
    counted = {"elements": beyond, "of_elements": 360, "share": beyond / 360}
    assert facts == {**counted, "largest": largest, "allowed": [least, most]}


def test_one_input_without_a_stack(tmp_path: Path, built: Built) -> None:
    np.save(tmp_path / "x.npy", windows(1)[0].astype(np.float64))
    assert succeeded("run", built.output, "--on", "host", "--input", tmp_path / "x.npy")["runs"] == 1


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((2, 2, 61)), "found shape (2, 2, 61), allowed (1, 2, 60) or a stack of these"),
        (np.zeros((0, 2, 60)), "found shape (0, 2, 60), allowed"),
        (np.zeros(120), "found shape (120,), allowed"),
        (np.float32(1), "found shape (), allowed"),
        (np.full((2, 60), np.nan), "found NaN or infinity, allowed finite numbers"),
        (np.full((2, 60), 16384), "found codes from 16384 to 16384, allowed -16384 to 16383"),
        (np.zeros((2, 60), dtype=complex), "found elements of type complex128, allowed floats or integers"),
        (np.full((2, 60), "a"), "found elements of type <U1, allowed floats or integers"),
    ],
)
def test_inputs_that_do_not_fit(tmp_path: Path, limited: Built, array: NDArray[Any], found: str) -> None:
    np.save(tmp_path / "x.npy", array)
    output = tmp_path / "y.npy"
    answer = refused("run", limited.output, "--on", "host", "--input", tmp_path / "x.npy", "--output", output)
    assert found in answer.error and not output.exists()


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_input_file_that_cannot_be_read(tmp_path: Path, built: Built, content: bytes | None) -> None:
    path = tmp_path / "x.npy"
    if content is not None:
        path.write_bytes(content)
    answer = refused("run", built.output, "--on", "host", "--input", path)
    assert answer.error.startswith(f"{path}: found no readable npy or npz file (")


def test_output_file_that_cannot_be_written(tmp_path: Path, built: Built) -> None:
    path = tmp_path / "none" / "y.npy"
    error = refused("run", built.output, "--on", "host", "--output", path).error
    assert error == f"{path}: cannot be written: No such file or directory"


@pytest.mark.parametrize("verb", ["run", "report"])
@pytest.mark.parametrize("report", [None, b"", b"[]", b"{}"])
def test_directories_that_tmc_did_not_write(tmp_path: Path, verb: str, report: bytes | None) -> None:
    if report is not None:
        (tmp_path / "report.json").write_bytes(report)
    options = ("--on", "host") if verb == "run" else ()
    assert "found no compiled network" in refused(verb, tmp_path, *options).error
    assert "found no compiled network" in refused(verb, tmp_path / "none", *options).error


@pytest.mark.parametrize("lost", ["golden/graph.ir", "golden/graph.npz", "golden/input.bin"])
def test_damaged_directory(tmp_path: Path, built: Built, lost: str) -> None:
    shutil.copytree(built.output, tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    assert Path(lost).name in refused("run", tmp_path / "out", "--on", "host").error


def test_code_that_does_not_build(tmp_path: Path, built: Built) -> None:
    shutil.copytree(built.output, tmp_path / "out")
    (tmp_path / "out" / "network.c").unlink()
    answer = call("run", tmp_path / "out", "--on", "host")
    assert answer.status == 1 and answer.error == "host: the build failed with status 2"
    assert any("network.c" in note for note in answer.notes)


def test_a_wrong_result_is_told(tmp_path: Path, built: Built) -> None:
    """One shift in the C is changed behind the compiler's back: the op that it belongs to is named."""
    shutil.copytree(built.output, tmp_path / "out")
    source = tmp_path / "out" / "network.c"
    before, shift, after = source.read_text().partition(".gamma_shift = ")
    assert shift
    source.write_text(f"{before}{shift}1 + {after}")
    answer = call("run", tmp_path / "out", "--on", "host", "--json")
    facts = answer.json
    assert answer.status == 1 and facts["ok"] is True and facts["bit_exact"] is False
    right = [layer["name"] for layer in facts["layers"] if layer["mismatches"] == 0]
    assert right == ["linear_0"] and facts["mismatches"] > 0
    text = call("run", tmp_path / "out", "--on", "host").out
    assert "NOT bit-exact: " in text and "first: layernorm_0 (qlayernorm, from node_v" in text


def test_report(built: Built) -> None:
    facts = succeeded("report", built.output)
    assert facts == {"ok": True} | json.loads((built.output / "report.json").read_text())
    text = call("report", built.output).out
    assert text.startswith("small for gap9, ")
    assert f"{facts['cycles_estimate']:,} cycles by the cost model" in text
    assert all(stage["name"] in text for stage in facts["stages"])
    need_bytes = facts["worker_stack"]["need_bytes"]
    assert 200 < need_bytes <= facts["stacks"]["worker_bytes"] == 1024
    need = f"worker stack: at most {need_bytes} of 1,024 bytes"
    assert need in text
    for name in ("README.txt", "report.html"):
        assert need.capitalize() in (built.output / name).read_text()


def test_report_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"compiler": "tmc 9", "network": "n", "l3_bytes": 0}')
    assert "found other facts than a report's ('target')" in refused("report", tmp_path).error


def test_streamed_weights(built: Built, tmp_path: Path) -> None:
    succeeded("compile", built.model, "--stream-weights", "-o", tmp_path / "out")
    network = (tmp_path / "out" / "network.c").read_text()
    kept = (built.output / "network.c").read_text()
    loads_once = "Runs once, before the first inference."
    assert loads_once in kept and loads_once not in network
    assert network.count("tmc_l3_fetch(") >= kept.count("tmc_l3_fetch(") > 0
    assert succeeded("run", tmp_path / "out", "--on", "host")["bit_exact"] is True
