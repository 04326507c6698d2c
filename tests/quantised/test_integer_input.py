"""Which integers the input of a RequantShift network holds: stated, shown or proved, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tests.quantised.qdq_models import quantise, write_mlp
from tests.quantised.test_requant_shift import Layer, layers, requantised, stored, write_network
from tests.tmc.command import call, refused, succeeded
from tmc.backend_gap9.run.result import load_golden
from tmc.passes.declared.kept_declarations import KeptDeclarations

Array = NDArray[Any]
SHAPE = (5, 16)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a network of three layers."""
    return write_network(tmp_path / "m.onnx", layers(3))


def save(path: Path, array: Array) -> Path:
    """Write samples of the input `x`."""
    np.savez(path, x=array.astype(np.float32))
    return path


def of_layers(x: Array, made: list[Layer]) -> Array:
    """Return the codes of integers."""
    for layer in made:
        x = layer.of(x)
    return stored(x, made[-1])


def run(folder: Path, x: Array) -> tuple[dict[str, Any], Array]:
    """Return what a run on real inputs says, and its codes."""
    np.save(folder.parent / "x.npy", x.astype(np.float32))
    given = ("--on", "host", "--input", folder.parent / "x.npy", "--output", folder.parent / "y.npy")
    facts = succeeded("run", folder, *given)
    graph = load_golden(folder).graph
    quant = graph.types[graph.outputs[0]].quant
    assert facts["bit_exact"] is True and quant is not None and quant.scale == (1.0,)
    return facts, np.load(folder.parent / "y.npy").astype(np.int64) + quant.zero_point


@pytest.mark.parametrize("verb", ["check", "compile"])
def test_nothing_says_which_integers_come(model: Path, verb: str) -> None:
    answer = refused(verb, model)
    assert answer.error == (
        "input %x: found nothing that says which integers come, "
        "allowed int8 (-128 to 127) or uint8 (0 to 255)"
    )
    (note,) = answer.notes
    assert "--input-range=-128:127 or --input-range=0:255" in note and "--calibration FILE.npz" in note


@pytest.mark.parametrize(
    ("stated", "limits"),
    [("0:255", (0, 255)), ("1:254", (0, 255)), ("-128:127", (-128, 127)), ("-3:3", (-128, 127))],
)
def test_stated_integers(model: Path, stated: str, limits: tuple[int, int]) -> None:
    folder, (low, high) = model.parent / "out", (int(end) for end in stated.split(":"))
    declared = succeeded("compile", model, "-o", folder, "--input-range", stated)["declared"]
    assert declared["inputs"] == {"x": list(limits)}
    said = f"every code is that of the quantised model, for x from {limits[0]} to {limits[1]}; "
    assert KeptDeclarations(**declared).summary().startswith(said)
    x = np.random.default_rng(1).integers(low, high + 1, (4, *SHAPE))
    x[0, 0, :2] = low, high
    facts, codes = run(folder, x)
    assert np.array_equal(codes, np.stack([of_layers(one, layers(3)) for one in x]))
    assert facts["inputs_clipped"]["x"]["elements"] == 0
    assert facts["inputs_clipped"]["x"]["allowed"] == list(limits)
    least, most = load_golden(folder).graph.types["x"].code_limits
    header = (folder / "network.h").read_text()
    assert f"INPUT_X_ZERO_POINT ({least - limits[0]})" in header
    assert f"INPUT_X_MIN ({least})" in header and f"INPUT_X_MAX {most}" in header


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [(1, 254, [0, 255]), (0, 90, [0, 255]), (-1, 90, [-128, 127]), (-128, 127, [-128, 127])],
)
def test_integers_as_in_the_samples(model: Path, low: int, high: int, limits: list[int]) -> None:
    x = np.random.default_rng(2).integers(low, high + 1, (4, *SHAPE))
    x[:, 0, :2] = low, high
    calibration = save(model.parent / "c.npz", x)
    facts = succeeded("check", model, "--calibration", calibration)
    assert facts["declared"]["inputs"] == {"x": limits} and facts["declared"]["file_db"] == 200.0


