"""The integer network that a model would compile to now, and the values it computes for given windows.

The compiler does all of it: its frontend, passes, quantisation and interpreter are called as they are. The
model is exported once; later only its parameters are exchanged in the exported graph.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from threadpoolctl import threadpool_limits

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import INPUT, export_onnx
from examples.tinymyo.model import TinyMyo
from tmc.frontend.onnx_import import load
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import run_passes
from tmc.passes.quantise_calibrated import quantise_calibrated

UNUSED_PARAMETERS = ("mask_token",)

Values = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class BlockValues:
    """Name the values of one transformer block in the integer graph; `rotated` is empty without rotation."""

    before: str
    norm1: str
    query: str
    key: str
    value: str
    rotated: tuple[str, ...]
    heads: str
    middle: str
    norm2: str
    hidden: str
    after: str


class IntegerTwin:
    """Follow a model with the integer network that it would compile to.

    `calibration` are windows (count, channels, samples). Ranges are observed again after every
    `calibrate_every` changes of the parameters; every change gives new integer weights.
    """

    def __init__(self, model: TinyMyo, calibration: NDArray[np.float32], calibrate_every: int = 50) -> None:
        self.calibration = {INPUT: calibration[:, None]}
        self.calibrate_every = calibrate_every
        self.updates = 0
        self.ranges: Ranges | None = None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export_onnx(model, path, fold=False)
            self.onnx = onnx.load(path)
        self.update(model)

    def update(self, model: TinyMyo) -> None:
        """Quantise the parameters that the model has now.

        Raises:
            TmcError: the network has left what integers can hold; the message names the node.
        """
        state = {name: value.detach().float().cpu().numpy() for name, value in model.named_parameters()}
        held = {tensor.name: tensor for tensor in self.onnx.graph.initializer}
        for name, value in state.items():
            if name in held:
                held[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))
            elif name not in UNUSED_PARAMETERS:
                raise TinyMyoError(
                    f"{name}: found no such tensor in the exported network, allowed every parameter",
                    "export with constants unfolded",
                )
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=torch.get_num_threads()):
            path = Path(folder) / "model.onnx"
            onnx.save(self.onnx, path)
            canonical = run_passes(load(path, None), CANONICALISE)
            if self.ranges is None or self.updates % self.calibrate_every == 0:
                self.ranges = calibrate(canonical, self.calibration)
            made = quantise_calibrated(canonical, self.ranges)
        self.graph = made.graph
        self.factors = _factors(self.ranges, made.ranges)
        self.blocks = block_values(self.graph)
        self.updates += 1

    def run(self, windows: NDArray[np.float32]) -> Values:
        """Return what the integer network computes for windows (B, channels, samples), as real numbers.

        Every value of `block_values`, the final norm (`norm`) and the result (`output`), batch axis first, in
        rows: tokens x features.
        """
        wanted = {name for block in self.blocks for name in _names(block)}
        norm = [op.output for op in self.graph.ops if op.kind is OpKind.QLAYERNORM][-1]
        (output,) = self.graph.outputs
        wanted |= {norm, output}
        rows: dict[str, list[Array]] = {name: [] for name in wanted}
        for window in windows:
            codes = quantise_inputs(self.graph, {INPUT: window[None]})

            def keep(name: str, found: Array) -> None:
                if name in rows:
                    rows[name].append(self._real(name, found))

            interpret(self.graph, codes, keep)
        values = {name: np.stack(found).astype(np.float32) for name, found in rows.items()}
        return values | {"norm": values[norm], "output": values[output]}

    def _real(self, name: str, codes: Array) -> Array:
        real = dequantise(self.graph.types[name], codes)
        made_by = producers(self.graph)[name]
        attrs = made_by.attrs
        if isinstance(attrs, QLinearAttrs) and attrs.layout == "heads":
            real = real.transpose(1, 0, 2).reshape(real.shape[1], -1)
        elif isinstance(attrs, QLinearAttrs) and attrs.layout == "transposed":
            real = real.T
        if name not in self.factors:
            return real
        factor = self.factors[name]
        if real.ndim == 3:  # a rotated value: heads, tokens, columns of a head
            factor = factor.reshape(len(real), 1, -1)
        return real * factor


def block_values(graph: Graph) -> tuple[BlockValues, ...]:
    """Find the values of each transformer block by following the operands of its attention."""
    made_by, readers = producers(graph), uses(graph)
    blocks = []
    for attention in graph.ops:
        if attention.kind is not OpKind.QATTENTION:
            continue
        query, key, value = attention.inputs[:3]
        rotated: tuple[str, ...] = ()
        if made_by[query].kind is OpKind.QROPE:
            rotated = (query, key)
            query, key = made_by[query].inputs[0], made_by[key].inputs[0]
        norm1 = made_by[value].inputs[0]
        middle = _reader(readers, attention.output, OpKind.QLINEAR)
        norm2 = _reader(readers, middle.output, OpKind.QLAYERNORM)
        hidden = _reader(readers, norm2.output, OpKind.QLINEAR)
        after = _reader(readers, hidden.output, OpKind.QLINEAR)
        blocks.append(
            BlockValues(
                middle.inputs[-1], norm1, query, key, value, rotated, attention.output,
                middle.output, norm2.output, hidden.output, after.output,
            )
        )  # fmt: skip
    return tuple(blocks)


def _reader(readers: dict[str, tuple[Op, ...]], name: str, kind: OpKind) -> Op:
    return next(op for op in readers[name] if op.kind is kind)


def _names(block: BlockValues) -> tuple[str, ...]:
    single = (block.before, block.norm1, block.query, block.key, block.value, block.heads, block.middle)
    return (*single, *block.rotated, block.norm2, block.hidden, block.after)


def _factors(before: Ranges, after: Ranges) -> dict[str, Array]:
    """Return by what the columns of rescaled values have to be multiplied to be those of the model."""
    factors = {}
    for name, found in after.values.items():
        if found is not before.values[name]:
            rescaled = found.column_magnitude
            factors[name] = np.where(
                rescaled > 0.0, before.values[name].column_magnitude / np.maximum(rescaled, 1e-30), 1.0
            )
    return factors
