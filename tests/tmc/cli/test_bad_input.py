"""Bad input: one clear error, exit status 1, nothing written; plain and as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from tests.networks.onnx_files import node, write
from tests.networks.transformers import Architecture, write_transformer
from tests.tmc.command import Answer, call, refused, succeeded, tree

SMALL = Architecture(channels=2, patches=3, dim=16, heads=2, hidden=16, classes=3)
WEIGHT = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
ONES = np.ones(8, dtype=np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a small network that compiles."""
    return write_transformer(tmp_path / "small.onnx", SMALL)


def refused_untouched(folder: Path, *arguments: str | Path) -> Answer:
    """Run a verb that must fail, and leave the folder as it was."""
    before = tree(folder)
    answer = refused(*arguments)
    assert tree(folder) == before
    return answer


def write_nodes(
    path: Path,
    *nodes: onnx.NodeProto,
    shape: tuple[int | str, ...] = (4, 8),
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    **constants: NDArray[Any],
) -> Path:
    """Write a network of these nodes; `w` and `g` are an 8 x 8 weight and 8 ones."""
    given = {"w": WEIGHT, "g": ONES, **constants}
    used = {name: array for name, array in given.items() if any(name in n.input for n in nodes)}
    return write(path, nodes, dict.fromkeys(inputs, shape), outputs, used)


def test_missing_model(tmp_path: Path) -> None:
    answer = refused_untouched(tmp_path, "compile", tmp_path / "none.onnx", "-o", tmp_path / "out")
    assert answer.error == f"{tmp_path / 'none.onnx'}: found no file of this name"
    assert answer.notes == ["check the path"]


def test_a_folder_as_model(tmp_path: Path) -> None:
    assert "found no file" in refused_untouched(tmp_path, "check", tmp_path).error


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_truncated_model(tmp_path: Path, model: Path, part: float) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * part)])
    answer = refused_untouched(tmp_path, "compile", model)
    assert answer.error.startswith("small.onnx: found ") and "allowed a readable ONNX file" in answer.error


@pytest.mark.parametrize("content", [b"hello", b"\x00" * 64, b"PK\x03\x04" + b"\xff" * 64])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "allowed a readable ONNX file" in refused_untouched(tmp_path, "compile", path).error


def test_unsupported_op(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x w", "a"), node("Hardmax", "a", "y"))
    assert refused_untouched(tmp_path, "compile", path).error == (
        "node_y (Hardmax): found the op Hardmax on computed values, allowed ArgMax as a result of the network"
    )


def test_op_outside_of_the_canonical_form(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x w", "a"), node("Max", "a x", "y"))
    answer = refused_untouched(tmp_path, "compile", path)
    assert answer.error.startswith("node_y: found node_y: maximum; allowed ")
    assert any(note.startswith("rewrite this part of the network") for note in answer.notes)


def test_dynamic_shape(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x w", "y"), shape=(1, "time", 8))
    answer = refused_untouched(tmp_path, "compile", path)
    assert answer.error == "input x: found shape [1, time, 8], allowed known sizes, 1 or more"
    assert answer.notes == ["give it as --shape x=1xNx8, a number for each N, or export with static shapes"]


@pytest.mark.parametrize("text", ["x", "x=", "x=1xN", "x=0x8", "x=1,8"])
def test_shape_of_another_form(tmp_path: Path, model: Path, text: str) -> None:
    answer = refused_untouched(tmp_path, "compile", model, "--shape", text)
    assert answer.error == f"--shape: found {text!r}, allowed INPUT=SIZExSIZE..."


def test_shape_that_does_not_fit(tmp_path: Path, model: Path) -> None:
    name = onnx.load(model).graph.input[0].name
    answer = refused_untouched(tmp_path, "compile", model, "--shape", f"{name}=3x3")
    assert answer.error.startswith(f"--shape: found 3x3 for input {name}, allowed [")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    broken = WEIGHT.copy()
    broken[3, 5] = value
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x w", "y"), w=broken)
    error = refused_untouched(tmp_path, "compile", path).error
    assert "found 1 of 64 elements of w NaN or beyond float32" in error


def test_input_that_is_not_float(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Identity", "x", "y")], {"x": [4, 8]}, element=TensorProto.INT64)
    error = refused_untouched(tmp_path, "compile", path).error
    assert error == "input x: found element type INT64, allowed FLOAT or BOOL"


@pytest.mark.parametrize(("ends", "where"), [((8, 8), "input x"), ((1, 8), "output y")])
def test_more_than_l2_holds(tmp_path: Path, ends: tuple[int, int], where: str) -> None:
    shape, weight = (2_400_000 // 8, ends[0]), np.ones(ends, np.float32)
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x v", "y"), shape=shape, v=weight)
    error = refused_untouched(tmp_path, "compile", path).error
    assert error.startswith(f"{where}: found 2,400,000 elements, allowed 1,572,864: in L2 each takes")


def test_nothing_to_compute(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("Reshape", "x s", "y"), s=np.array([8, 4]))
    error = refused_untouched(tmp_path, "compile", path).error
    assert error == "output y: found the elements of input x again, allowed values of its own"


def _before_calibration(answer: Answer) -> bool:
    """Tell whether shapes were judged before any work on numbers."""
    return "bring to canonical form" in answer.err and "calibrate on" not in answer.err


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (
            Architecture(dim=960, heads=8, hidden=100),
            "bytes of L1 for the smallest tile of 8 rows (weight 233280,",
        ),
        (
            Architecture(dim=512, heads=8, hidden=2560, layers=3, rope="none"),
            "found 11285564 bytes of constants in @m, the largest here: ",
        ),
    ],
)
def test_too_large_or_no_kernel_for_it(tmp_path: Path, shape: Architecture, found: str) -> None:
    path = write_transformer(tmp_path / "m.onnx", shape)
    answer = refused_untouched(tmp_path, "compile", path, "--target", "gap9-8mb")
    assert found in answer.error and answer.error.startswith("node_")
    assert answer.notes and _before_calibration(answer)


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"emg": np.zeros((4, 3, 60))}, "found shape (4, 3, 60), allowed (samples, 1, 2, 60) or "),
        ({"emg": np.zeros((0, 2, 60))}, "found shape (0, 2, 60), allowed "),
        ({"x": np.zeros((4, 2, 60))}, "found arrays x, allowed emg"),
        ({"emg": np.full((4, 2, 60), np.nan)}, "found NaN or infinity, allowed finite float32 numbers"),
        ({"emg": np.full((4, 2, 60), 1e300)}, "found NaN or infinity, allowed finite float32 numbers"),
        ({"emg": np.full((4, 2, 60), "1")}, "found elements of type <U1, allowed real numbers"),
        ({"emg": np.zeros((4, 2, 60))}, "input %emg: found only zeros in 3 samples"),
    ],
)
def test_calibration_that_does_not_fit(
    tmp_path: Path, model: Path, arrays: dict[str, NDArray[Any]], found: str
) -> None:
    np.savez(tmp_path / "c.npz", **arrays)
    answer = refused_untouched(tmp_path, "compile", model, "--calibration", tmp_path / "c.npz")
    assert found in answer.error