def test_integers_beyond_the_port_are_counted(model: Path) -> None:
    folder = model.parent / "out"
    succeeded("compile", model, "-o", folder, "--input-range=-128:127")
    x = np.full(SHAPE, 100)
    x[0, :3] = 128, 200, -129
    facts, codes = run(folder, x)
    assert facts["inputs_clipped"]["x"] == {
        "elements": 3,
        "of_elements": 80,
        "largest": 200.0,
        "allowed": [-128.0, 127.0],
        "share": 3 / 80,
    }
    assert np.array_equal(codes[0], of_layers(np.clip(x, -128, 127), layers(3)))
    text = call("run", folder, "--on", "host", "--input", folder.parent / "x.npy").out
    said = "input x: 3 of 80 numbers (3.75%) were clipped: codes stand for -128 to 127, "
    said += "the largest input is 200; compile with the --input-range of all that may come"
    assert f"{said}\n" in text


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("", "found '', allowed LOW:HIGH or INPUT=LOW:HIGH"),
        ("255", "found '255', allowed LOW:HIGH or INPUT=LOW:HIGH"),
        ("0:1.5", "found '0:1.5', allowed LOW:HIGH or INPUT=LOW:HIGH"),
        ("0:256", "found 0:256, allowed a part of -128:127 or of 0:255"),
        ("-1:255", "found -1:255, allowed a part"),
        ("-129:0", "found -129:0, allowed a part"),
        ("7:7", "found 7:7, allowed a part"),
        ("9:0", "found 9:0, allowed a part of -128:127 or of 0:255, the lower end first"),
    ],
)
def test_ranges_that_are_none(model: Path, stated: str, found: str) -> None:
    assert refused("check", model, "--input-range", stated).error.startswith(f"--input-range: {found}")


def test_samples_have_to_fit_the_stated_range(model: Path) -> None:
    calibration = save(model.parent / "c.npz", np.full((4, *SHAPE), 90))
    succeeded("check", model, "--calibration", calibration, "--input-range=0:90")
    answer = refused("check", model, "--calibration", calibration, "--input-range=0:89")
    assert answer.error == "input %x: found numbers from 90 to 90, allowed integers from 0 to 89"
    assert answer.notes[0].endswith("give integers inside --input-range, or a wider range")


def test_networks_that_read_no_integers_take_no_range(tmp_path: Path) -> None:
    path = write_mlp(tmp_path / "m.onnx")
    for each in (path, quantise(path, tmp_path / "q.onnx")):
        answer = refused("check", each, "--input-range=0:255")
        assert answer.error.startswith("--input-range: found a range of integers for input %x, which the")
        assert "leave it out" in answer.notes[0]


@pytest.mark.parametrize(
    ("signed", "mul", "limits"), [(1.0, 16, [-128, 127]), (0.0, 16, [0, 255]), (1.0, -17, [-128, 127])]
)
def test_a_model_that_clips_its_input_says_it_itself(
    tmp_path: Path, signed: float, mul: int, limits: list[int]
) -> None:
    random = np.random.default_rng(0)
    weight = random.integers(-9, 9, (16, 4))
    made = {"n_levels": 256.0, "div": 16.0}
    nodes = [
        node("Reshape", "x shape", "v"),
        node("RequantShift", "v m zero", "c", signed=signed, **made),
        node("MatMul", "c w", "s"),
        node("RequantShift", "s m zero", "y", signed=1.0, **made),
    ]
    constants = {"m": np.array(float(mul)), "zero": np.array(0.0), "w": weight.astype(np.float32)}
    constants = {name: array.astype(np.float32) for name, array in constants.items()}
    path = write(
        tmp_path / "m.onnx",
        nodes,
        {"x": (1, *SHAPE)},
        constants={**constants, "shape": np.array(SHAPE)},
        opset=13,
    )
    declared = succeeded("compile", path, "-o", tmp_path / "out")["declared"]
    assert declared["inputs"] == {"x": limits}
    x = random.integers(-400, 700, (3, 1, *SHAPE))
    _, codes = run(tmp_path / "out", x)
    args = (np.array(mul), np.array(0), 16, 256)
    clipped = requantised(x, *args, signed=signed == 1.0)
    wanted = requantised(clipped.reshape(3, *SHAPE) @ weight, *args, signed=True)
    assert np.array_equal(codes.reshape(wanted.shape), wanted)


