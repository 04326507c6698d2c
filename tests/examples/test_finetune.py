"""Fine-tuning: it learns, keeps the best weights, stops early, freezes, and scores by the right figures."""

from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.evaluate import evaluate
from examples.tinymyo.finetune import finetune
from examples.tinymyo.model import Config, build
from examples.tinymyo.optimise import Settings
from examples.tinymyo.synthetic import synthetic_windows

CLASSES = ("rest", "fist", "open", "pinch")


def labelled(count: int, channels: int = 4, samples: int = 100, seed: int = 0) -> ArrayWindows:
    windows, labels = synthetic_windows(count, channels, samples, len(CLASSES), seed)
    return ArrayWindows(windows, labels, CLASSES)


def silent(line: str) -> None:
    pass


def test_overfits_32_windows() -> None:
    windows = labelled(32)
    model = build(Config(4, 100, 2, len(CLASSES), dropout=0.0), seed=1)
    settings = Settings(epochs=40, warmup_epochs=2, patience=0, layer_decay=1.0, clip=3.0)
    history = finetune(model, windows, windows, settings, log=silent)
    assert len(history) == 40
    assert evaluate(model, windows, settings).figures["accuracy"] == 1.0
