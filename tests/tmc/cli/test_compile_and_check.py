"""`tmc compile` and `tmc check`: their answers, defaults and debugging options."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tests.networks.transformers import Architecture, write_transformer
from tests.tmc.command import call, refused, succeeded, tree
from tests.tmc.conftest import SMALL, Built
from tmc.backend_gap9.emit.manifest import manifest_text
from tmc.backend_gap9.target.targets import target_named
from tmc.compile_stages import value_names
from tmc.driver import Options, compile_model
from tmc.ir.store import load_graph
from tmc.ir.text import parse_graph
from tmc.passes.watch import Watch

STAGES = ("compare", "check_plan", "check_program", "emit")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write the small network into a folder of its own."""
    folder = tmp_path / "models"
    folder.mkdir()
    return write_transformer(folder / "small.onnx", SMALL)


def test_facts(tmp_path: Path, model: Path) -> None:
    facts = succeeded("compile", model, "-o", tmp_path / "out", "--target", "gap9")
    assert facts["target"] == "gap9" and facts["network"] == "small"
    assert (facts["model"], facts["output_dir"]) == (str(model), str(tmp_path / "out"))
    assert facts["calibration"] == "small.calibration.npz"
    tokens, dim, hidden = SMALL.tokens, SMALL.dim, SMALL.hidden
    row = SMALL.patch * dim + 4 * dim * dim + 2 * dim * hidden + 2 * tokens * dim
    assert facts["macs"] == tokens * row + SMALL.channels * dim * SMALL.classes
    assert facts["weights_bytes"] == (tmp_path / "out" / "weights.bin").stat().st_size
    for memory in ("l1", "l2", "l3"):
        assert 0 < facts[f"{memory}_peak_bytes"] <= facts[f"{memory}_budget_bytes"]
    assert facts["l2_bound_bytes"] <= facts["l2_peak_bytes"] and facts["l3_bytes"] > 0
    assert facts["cycles_estimate"] > facts["macs"] / 24
    assert facts["reference_difference"] < 1e-5
    assert set(facts["seconds"]) == {*value_names(), *STAGES}
    assert [op["name"] for op in facts["ops"]][-1] == "y" and all(op["kernels"] for op in facts["ops"])


def test_summary_and_progress(tmp_path: Path, model: Path) -> None:
    answer = call("compile", model, "-o", tmp_path / "out")
    assert answer.status == 0
    rows = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    memories = ["weights", "L1", "L2", "stack"]
    found = ["cycles", "proved", "imported", "loudness", "accuracy", "worst"]
    assert list(rows) == ["network", *memories, *found, "written"]
    assert rows["proved"].endswith("bytes read: no race, nothing out of bounds")
    assert rows["written"] == f"{tmp_path / 'out'}; open {tmp_path / 'out' / 'report.html'}"
    *progress, warning, note = answer.err.splitlines()
    assert all(line.startswith("[") for line in progress), "progress and nothing else"
    # Of 4 windows of noise the held-back one goes beyond the others.
    assert warning.startswith("warning: %") and "in 1 held-back windows" in warning
    assert note.startswith("note: calibrate on more windows")
    assert "calibrate on 3 of 4 samples (small.calibration.npz)" in answer.err


def test_output_beside_the_model_by_default(model: Path) -> None:
    succeeded("compile", model)
    names = {path.name for path in model.parent.iterdir()}
    assert names == {"small.onnx", "small.calibration.npz", "small"}
    succeeded("compile", model)  # an earlier output is replaced
    assert {path.name for path in model.parent.iterdir()} == names


def test_check_writes_nothing(model: Path) -> None:
    before = tree(model.parent)
    facts = succeeded("check", model)
    assert facts["output_dir"] is None and facts["l1_peak_bytes"] > 0
    assert "written   nothing (check)" in call("check", model).out
    assert tree(model.parent) == before


def test_name(tmp_path: Path, model: Path) -> None:
    facts = succeeded("compile", model, "-o", tmp_path / "out", "--name", "left_arm")
    assert facts["network"] == "left_arm"
    assert "left_arm_run" in (tmp_path / "out" / "network.h").read_text()
    plain = model.rename(model.with_name("8 channels.onnx"))
    assert succeeded("check", plain)["network"] == "n_8_channels"


