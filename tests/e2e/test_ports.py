"""A network of two inputs and three outputs of three element types: files, errors and platforms."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.two_signals import INPUTS, OUTPUTS, write_two_signals
from tests.tmc.command import call, refused, succeeded
from tmc.backend_gap9.run.result import load_golden
from tmc.ir.interpret import interpret
from tmc.ir.ports import each_run
from tmc.passes.calibrate.codes import dequantise, quantise_inputs

Arrays = Mapping[str, NDArray[Any]]
TYPES = {"force": np.int8, "gesture": np.int32, "tokens": np.int16}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the network: int16 inputs."""
    folder = tmp_path_factory.mktemp("ports")
    succeeded("compile", write_two_signals(folder / "net.onnx"), "-o", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the network with inputs of 8 bits: int8, and int16 where rows are no whole words."""
    folder = tmp_path_factory.mktemp("narrow")
    model = write_two_signals(folder / "net.onnx")
    succeeded("compile", model, "-o", folder / "out", "--recipe", "input_bits=8")
    return folder / "out"


def windows(count: int) -> dict[str, NDArray[np.float32]]:
    """Return windows of both signals, without their batch axes."""
    random = np.random.default_rng(9)
    return {
        name: random.standard_normal((count, *shape[1:])).astype(np.float32) for name, shape in INPUTS.items()
    }


def save(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def expected(directory: Path, codes: Arrays) -> dict[str, NDArray[Any]]:
    """Return the interpreter's output codes of all runs."""
    graph = load_golden(directory).graph
    runs = [interpret(graph, one_run) for one_run in each_run(codes)]
    return {name: np.stack([run[name] for run in runs]) for name in graph.outputs}


def codes_of(directory: Path, real: Arrays) -> dict[str, NDArray[Any]]:
    graph = load_golden(directory).graph
    runs = [
        quantise_inputs(graph, {name: array.reshape(INPUTS[name]) for name, array in run.items()})
        for run in each_run(real)
    ]
    return {name: np.stack([run[name] for run in runs]) for name in graph.inputs}


@pytest.mark.parametrize("platform", ["host", "iss"])
def test_real_numbers_give_real_numbers(tmp_path: Path, directory: Path, platform: str) -> None:
    given, count = windows(2), 2
    files = ("--input", save(tmp_path / "x.npz", given), "--output", tmp_path / "y.npz")
    facts = succeeded("run", directory, "--on", platform, *files)
    assert (facts["bit_exact"], facts["runs"]) == (True, count)
    assert [(each["name"], each["mismatches"]) for each in facts["outputs"]] == [(n, 0) for n in OUTPUTS]
    assert {name: each["elements"] for name, each in facts["inputs_clipped"].items()} == {"emg": 0, "imu": 0}
    graph, found = load_golden(directory).graph, np.load(tmp_path / "y.npz")
    wanted = expected(directory, codes_of(directory, given))
    assert list(found) == list(OUTPUTS)
    for name, codes in wanted.items():
        assert codes.dtype == TYPES[name] and np.unique(codes).size > 3
        real = dequantise(graph.types[name], codes).astype(np.float32)
        assert found[name].dtype == np.float32 and np.array_equal(found[name], real)


@pytest.mark.parametrize("platform", ["host", "iss"])
def test_codes_give_codes(tmp_path: Path, narrow: Path, platform: str) -> None:
    graph = load_golden(narrow).graph
    assert [graph.types[name].dtype.numpy for name in graph.inputs] == [np.int8, np.int16]
    assert [graph.types[name].code_limits for name in graph.inputs] == [(-128, 127)] * 2
    codes = codes_of(narrow, windows(2))
    files = ("--input", save(tmp_path / "x.npz", codes), "--output", tmp_path / "y.npz")
    assert succeeded("run", narrow, "--on", platform, *files)["bit_exact"] is True
    found = np.load(tmp_path / "y.npz")
    for name, wanted in expected(narrow, codes).items():
        assert found[name].dtype == TYPES[name] and np.array_equal(found[name], wanted)


@pytest.mark.parametrize("which", ["directory", "narrow"])
def test_on_gvsoc(request: pytest.FixtureRequest, gvsoc_program: Path, which: str) -> None:
    options = ("--on", "gvsoc", "--gvsoc", gvsoc_program)
    facts = succeeded("run", request.getfixturevalue(which), *options)
    assert (facts["bit_exact"], facts["mismatches"]) == (True, 0) and facts["cycles"] > 0
    assert [each["name"] for each in facts["outputs"]] == list(OUTPUTS)


def test_what_the_directory_says_of_ports(directory: Path) -> None:
    header = (directory / "network.h").read_text()
    parameters = "const int16_t *input_emg, const int16_t *input_imu, int8_t *output_force, "
    parameters += "int32_t *output_gesture, int16_t *output_tokens"
    assert f"int net_run({parameters});" in re.sub(r"\s+", " ", header)
    graph, facts = load_golden(directory).graph, json.loads((directory / "report.json").read_text())
    page = (directory / "report.html").read_text()
    for what, names in (("input", graph.inputs), ("output", graph.outputs)):
        for name, row in zip(names, facts[f"{what}s"], strict=True):
            kind = graph.types[name]
            assert kind.quant is not None
            assert row == {
                **{"name": name, "dtype": kind.dtype.value, "shape": list(kind.shape)},
                **{"scales": list(kind.quant.scale), "zero_point": kind.quant.zero_point},
                "limits": list(kind.code_limits),
            }
            assert f"<td>{what} {name}</td>" in page
            prefix = f"#define NET_{what.upper()}_{name.upper()}"
            assert f"{prefix}_BYTES {kind.size_bytes}u\n" in header
            assert f"{prefix}_SCALE {kind.quant.scale[0]!r}\n" in header
    sizes = {each.name: each.stat().st_size for each in (directory / "golden").glob("*.bin")}
    assert sizes == {"input.bin": 480 + 120, "output.bin": 8 + 12 + 640}, "each a multiple of 4 bytes"


@pytest.mark.parametrize("number", range(len(OUTPUTS)))
def test_a_wrong_byte_is_told_by_the_name_of_its_output(tmp_path: Path, directory: Path, number: int) -> None:
    shutil.copytree(directory, tmp_path / "out")
    source, name = tmp_path / "out" / "network.c", OUTPUTS[number]
    text, last = source.read_text(), "    net_stage_7(context);\n"
    damage = f"    if (tmc_core_id() == 0u)\n        context->outputs[{number}][4] ^= 1u;\n"
    assert text.count(last) == 1
    source.write_text(text.replace(last, last + damage))
    run = ("run", tmp_path / "out", "--on", "host")
    facts = call(*run, "--json").json
    assert facts["bit_exact"] is False and facts["mismatches"] == 1
    assert [each["name"] for each in facts["outputs"] if each["mismatches"]] == [name]
    golden = load_golden(directory)
    codes = expected(directory, golden.inputs)[name]
    index = np.unravel_index(4 // codes.itemsize, codes.shape[1:])
    place = f"run 0, index {tuple(map(int, index))}: found "
    said = f"output {name}: 1 of {codes.size} elements differ, the first in {place}"
    assert said in call(*run).out


def test_names_that_clash_in_c(tmp_path: Path) -> None:
    names = ("a.b", "a_b", "A/b", "a-b", "session")
    model = write_two_signals(tmp_path / "m.onnx", names)
    facts = succeeded("compile", model, "-o", tmp_path / "out", "--name", "output")
    assert [port["name"] for port in (*facts["inputs"], *facts["outputs"])] == list(names)
    header = (tmp_path / "out" / "network.h").read_text()
    parameters = "const int16_t *input_a_b, const int16_t *input_a_b_2, int8_t *output_A_b, "
    parameters += "int32_t *output_a_b_2, int16_t *output_session_2"
    assert f"int output_run({parameters});" in re.sub(r"\s+", " ", header)
    macros = re.findall(r"#define (\w+)", header)
    assert len(macros) == len(set(macros))
    assert succeeded("run", tmp_path / "out", "--on", "host")["bit_exact"] is True


BOTH = windows(2)
BAD_FILES: dict[str, tuple[Arrays | NDArray[Any], str]] = {
    "one less": ({"emg": BOTH["emg"]}, "found arrays emg, allowed emg, imu"),
    "one more": ({**BOTH, "gyro": BOTH["imu"]}, "found arrays emg, gyro, imu, allowed emg, imu"),
    "other names": ({"x": BOTH["emg"], "u": BOTH["imu"]}, "found arrays u, x, allowed emg, imu"),
    "no names": (BOTH["emg"], "found one array, allowed an npz with one for each of 2 inputs (emg, imu)"),
    "counts": ({**BOTH, "imu": BOTH["imu"][:1]}, "found 2 of emg, 1 of imu, allowed as many of every input"),
    "kinds": (
        {**BOTH, "imu": np.zeros((2, 6, 10), int)},
        "found real numbers in emg and codes in imu, allowed one of the two in all",
    ),
    "shape": (
        {**BOTH, "imu": BOTH["imu"][:, :5]},
        "array imu: found shape (2, 5, 10), allowed (1, 6, 10) or a stack of these",
    ),
    "type": (
        {**BOTH, "imu": BOTH["imu"].astype(complex)},
        "array imu: found elements of type complex128, allowed floats or integers",
    ),
    "codes": (
        {"emg": np.zeros((4, 60), int), "imu": np.full((6, 10), 40_000)},
        "array imu: found codes from 40000 to 40000, allowed -32768 to 32767",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_input_files_that_do_not_fit(tmp_path: Path, directory: Path, case: str) -> None:
    arrays, said = BAD_FILES[case]
    path = tmp_path / "x.npz"
    if isinstance(arrays, np.ndarray):
        with path.open("wb") as file:
            np.save(file, arrays)
    else:
        save(path, arrays)
    answer = refused("run", directory, "--on", "host", "--input", path, "--output", tmp_path / "y.npz")
    assert answer.error == f"{path}: {said}" and not (tmp_path / "y.npz").exists()


def test_a_damaged_npz(tmp_path: Path, directory: Path) -> None:
    path = save(tmp_path / "x.npz", BOTH)
    path.write_bytes(path.read_bytes()[:-30])
    error = refused("run", directory, "--on", "host", "--input", path).error
    assert error.startswith(f"{path}: found no readable npy or npz file (")


def test_an_npy_for_each_output(tmp_path: Path, directory: Path) -> None:
    succeeded("run", directory, "--on", "host", "--output", tmp_path / "y.npz")
    succeeded("run", directory, "--on", "host", "--output", tmp_path / "y.npy")
    with np.load(tmp_path / "y.npz") as archive:
        assert sorted(path.name for path in tmp_path.glob("*.npy")) == [f"y.{name}.npy" for name in archive]
        for name in archive:
            assert np.array_equal(np.load(tmp_path / f"y.{name}.npy"), archive[name])


def test_calibration_takes_an_array_for_each_input(tmp_path: Path) -> None:
    model = write_two_signals(tmp_path / "m.onnx")
    path = save(tmp_path / "c.npz", {"emg": BOTH["emg"]})
    error = refused("check", model, "--calibration", path).error
    assert error == f"{path}: found arrays emg, allowed emg, imu"
    succeeded("check", model, "--calibration", save(path, BOTH))


def test_an_agreement_floor_is_one_for_classes(tmp_path: Path) -> None:
    facts = succeeded("check", write_two_signals(tmp_path / "m.onnx"), "--agreement-floor", "90")
    found = {output["name"]: output["agreement"] for output in facts["accuracy"]["outputs"]}
    assert found == {"force": 100.0, "gesture": 100.0, "tokens": None}