@pytest.mark.parametrize("mul", [15, -15])
def test_a_port_that_the_model_does_not_clip_is_not_proved(tmp_path: Path, mul: int) -> None:
    shift = {"n_levels": 256.0, "div": 16.0, "signed": 1.0}
    nodes = [
        node("RequantShift", "x m zero", "c", **shift),
        node("MatMul", "c w", "s"),
        node("RequantShift", "s m zero", "y", **shift),
    ]
    constants = {"m": np.float32(mul), "zero": np.float32(0), "w": np.ones((16, 4), np.float32)}
    path = write(tmp_path / "m.onnx", nodes, {"x": SHAPE}, constants=constants, opset=13)
    assert refused("check", path).error.startswith("input %x: found nothing that says which integers come")


def write_pair(path: Path) -> Path:
    """Write two linear ops on two inputs, x and u."""
    shift = {"n_levels": 256.0, "div": 16.0, "signed": 1.0}
    nodes = [
        node("MatMul", "x w", "s"),
        node("RequantShift", "s m zero", "y", **shift),
        node("MatMul", "u w", "t"),
        node("RequantShift", "t m zero", "v", **shift),
    ]
    constants = {"m": np.float32(1), "zero": np.float32(0), "w": pair_weight().astype(np.float32)}
    return write(path, nodes, {"x": SHAPE, "u": (3, 16)}, ("y", "v"), constants, opset=13)


def pair_weight() -> Array:
    return np.random.default_rng(0).integers(-9, 9, (16, 4))


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        (("--input-range=x=0:255", "--input-range=u=-128:127"), {"x": [0, 255], "u": [-128, 127]}),
        (("--input-range=-128:127", "--input-range=x=0:255"), {"x": [0, 255], "u": [-128, 127]}),
        (("--input-range=0:255",), {"x": [0, 255], "u": [0, 255]}),
    ],
)
def test_every_input_has_integers_of_its_own(
    tmp_path: Path, options: tuple[str, ...], limits: dict[str, list[int]]
) -> None:
    path, folder = write_pair(tmp_path / "m.onnx"), tmp_path / "out"
    declared = succeeded("compile", path, "-o", folder, *options)["declared"]
    assert declared["inputs"] == limits
    said = ", ".join(f"{name} from {low} to {high}" for name, (low, high) in limits.items())
    assert (
        f"every code is that of the quantised model, for {said}; " in KeptDeclarations(**declared).summary()
    )
    random, args = np.random.default_rng(1), (np.array(1), np.array(0), 16, 256)
    given = {
        name: random.integers(low, high + 1, (2, rows, 16)).astype(np.float32)
        for (name, (low, high)), rows in zip(limits.items(), (5, 3), strict=True)
    }
    np.savez(tmp_path / "x.npz", **given)  # type: ignore[arg-type]
    files = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert succeeded("run", folder, "--on", "host", *files)["bit_exact"] is True
    found = np.load(tmp_path / "y.npz")
    for name, output in (("x", "y"), ("u", "v")):
        exact = requantised(given[name].astype(int) @ pair_weight(), *args, signed=True)
        assert np.array_equal(found[output], exact)


def test_ranges_of_inputs_that_are_not_there(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "m.onnx")
    error = refused("check", path, "--input-range=z=0:255").error
    assert error == "--input-range: found a range of input %z, allowed x, u"
    error = refused("check", path, "--input-range=x=0:255").error
    assert error.startswith("input %u: found nothing that says which integers come")