def test_targets_differ_in_name_only_for_now(model: Path) -> None:
    one, other = succeeded("check", model), succeeded("check", model, "--target", "gap9-cores")
    assert (one["target"], other["target"]) == ("gap9", "gap9-cores")
    assert one["cycles_estimate"] == other["cycles_estimate"]


def test_noise_where_there_are_no_samples(model: Path) -> None:
    model.with_suffix(".calibration.npz").unlink()
    answer = call("check", model, "--json")
    assert answer.json["calibration"] == "noise"
    assert "warning: calibrated on noise" in answer.err and "--calibration FILE.npz" in answer.err
    assert answer.json["accuracy"]["basis"] == "noise"
    lines = call("check", model).out.splitlines()
    found = [line for line in lines if line.startswith(("accuracy", "worst"))]
    text = "means nothing: calibrated and compared on noise, for want of recorded windows"
    assert found == [f"accuracy  {text}"]


def test_open_sizes(tmp_path: Path, model: Path) -> None:
    opened = onnx.load(model)
    first, second = opened.graph.input[0].type.tensor_type.shape.dim[:2]
    name, batch = opened.graph.input[0].name, first.dim_value
    assert batch == 1
    first.dim_param, channels = "batch", second.dim_value
    path = tmp_path / "open.onnx"
    onnx.save(opened, path)
    answer = call("check", path)
    assert answer.status == 0
    text = f"assumed: input {name}: its first axis, batch, is taken as 1; --shape {name}=... sets another"
    assert text in answer.err.splitlines()
    second.dim_param = "channels"
    onnx.save(opened, path)
    sizes = [1, channels, *(axis.dim_value for axis in opened.graph.input[0].type.tensor_type.shape.dim[2:])]
    answer = call("check", path, "--shape", f"{name}={'x'.join(map(str, sizes))}")
    assert answer.status == 0 and "assumed" not in answer.err


def test_given_calibration_comes_first(tmp_path: Path, model: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, emg=np.random.default_rng(8).standard_normal((3, *SMALL.input_shape)) * 5)
    answer = call("check", model, "--calibration", other, "--json")
    assert answer.json["calibration"] == "other.npz"
    assert "calibrate on 2 of 3 samples (other.npz)" in answer.err


def test_print_all(model: Path) -> None:
    before = tree(model.parent)
    answer = call("check", model, "--print-ir-after=all")
    titles = [line for line in answer.out.splitlines() if line.startswith("# after ")]
    assert titles == [f"# after {name}" for name in value_names()]
    assert tree(model.parent) == before


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("import", "softmax"),
        ("fuse_attention", "= attention("),
        ("calibrate", "ranges over 3 samples\n%emg: -"),
        ("choose_scales", "%emg: int16 input, zero point 0, 0.0"),
        ("quantise", "= qattention("),
        ("accuracy", "integer against float over 1 held-back windows\n%y "),
        ("plan", "plan: "),
        ("program", "dma"),
    ],
)
def test_print_one(model: Path, name: str, part: str) -> None:
    answer = call("check", model, f"--print-ir-after={name}", f"--stop-after={name}")
    assert answer.status == 0 and answer.out.startswith(f"# after {name}\n") and part in answer.out
    assert answer.out.count("# after ") == 1 and "network   " not in answer.out


def test_printing_leaves_standard_output_to_json(model: Path) -> None:
    answer = call("check", model, "--print-ir-after=plan", "--json")
    assert answer.json["ok"] is True and "# after plan\n" in answer.err


@pytest.mark.parametrize("name", value_names())
def test_stop_after(tmp_path: Path, model: Path, name: str) -> None:
    before = tree(tmp_path)
    facts = succeeded("compile", model, "-o", tmp_path / "out", f"--stop-after={name}")
    assert facts["stopped_after"] == name and list(facts["seconds"])[-1] == name
    assert tree(tmp_path) == before, "nothing is written"


def test_stop_after_what_this_model_does_not_need(tmp_path: Path, model: Path) -> None:
    before = tree(tmp_path)
    answer = refused("compile", model, "-o", tmp_path / "out", "--stop-after=lower_declared")
    names = ", ".join(value_names())
    assert answer.error == f"--stop-after: found no lower_declared on the way of this model, allowed {names}"
    assert tree(tmp_path) == before, "nothing is written"


