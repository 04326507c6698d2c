"""Train through the arithmetic of the compiled network.

Inside `integer_forward` a model computes, at every point where the compiled network stores a value, exactly
what that network stores, and gradients pass as if it were the float value (straight-through: Bengio et al.,
"Estimating or Propagating Gradients Through Stochastic Neurons", 2013). There is no second rendering of the
arithmetic here: the values come from the compiler's interpreter.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from examples.tinymyo.data.sets import Splits
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.evaluate import Evaluation, evaluate
from examples.tinymyo.export import INPUT, calibration_windows, without_padding
from examples.tinymyo.finetune import finetune
from examples.tinymyo.integer_twin import IntegerTwin, Values
from examples.tinymyo.model import Block, TinyMyo
from examples.tinymyo.optimise import Settings
from tmc.passes.calibrate.calibration import Calibration

QUANTISATION_AWARE = Settings(
    epochs=2,
    rate=2e-5,
    floor_rate=1e-6,
    warmup_epochs=0,
    layer_decay=1.0,
    label_smoothing=0.0,
    patience=0,
)
"""Settings of a last, short training with small steps."""


@contextmanager
def integer_forward(
    model: TinyMyo, calibration: NDArray[np.float32], calibrate_every: int = 50
) -> Iterator[IntegerTwin]:
    """Let `model` compute what it would compile to, in training and in evaluation.

    `calibration`: windows (count, channels, samples) from the training part. Whenever the parameters have
    changed, the integer network is made anew.

    Raises:
        TinyMyoError: a model with dropout, which no compiled network has; or, later, padded channels.
    """
    if model.config.dropout:
        raise TinyMyoError(
            f"dropout: found {model.config.dropout}, allowed 0 in quantisation-aware training",
            "build the network with dropout 0",
        )
    forward = _Forward(model, IntegerTwin(model, calibration, calibrate_every))
    handles = forward.attach()
    try:
        yield forward.twin
    finally:
        for handle in handles:
            handle.remove()


def finetune_integer(
    trained: TinyMyo,
    data: Splits,
    settings: Settings = QUANTISATION_AWARE,
    state_file: Path | None = None,
    log: Callable[[str], None] = print,
) -> tuple[TinyMyo, list[dict[str, float]], Evaluation]:
    """Train a trained network on as the integer network that `tmc compile` makes of it.

    Returns the network, for the channels that the data has; the figures of every epoch; and the integer
    network's on the test part. It is calibrated on what `export` chooses of the training part, without what
    `tmc compile` holds back. Weights that are no better on the validation part are dropped.

    Raises:
        TinyMyoError: see `without_padding`, `calibration_windows`, `finetune` and `evaluate`.
        TmcError: the network has left what integers can hold.
    """
    model = TinyMyo(replace(trained.config, dropout=0.0)).to(trained.mask_token.device)
    model.load_state_dict(trained.state_dict())
    model = without_padding(model.eval(), data.train.channels)
    windows = calibration_windows(data.train, model.config.head, "training part").train
    calibration = Calibration({INPUT: windows}, "training part", meaningful=True).used[INPUT]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    log(f"float before: {_text(evaluate(model, data.test, settings))}")
    with integer_forward(model, calibration):
        loss = evaluate(model, data.val, settings).figures["loss"]
        log(f"integer before: {_text(evaluate(model, data.test, settings))}")
        history = finetune(model, data.train, data.val, settings, state_file, log)
    if not min(figures["loss"] for figures in history) < loss:
        log(f"no epoch is below the validation loss of before, {loss:.4f}: its weights stay")
        model.load_state_dict(before)
    # Ranges are observed anew for the weights that stay, as a compile does.
    with integer_forward(model, calibration):
        after = evaluate(model, data.test, settings)
    log(f"integer after: {_text(after)}")
    return model, history, after


def _text(found: Evaluation) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in found.figures.items())


class _Forward:
    """The hooks that replace values, and the integer values of the batch that the model is looking at."""

    def __init__(self, model: TinyMyo, twin: IntegerTwin) -> None:
        self.model, self.twin = model, twin
        self.parameters = [each.detach().clone() for each in model.parameters()]
        self.values: Values = {}
        self.rotations = 0

    def attach(self) -> list[Any]:
        """Register all hooks and return their handles."""
        model = self.model
        handles = [model.register_forward_pre_hook(self._begin, with_kwargs=True)]
        for number, block in enumerate(model.blocks):
            assert isinstance(block, Block)
            handles += [
                block.norm1.register_forward_hook(self._result(number, "norm1")),
                block.attn.qkv.register_forward_hook(self._qkv(number)),
                block.attn.proj.register_forward_pre_hook(self._operand(number, "heads")),
                block.attn.proj.register_forward_hook(self._result(number, "middle", "before")),
                block.norm2.register_forward_hook(self._result(number, "norm2")),
                block.mlp.fc2.register_forward_pre_hook(self._operand(number, "hidden")),
                block.mlp.fc2.register_forward_hook(self._result(number, "after", "middle")),
            ]
        first = model.blocks[0]
        assert isinstance(first, Block)
        handles += [
            first.register_forward_pre_hook(self._operand(0, "before")),
            # One module rotates Q, then K, of every block in turn.
            first.attn.rope.register_forward_hook(self._rotated),
            model.norm.register_forward_hook(lambda *call: replaced(call[-1], self.values["norm"])),
            model.model_head.register_forward_hook(
                lambda *call: replaced(call[-1], self.values["output"].reshape(call[-1].shape))
            ),
        ]
        return handles

    def _begin(self, model: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        if named.get("padded") is not None or named.get("masked") is not None:
            raise TinyMyoError(
                "windows: found padded channels or masked patches, allowed whole windows of real channels",
                "build the network for the channels that the recording has",
            )
        # Not by PyTorch's version counters: fused optimisers leave them as they are.
        if not all(map(torch.equal, self.parameters, self.model.parameters())):
            self.twin.update(self.model)
            self.parameters = [each.detach().clone() for each in self.model.parameters()]
        self.values = self.twin.run(inputs[0].detach().float().cpu().numpy())
        self.rotations = 0

    def _value(self, number: int, name: str) -> NDArray[np.float32]:
        return self.values[getattr(self.twin.blocks[number], name)]

    def _result(self, number: int, name: str, less: str | None = None) -> Any:
        """Return a hook that replaces a module's result; `less` is what the network adds it to."""

        def hook(module: nn.Module, inputs: Any, result: Tensor) -> Tensor:
            value = self._value(number, name)
            return replaced(result, value if less is None else value - self._value(number, less))

        return hook

    def _operand(self, number: int, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (replaced(inputs[0], self._value(number, name)), *inputs[1:])

        return hook

    def _qkv(self, number: int) -> Any:
        def hook(module: nn.Module, inputs: Any, result: Tensor) -> Tensor:
            parts = [self._value(number, name) for name in ("query", "key", "value")]
            return replaced(result, np.concatenate(parts, axis=-1))

        return hook

    def _rotated(self, module: nn.Module, inputs: Any, result: Tensor) -> Tensor:
        number, operand = divmod(self.rotations, 2)
        self.rotations += 1
        names = self.twin.blocks[number].rotated
        return replaced(result, self.values[names[operand]]) if names else result


def replaced(result: Tensor, value: NDArray[np.float32]) -> Tensor:
    """Return `value` with the gradient of `result`."""
    result = result.float()
    return result + (torch.from_numpy(value).to(result.device) - result).detach()
