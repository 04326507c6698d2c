"""Export TinyMyo to ONNX with static shapes, check it against torch, and write its calibration windows."""

import ast
import contextlib
import io
import logging
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from examples.tinymyo.data.normalise import to_unit_range
from examples.tinymyo.data.sets import WindowSet
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import EMBED_DIM, Attention, Head, TinyMyo
from examples.tinymyo.recording import Windows

Exporter = Literal["torchscript", "dynamo"]

INPUT = "emg"
OUTPUTS: dict[Head, str] = {
    "classification": "logits",
    "regression": "values",
    "reconstruction": "reconstructed",
}
OPSETS: dict[Exporter, range] = {"torchscript": range(13, 18), "dynamo": range(18, 25)}
DEFAULT_OPSET: dict[Exporter, int] = {"torchscript": 17, "dynamo": 18}
FIRST_OPSET_WITH_FUSED_ATTENTION = 14
CALIBRATION_WINDOWS = 32
CHECKED_WINDOWS = 4
TOLERANCE = 1e-4
FIRST_OF_HEAD = {
    "classification": "model_head.classifier.weight",
    "regression": "model_head.regressor.0.weight",
}
NAME_SCOPES = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True, slots=True)
class Exported:
    """Say what an export wrote, and how far onnxruntime is from torch on real or synthetic windows."""

    model: Path
    calibration: Path
    max_difference: float
    output_range: float


def calibration_path(model: Path) -> Path:
    """Return where `tmc compile` looks for the calibration file of a model."""
    return model.with_suffix(".calibration.npz")


def export_onnx(
    model: TinyMyo, path: Path, exporter: Exporter = "dynamo", opset: int | None = None, fold: bool = True
) -> None:
    """Write the network as ONNX, all static: `emg` (1, channels, samples) to what its head gives.

    Raises:
        TinyMyoError: an opset that the exporter cannot write.
    """
    opset = DEFAULT_OPSET[exporter] if opset is None else opset
    allowed = OPSETS[exporter]
    if opset not in allowed:
        raise TinyMyoError(
            f"--opset: found {opset}, allowed {allowed[0]} to {allowed[-1]} with --exporter {exporter}",
            "opsets 13 to 17 are written by torchscript, later ones by dynamo",
        )
    window = torch.zeros(1, model.config.channels, model.config.samples)
    with _attention_in_parts(model, opset < FIRST_OPSET_WITH_FUSED_ATTENTION), _quiet(), torch.no_grad():
        if exporter == "torchscript":
            torch.onnx.export(
                model,
                (window,),
                str(path),
                dynamo=False,
                opset_version=opset,
                do_constant_folding=fold,
                input_names=[INPUT],
                output_names=[OUTPUTS[model.config.head]],
            )
        else:
            program = torch.onnx.export(
                model,
                (window,),
                dynamo=True,
                opset_version=opset,
                optimize=fold,
                input_names=[INPUT],
                output_names=[OUTPUTS[model.config.head]],
            )
            assert program is not None
            program.save(str(path), external_data=False)
    _make_portable(path)


@contextlib.contextmanager
def _attention_in_parts(model: TinyMyo, in_parts: bool) -> Iterator[None]:
    layers = [module for module in model.modules() if isinstance(module, Attention)]
    for layer in layers:
        layer.fused_attention = not in_parts
    try:
        yield
    finally:
        for layer in layers:
            layer.fused_attention = True


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # Both exporters talk at length about their own plans; none of it concerns the network.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _make_portable(path: Path) -> None:
    # Exporters write stack traces with the paths of this machine; the file must not depend on them. They also
    # know the module of each node: it goes into the node's name, which tmc's messages and reports show.
    content = onnx.load(path)
    graph = content.graph
    for node in graph.node:
        scopes = [entry.value for entry in node.metadata_props if entry.key == NAME_SCOPES]
        module = ast.literal_eval(scopes[0])[-2] if scopes else ""
        node.name = f"{module}/{node.name}" if module else node.name
    for holder in (content, graph, *graph.node, *graph.value_info, *graph.initializer):
        del holder.metadata_props[:]
        holder.doc_string = ""
    onnx.save(content, path)