def test_calibration_beside_the_model_is_checked_too(tmp_path: Path, model: Path) -> None:
    np.savez(tmp_path / "small.calibration.npz", emg=np.zeros((4, 2, 61)))
    assert "found shape (4, 2, 61)" in refused_untouched(tmp_path, "compile", model).error


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_calibration_that_cannot_be_read(tmp_path: Path, model: Path, content: bytes | None) -> None:
    path = tmp_path / "c.npz"
    if content is not None:
        path.write_bytes(content)
    error = refused_untouched(tmp_path, "compile", model, "--calibration", path).error
    assert error.startswith(f"{path}: found no readable npz file (")


def test_unknown_target(tmp_path: Path, model: Path) -> None:
    answer = refused_untouched(tmp_path, "compile", model, "--target", "gap8")
    names = "gap9, gap9-cores, gap9-ne16, gap9-8mb, pulp-open"
    assert answer.error == f"--target: found gap8, allowed {names}, or the path of a .toml file"
    assert answer.notes == ["did you mean gap9?"]


@pytest.mark.parametrize("name", ["two words", "1st", "a-b", "", "naïve"])
def test_a_name_that_c_cannot_take(tmp_path: Path, model: Path, name: str) -> None:
    error = refused_untouched(tmp_path, "compile", model, "--name", name).error
    assert error == f"--name: found {name!r}, allowed letters, digits and _, no digit first"


