"""Export to ONNX by both torch exporters, its check against torch, its calibration file, its command line."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from examples.tinymyo import __main__ as command
from examples.tinymyo import export as export_module
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import Exporter, compare_with_onnxruntime, export, export_onnx
from examples.tinymyo.model import Config, RopeScheme, TinyMyo, build
from examples.tinymyo.networks import NETWORKS
from examples.tinymyo.recording import Windows, load_windows
from examples.tinymyo.synthetic import synthetic_windows


def small(rope: RopeScheme = "cyclic") -> TinyMyo:
    return build(Config(channels=2, samples=100, layers=1, classes=6, rope=rope), seed=5)


def windows_for(model: TinyMyo) -> Windows:
    found, _ = synthetic_windows(44, model.config.channels, model.config.samples, 6, seed=1)
    return Windows(found[:40], found[40:], "SYNTHETIC, made by this test")


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(
    ("exporter", "opset"),
    [*(("torchscript", opset) for opset in range(13, 18)), ("dynamo", 18), ("dynamo", 20), ("dynamo", 24)],
)
def test_every_exporter_agrees_with_torch(exporter: Exporter, opset: int, fold: bool, tmp_path: Path) -> None:
    for rope in ("flat", "none", "cyclic"):
        model = small(rope)
        path = tmp_path / f"{rope}.onnx"
        export_onnx(model, path, exporter, opset, fold)
        assert model.blocks[0].attn.fused_attention
        difference, output_range = compare_with_onnxruntime(model, path, windows_for(model).train[:4])
        assert difference < 1e-5 * output_range
        content = onnx.load(path)
        onnx.checker.check_model(content, full_check=True)
        assert [entry.version for entry in content.opset_import if entry.domain == ""] == [opset]
        for value, name, shape in (
            (content.graph.input, "emg", [1, 2, 100]),
            (content.graph.output, "logits", [1, 6]),
        ):
            assert [entry.name for entry in value] == [name]
            assert [axis.dim_value for axis in value[0].type.tensor_type.shape.dim] == shape
        assert str(Path(export_module.__file__).parent).encode() not in path.read_bytes()
        names = [node.name for node in content.graph.node]
        assert len(set(names)) == len(names)
        assert any("attn/qkv/" in name.replace(".", "/") for name in names), "nodes tell their module"


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_same_seed_same_bytes(exporter: Exporter, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first, second, other = tmp_path / "a.onnx", tmp_path / "elsewhere" / "b.onnx", tmp_path / "c.onnx"
    for path in (first, second):
        export(small(), windows_for(small()), path, exporter)
    assert first.read_bytes() == second.read_bytes()
    calibration = first.with_suffix(".calibration.npz").read_bytes()
    assert calibration == second.with_suffix(".calibration.npz").read_bytes()
    export_onnx(build(small().config, seed=6), other, exporter)
    graphs = [onnx.load(path).graph for path in (first, other)]
    weights = [{entry.name: numpy_helper.to_array(entry) for entry in graph.initializer} for graph in graphs]
    assert weights[0].keys() == weights[1].keys()
    assert any(not np.array_equal(value, weights[1][name]) for name, value in weights[0].items())


def test_calibration_file(tmp_path: Path) -> None:
    model, path = small(), tmp_path / "net.onnx"
    windows = windows_for(model)
    done = export(model, windows, path)
    assert done.calibration == tmp_path / "net.calibration.npz"
    with np.load(done.calibration) as content:
        assert content.files == ["emg"]
        emg = content["emg"]
    assert emg.shape == (32, 2, 100) and emg.dtype == np.float32
    known = {window.tobytes() for window in windows.train}
    assert {window.tobytes() for window in emg} <= known and len({w.tobytes() for w in emg}) == 32
    with zipfile.ZipFile(done.calibration) as archive:
        assert archive.comment == b"SYNTHETIC, made by this test"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["net.calibration.npz", "net.onnx"]


def test_full_size_network_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tinymyo.onnx"
    assert command.main(["export", "--network", "tinymyo-8x1000", "-o", str(path)]) == 0
    printed = capsys.readouterr().out
    assert f"model: {path}, 8 channels, head classification\n" in printed
    assert "torch against onnxruntime: largest difference" in printed
    assert load_windows(8, 1000).source in printed
    graph = onnx.load(path).graph
    parameters = sum(int(np.prod(entry.dims)) for entry in graph.initializer)
    # The exporter drops zero biases and shares equal tensors; every matrix must be there.
    assert parameters > 8 * (4 * 192 * 192 + 2 * 192 * 768) + 6 * 8 * 192
    reference = NETWORKS["tinymyo-8x1000"]
    test = load_windows(8, 1000).test[:2]
    difference, output_range = compare_with_onnxruntime(build(reference.config, reference.seed), path, test)
    assert difference < 1e-5 * output_range


def test_disagreement_is_an_error_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export_other_weights(model: TinyMyo, path: Path, *rest: object) -> None:
        export_onnx(build(model.config, seed=6), path)

    monkeypatch.setattr(export_module, "export_onnx", export_other_weights)
    with pytest.raises(
        TinyMyoError, match=r"net.onnx: found outputs up to .* away from torch, allowed 1e-04"
    ):
        export(small(), windows_for(small()), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    model = small()
    with torch.no_grad():
        model.norm.weight[0] = float("nan")
    with pytest.raises(TinyMyoError, match="found outputs up to nan away from torch") as caught:
        export(model, windows_for(model), tmp_path / "net.onnx")
    assert "finite" in caught.value.note
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "big", "-o", "x.onnx"], "error: --network: found big, allowed tinymyo-8x1000"),
        (
            ["--network", "tinyissimo-8x200", "-o", "x.pb"],
            "error: -o: found x.pb, allowed a name that ends in",
        ),
        (["--network", "tinyissimo-8x200", "-o", "no/x.onnx"], "error: -o: found no folder no"),
        (
            ["--network", "tinyissimo-8x200", "--opset", "12", "--exporter", "torchscript", "-o", "x.onnx"],
            "error: --opset: found 12, allowed 13 to 17 with --exporter torchscript",
        ),
        (
            ["--network", "tinyissimo-8x200", "--opset", "17", "-o", "x.onnx"],
            "error: --opset: found 17, allowed 18 to 24 with --exporter dynamo",
        ),
        (
            ["--network", "tinyissimo-8x200", "--channels", "4", "-o", "x.onnx"],
            "error: --channels, --samples: found with --network, allowed with --checkpoint",
        ),
        (["--checkpoint", "none.safetensors", "-o", "x.onnx"], "error: none.safetensors: found "),
    ],
)
def test_command_line_errors(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main(["export", *arguments]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith(message) and printed[1].startswith("note: ") and len(printed) == 2
    assert not list(tmp_path.iterdir())


def test_command_line_options_reach_the_export(tmp_path: Path) -> None:
    options = ["--rope", "flat", "--exporter", "torchscript", "--opset", "13", "--no-constant-folding"]
    path = tmp_path / "net.onnx"
    assert command.main(["export", "--network", "tinyissimo-8x200", *options, "-o", str(path)]) == 0
    content = onnx.load(path)
    assert content.opset_import[0].version == 13
    # Unfolded, a Linear keeps its weight under its own name; flat has no channel vectors.
    names = {entry.name for entry in content.graph.initializer}
    assert "blocks.3.mlp.fc2.weight" in names and "channel_embed" not in names