@pytest.mark.parametrize("option", ["--stop-after", "--print-ir-after"])
def test_unknown_pass(tmp_path: Path, option: str) -> None:
    answer = refused("compile", tmp_path / "none.onnx", option, "fuse_everything")
    found = f"{option}: found fuse_everything, allowed import, lower_declared, fold_constants, "
    assert answer.error.startswith(found)
    assert answer.err.startswith("error: "), "said before any work is done"


def test_dump(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "new" / "dump"
    succeeded("check", model, "--dump-dir", folder)
    names = [path.stem.split("_", 1)[1] for path in sorted(folder.iterdir())]
    assert tuple(names) == value_names()
    assert {path.suffix for path in folder.iterdir()} == {".ir", ".txt"}
    assert not (model.parent / "small").exists()


def test_dumped_graphs_are_the_graphs(tmp_path: Path, built: Built) -> None:
    succeeded("check", built.model, "--dump-dir", tmp_path)
    golden = load_graph(built.output / "golden", "graph")
    (quantised,) = tmp_path.glob("*_quantise.ir")
    assert parse_graph(quantised.read_text(), golden.constants) == golden


def test_a_failed_compile_keeps_the_dumps_before_it(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text('base = "gap9"\n[l1]\nsize_bytes = 14_336\n')
    model = write_transformer(tmp_path / "m.onnx", Architecture())
    answer = call("compile", model, "--target", tmp_path / "small.toml", "--dump-dir", tmp_path / "dump")
    assert answer.status == 1 and "bytes of L1 for the smallest tile" in answer.err
    assert sorted(tmp_path.glob("dump/*"))[-1].name.endswith("_pad_heads.ir"), "shapes are judged next"
    assert not (tmp_path / "m").exists()


def test_dump_directory_that_cannot_be_written(tmp_path: Path, model: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    error = refused("check", model, "--dump-dir", tmp_path / "file").error
    assert error.startswith(f"--dump-dir: {tmp_path / 'file' / '00_import.ir'} cannot be written: ")


def test_time_passes(model: Path) -> None:
    lines = call("check", model, "--time-passes").err.splitlines()
    timed = [line.split()[2] for line in lines if line.split()[1:2] == ["s"]]
    assert set(timed) == {*value_names(), *STAGES} and len(timed) == len(set(timed))


def test_explain(tmp_path: Path) -> None:
    """A GELU with a constant of its own is none, but a table: the recogniser says so, once."""
    weight = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    half = np.float32(0.5)
    nodes = [
        node("MatMul", "x w", "a"),
        node("Erf", "a", "b"),
        node("Add", "b one", "c"),
        node("Mul", "a c", "d"),
        node("Mul", "d half", "y"),
    ]
    path = write(
        tmp_path / "m.onnx", nodes, {"x": [4, 8]}, constants={"w": weight, "one": 2 * half, "half": half}
    )
    answer = call("check", path, "--explain")
    declined = [line for line in answer.err.splitlines() if line.startswith("declined: ")]
    assert answer.status == 0 and len(declined) == len(set(declined)) > 0
    assert any(line.startswith("declined: node_b (erf): ") for line in declined)
    assert "declined" not in call("check", path).err


def test_watch_sees_every_value_once(built: Built) -> None:
    seen: list[str] = []
    target = target_named("gap9")
    compile_model(
        Options(built.model, target),
        Watch(after=lambda name, value, seconds: seen.append(name) if value is not None else None),
    )
    assert tuple(seen) == value_names()


def test_compiled_in_memory_is_what_compile_writes(tmp_path: Path, built: Built) -> None:
    compiled = compile_model(Options(built.model, target_named("gap9")))
    written = tree(built.output)
    assert written.pop("manifest.json") == manifest_text(compiled.files)
    assert dict(compiled.files) == written
    shutil.copytree(built.output, tmp_path / "copy")
    (tmp_path / "copy" / "manifest.json").unlink()
    assert tree(tmp_path / "copy") == dict(compiled.files)
