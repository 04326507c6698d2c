"""Fine-tune a network on labelled windows: classification or regression."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from examples.tinymyo.data.sets import WindowSet
from examples.tinymyo.evaluate import Labelled, evaluate, losses, predict
from examples.tinymyo.loop import Batch, train
from examples.tinymyo.model import TinyMyo
from examples.tinymyo.optimise import Settings


def finetune(
    model: TinyMyo,
    train_set: WindowSet,
    val_set: WindowSet,
    settings: Settings,
    state_file: Path | None = None,
    log: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Train `model` in place on labelled windows; it ends with the weights of the lowest validation loss.

    Returns the figures of every epoch: train_loss, loss, and accuracy and macro_f1, or mae, rmse and r2.

    Raises:
        TinyMyoError: see `train` and `evaluate`.
    """

    def batch_losses(network: TinyMyo, batch: Batch) -> Tensor:
        return losses(network, predict(network, batch), batch[1], settings.label_smoothing)

    def validate() -> dict[str, float]:
        return evaluate(model, val_set, settings).figures

    return train(model, Labelled(train_set, model.config), batch_losses, validate, settings, state_file, log)