def without_padding(model: TinyMyo, channels: int) -> TinyMyo:
    """Return the network for the first `channels` channels, equal to `model` with the others as padding.

    No token attends to padding and the head gets zeros for it, so columns of the head that read it go.

    Raises:
        TinyMyoError: more channels than the network has, or a head that mixes channels.
    """
    config = model.config
    if channels == config.channels:
        return model
    if channels > config.channels or config.groups not in (0, config.channels):
        mixed = f" and a head of {config.groups} groups" if config.groups else ""
        raise TinyMyoError(
            f"channels: found {channels} for a network of {config.channels}{mixed}, allowed "
            + ("all of them" if mixed else f"1 to {config.channels}"),
            "export for the channels that the network was trained on",
        )
    state = model.state_dict()
    first = FIRST_OF_HEAD.get(config.head)
    if first is not None and config.pooling == "concat":
        state[first] = state[first][:, : channels * EMBED_DIM]
    network = TinyMyo(replace(config, channels=channels, groups=0))
    network.load_state_dict(state)
    return network.eval()


def _on_real_channels(model: TinyMyo, windows: Tensor) -> Tensor:
    """Run `model` on windows of maybe fewer channels, the others as padding."""
    real = windows.shape[1]
    missing = model.config.channels - real
    if not missing:
        return model(windows)  # type: ignore[no-any-return]
    padded = (torch.arange(model.config.channels) >= real).expand(len(windows), -1)
    found: Tensor = model(torch.nn.functional.pad(windows, (0, 0, 0, missing)), padded=padded)
    return found[:, :real] if model.config.head == "reconstruction" else found


def compare_with_onnxruntime(model: TinyMyo, path: Path, windows: NDArray[np.float32]) -> tuple[float, float]:
    """Return the largest difference of the output between torch and onnxruntime, and the output's range.

    Channels that the network has beyond those of the windows are padding to it.

    Raises:
        TinyMyoError: they differ by more than 1e-4 of the range.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = _on_real_channels(model, torch.from_numpy(windows)).numpy()
    found = np.concatenate([session.run(None, {INPUT: window[None]})[0] for window in windows])
    difference = float(np.abs(expected - found).max())
    output_range = float(np.ptp(expected))
    # Written so that a NaN fails too.
    if not difference <= TOLERANCE * output_range:
        raise TinyMyoError(
            f"{path.name}: found outputs up to {difference:.3g} away from torch, "
            f"allowed {TOLERANCE:.0e} of their range {output_range:.3g}",
            "try the other --exporter; weights that are not finite also end here",
        )
    return difference, output_range


def calibration_windows(windows: WindowSet, head: Head, source: str) -> Windows:
    """Choose windows spread over a training part, scaled as training with this head scales them.

    Raises:
        TinyMyoError: there are none.
    """
    if not len(windows):
        raise TinyMyoError(f"{source}: found no windows, allowed 1 or more", "check the data and its splits")
    read = [windows[index][0] for index in _spread(len(windows))]
    chosen = np.stack([to_unit_range(window) if head == "reconstruction" else window for window in read])
    return Windows(chosen, chosen[:0], source)


def _spread(count: int) -> list[int]:
    found = np.linspace(0, count - 1, min(count, CALIBRATION_WINDOWS)).round().astype(np.int64)
    return found.tolist()


def write_calibration(path: Path, windows: NDArray[np.float32], source: str) -> None:
    """Write windows (count, channels, samples) as array `emg`; `source` becomes the zip comment."""
    np.savez(path, emg=windows)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = source.encode()


def export(
    model: TinyMyo,
    windows: Windows,
    path: Path,
    exporter: Exporter = "dynamo",
    opset: int | None = None,
    fold: bool = True,
) -> Exported:
    """Write `path` and its calibration file, after checking the ONNX file against torch.

    Windows of fewer channels than the network has make a network for these channels alone.

    Raises:
        TinyMyoError: windows of another length, or see `without_padding`, `export_onnx` and
            `compare_with_onnxruntime`; then nothing is written.
    """
    if path.suffix != ".onnx":
        raise TinyMyoError(f"-o: found {path}, allowed a name that ends in .onnx", "name the model file")
    if not path.parent.is_dir():
        raise TinyMyoError(f"-o: found no folder {path.parent}, allowed an existing one", "make it first")
    channels, samples = windows.train.shape[1:]
    if samples != model.config.samples:
        raise TinyMyoError(
            f"windows: found {samples} samples, allowed {model.config.samples} as the network has",
            "prepare the data with this --window",
        )
    network = without_padding(model, channels)
    chosen = windows.train[_spread(len(windows.train))]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        export_onnx(network, draft, exporter, opset, fold)
        difference, output_range = compare_with_onnxruntime(model, draft, chosen[:CHECKED_WINDOWS])
        write_calibration(calibration_path(draft), chosen, windows.source)
        os.replace(calibration_path(draft), calibration_path(path))
        os.replace(draft, path)
    return Exported(path, calibration_path(path), difference, output_range)