def test_occupied_output(tmp_path: Path, model: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    answer = refused_untouched(tmp_path, "compile", model, "-o", tmp_path / "out")
    assert "found files that are no earlier output" in answer.error
    assert answer.err.startswith("error: "), "said before any work is done"


@pytest.mark.parametrize("below", ["out", "a/b/out"])
def test_output_below_a_file(tmp_path: Path, model: Path, below: str) -> None:
    answer = refused_untouched(tmp_path, "compile", model, "-o", model / below)
    assert f"cannot be written: {model} is not a directory" in answer.error
    assert answer.err.startswith("error: ")


def test_output_without_permission(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the answer of the system is made up."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (tmp_path / "locked").mkdir()
    error = refused_untouched(tmp_path, "compile", model, "-o", tmp_path / "locked" / "a" / "out").error
    assert f"no permission to write to {tmp_path / 'locked'}" in error


def test_output_that_fails_on_the_way(tmp_path: Path, model: Path) -> None:
    """The name fits, the temporary one beside it does not: only the write itself finds out."""
    out = tmp_path / "new" / ("x" * 254)
    assert "File name too long" in refused_untouched(tmp_path, "compile", model, "-o", out).error


def test_what_else_is_in_the_output_is_kept_and_named(tmp_path: Path) -> None:
    out = tmp_path / "small"
    out.mkdir()
    assert succeeded("compile", write_transformer(tmp_path / "small.onnx", SMALL), "-o", out)[
        "kept_files"
    ] == {"in_place": [], "renamed": {}, "before": None}
    inside = write_transformer(out / "small.onnx", SMALL)
    (out / "network.c").write_bytes(b"mine")
    answer = call("compile", inside, "-o", out)
    assert answer.status == 0 and inside.is_file() and (out / "network.c.yours").read_bytes() == b"mine"
    kept = [line for line in answer.out.splitlines() if line.startswith("kept")]
    assert kept == [
        "kept      small.calibration.npz, small.onnx: not written by tmc, left as found",
        "kept      network.c as network.c.yours: changed since the last compile, or in the way of this one",
    ]
    (out / "manifest.json").unlink()
    facts = succeeded("compile", tmp_path / "small.onnx", "-o", out)
    assert facts["kept_files"]["before"] == str(tmp_path / "small.before")
    assert (tmp_path / "small.before" / "small.onnx").is_file() and not (out / "small.onnx").exists()


def test_model_without_a_suffix_needs_an_output(tmp_path: Path, model: Path) -> None:
    plain = model.rename(tmp_path / "small")
    assert "found files that are no earlier output" in refused_untouched(tmp_path, "compile", plain).error


def test_check_refuses_the_same(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("MatMul", "x w", "a"), node("Hardmax", "a", "y"))
    assert refused_untouched(tmp_path, "check", path).error == refused("compile", path).error


# ---------------------------------------------------------------- a full disk, and no memory


def command(*arguments: str | Path, out: Path | None = None, err: Path | None = None) -> tuple[int, str, str]:
    """Run tmc as a program of its own, its streams to files where given; return status and what was said."""
    with contextlib.ExitStack() as stack:
        streams = [
            subprocess.PIPE if path is None else stack.enter_context(path.open("w")) for path in (out, err)
        ]
        words = [sys.executable, "-m", "tmc", *map(str, arguments)]
        ran = subprocess.run(words, stdout=streams[0], stderr=streams[1], text=True, check=False)
    return ran.returncode, ran.stdout or "", ran.stderr or ""


FULL = Path("/dev/full")
NO_SPACE = "error: output: cannot be written or read: No space left on device"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_standard_output_on_a_full_disk(form: tuple[str, ...]) -> None:
    status, _, err = command("ops", *form, out=FULL)
    assert status == 1 and err.splitlines() == [
        NO_SPACE,
        "note: free space or give another place, and run it again",
    ]


def test_an_error_finds_the_stream_that_is_left(tmp_path: Path) -> None:
    missing = tmp_path / "none.onnx"
    status, _, err = command("check", missing, "--json", out=FULL)
    assert status == 1 and err.startswith(f"error: {missing}: found no file")
    status, out, _ = command("check", missing, "--json", err=FULL)
    assert status == 1 and json.loads(out)["error"]["what"] == "found no file of this name"
    assert command("check", missing, out=FULL, err=FULL)[0] == 1


@pytest.mark.parametrize(
    ("error", "where", "what"),
    [
        (
            OSError(28, "No space left on device", "a/file"),
            "a/file",
            "cannot be written or read: No space left",
        ),
        (OSError("it broke"), "output", "cannot be written or read: it broke"),
        (MemoryError("Unable to allocate 9 GiB"), "memory", "Unable to allocate 9 GiB"),
        (MemoryError(), "memory", "found too little memory for this network: none is left"),
    ],
    ids=str,
)
def test_what_the_system_refuses_is_no_defect(
    model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str, what: str
) -> None:
    def compile_model(*_: object) -> None:
        raise error

    monkeypatch.setattr("tmc.cli.compile.compile_model", compile_model)
    answer = refused("check", model)
    assert answer.error.startswith(f"{where}: ") and what in answer.error and len(answer.notes) == 1


def test_a_disk_that_fills_while_the_directory_is_written(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = refused_untouched(tmp_path, "compile", model, "-o", tmp_path / "out")
    assert answer.error == f"{tmp_path / 'out'}: cannot be written: No space left on device"


@pytest.mark.parametrize("name", ["", "."])
def test_a_model_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused("compile", name).error == ".: found no file of this name"


def test_names_that_a_terminal_has_no_letters_for(tmp_path: Path) -> None:
    path = write_nodes(tmp_path / "m.onnx", node("Hardmax", "x", "größe"), node("MatMul", "größe w", "y"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "tmc", "check", str(path)]
    ran = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert (
        ran.returncode == 1 and b"defect" not in ran.stderr and rb"node_gr\xf6\xdfe (Hardmax)" in ran.stderr
    )


def test_a_target_file_that_is_wrong(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "gap9"\n[l1]\nsize_kib = 48\n')
    answer = refused_untouched(tmp_path, "compile", model, "--target", path)
    assert answer.error == f"{path}: l1.size_kib: found an unknown key, allowed size_bytes, runtime_bytes"
    assert answer.notes == ["did you mean size_bytes?"]
