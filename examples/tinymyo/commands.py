"""The verbs of the training side: pretrain, finetune, evaluate."""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.distributed as dist

from examples.tinymyo.checkpoint import load_checkpoint, load_encoder, save_checkpoint
from examples.tinymyo.data.sets import Splits, concatenate
from examples.tinymyo.data.store import load_store
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.evaluate import Evaluation, evaluate
from examples.tinymyo.finetune import finetune
from examples.tinymyo.loop import process
from examples.tinymyo.model import CHANNEL_SLOTS, PATCH_SAMPLES, Config, Pooling, RopeScheme, TinyMyo, build
from examples.tinymyo.optimise import Precision, Settings
from examples.tinymyo.pretrain import PRETRAIN, pretrain
from examples.tinymyo.quantisation_aware import QUANTISATION_AWARE, finetune_integer

BEST, STATE, FIGURES, CONFUSION = "best.safetensors", "state.pt", "figures.json", "confusion.svg"
MEANINGS = {
    "epochs": "passes over the training windows",
    "batch": "windows of one step, over all processes and parts",
    "accumulate": "parts that a process cuts its share of a batch into",
    "rate": "learning rate after the warm-up",
    "start_rate": "learning rate of the first step",
    "floor_rate": "learning rate at the end of the cosine",
    "warmup_epochs": "epochs until the full rate",
    "weight_decay": "of AdamW",
    "betas": "of AdamW",
    "clip": "largest norm of the gradients, 0: any",
    "layer_decay": "part of the rate that each block further from the head keeps",
    "label_smoothing": "share of a label spread over all classes",
    "freeze": "train the head only",
    "patience": "epochs without a better validation loss before it stops, 0: never",
    "seed": "of weights, order, masks and dropout",
    "precision": "of matrix products; auto: bf16 where the processor has it",
    "workers": "processes that read windows, 0: none of their own",
    "save_seconds": "between two saved states inside an epoch",
}
"""What each setting is; a run resumes after a kill from its last saved state."""
ONLY_FINETUNE = ("label_smoothing", "freeze")
Verbs = Any


def add_training_verbs(verbs: Verbs) -> None:
    """Add the verbs to the subparsers of the command line."""
    verb = verbs.add_parser("pretrain", help="masked reconstruction on windows without labels")
    _add_network(verb)
    verb.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="STORE", help="written by `prepare`"
    )
    verb.add_argument(
        "--channels", type=int, default=CHANNEL_SLOTS, metavar="N", help="zero-padded to (default 16)"
    )
    _add_settings(verb, PRETRAIN)
    verb.set_defaults(run=lambda options: _with_processes(_pretrain, options))
    verb = verbs.add_parser("finetune", help="train a classifier or a regressor, by several seeds")
    _add_network(verb)
    verb.add_argument("--data", type=Path, required=True, metavar="STORE", help="written by `prepare`")
    start = verb.add_mutually_exclusive_group()
    start.add_argument("--encoder", type=Path, metavar="FILE", help="pre-trained weights (default: none)")
    start.add_argument(
        "--quantisation-aware",
        type=Path,
        metavar="FILE",
        help="train this fine-tuned checkpoint on, in the compiled arithmetic (default 2 epochs at 2e-5)",
    )
    verb.add_argument(
        "--pooling", choices=get_args(Pooling), default="concat", help="of a classifier (default concat)"
    )
    verb.add_argument("--channels", type=int, metavar="N", help="zero-padded to (default: of the data)")
    verb.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs, of seeds SEED, SEED + 1, ... (default 1)"
    )
    _add_settings(verb, Settings())
    verb.set_defaults(run=lambda options: _with_processes(_finetune, options))
    verb = verbs.add_parser("evaluate", help="score a checkpoint on a part of a dataset")
    verb.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="best.safetensors of a run"
    )
    verb.add_argument("--data", type=Path, required=True, metavar="STORE", help="written by `prepare`")
    verb.add_argument("--part", choices=("train", "val", "test"), default="test", help="default test")
    verb.add_argument("--rope", choices=get_args(RopeScheme), help="position scheme (default: its own)")
    verb.add_argument("--channels", type=int, metavar="N", help="of a checkpoint whose head does not tell")
    verb.add_argument("--precision", choices=get_args(Precision), default="auto", help=MEANINGS["precision"])
    verb.add_argument("--confusion", type=Path, metavar="FILE.svg", help="draw the confusion matrix")
    verb.set_defaults(run=lambda options: _with_processes(_evaluate, options))


def _add_network(verb: argparse.ArgumentParser) -> None:
    output = "folder to write to; a run that is there is resumed"
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=output)
    verb.add_argument(
        "--layers", type=int, default=8, metavar="N", help="8 TinyMyo (default), 4 TinyissimoMyo"
    )
    rope = "position scheme (default cyclic)"
    verb.add_argument("--rope", choices=get_args(RopeScheme), default="cyclic", help=rope)
    dropout = "rate of dropout and of stochastic depth (default 0.1)"
    verb.add_argument("--dropout", type=float, default=0.1, metavar="N", help=dropout)


def _add_settings(verb: argparse.ArgumentParser, defaults: Settings) -> None:
    for field in dataclasses.fields(Settings):
        if defaults is PRETRAIN and field.name in ONLY_FINETUNE:
            continue
        value, meaning = getattr(defaults, field.name), MEANINGS[field.name]
        option, text = f"--{field.name.replace('_', '-')}", f"{meaning} (default {value})"
        if field.name == "precision":
            verb.add_argument(option, choices=get_args(Precision), help=text)
        elif isinstance(value, bool):
            verb.add_argument(option, action="store_true", default=None, help=meaning)
        elif isinstance(value, tuple):
            verb.add_argument(option, type=float, nargs=2, metavar=("B1", "B2"), help=text)
        else:
            verb.add_argument(option, type=type(value), metavar="N", help=text)


def _settings(options: argparse.Namespace, defaults: Settings) -> Settings:
    asked = {field.name: getattr(options, field.name, None) for field in dataclasses.fields(Settings)}
    given = {name: value for name, value in asked.items() if value is not None}
    if "betas" in given:
        given["betas"] = tuple(given["betas"])
    return dataclasses.replace(defaults, **given)


def _with_processes(verb: Callable[[argparse.Namespace, torch.device], None], options: Any) -> int:
    """Run a verb, as one of several processes if torchrun started this one."""
    several = dist.is_torchelastic_launched()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        # torchrun says which process of this machine this one is in no other way.
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if several:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        verb(options, device)
    finally:
        if several:
            dist.destroy_process_group()
    return 0


def _log(line: str) -> None:
    print(line, flush=True)


def _write(output: Path, model: TinyMyo, classes: tuple[str, ...], figures: Any) -> None:
    save_checkpoint(output / BEST, model, classes)
    (output / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _pretrain(options: argparse.Namespace, device: torch.device) -> None:
    settings = _settings(options, PRETRAIN)
    stores = [load_store(path) for path in options.data]
    train_set = concatenate([store.train for store in stores], options.channels)
    val_set = concatenate([store.val for store in stores], options.channels)
    config = Config(
        options.channels,
        train_set.samples,
        options.layers,
        PATCH_SAMPLES,
        rope=options.rope,
        head="reconstruction",
        dropout=options.dropout,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    model = build(config, settings.seed).to(device)
    history = pretrain(model, train_set, val_set, settings, options.output / STATE, _log)
    if process()[0] == 0:
        _write(options.output, model, (), {"epochs": history})
        _log(f"weights: {options.output / BEST}")


def _finetune(options: argparse.Namespace, device: torch.device) -> None:
    settings = _settings(options, QUANTISATION_AWARE if options.quantisation_aware else Settings())
    if options.seeds < 1:
        raise TinyMyoError(f"--seeds: found {options.seeds}, allowed 1 or more", "run at least one")
    data = load_store(options.data, padded_channels=options.channels)
    results = []
    for seed in range(settings.seed, settings.seed + options.seeds):
        output = options.output / f"seed{seed}" if options.seeds > 1 else options.output
        run = dataclasses.replace(settings, seed=seed)
        results.append(_finetune_once(options, data, run, output, device).figures)
    if options.seeds > 1 and process()[0] == 0:
        for name in results[0]:
            values = np.array([figures[name] for figures in results])
            _log(f"test {name}: {values.mean():.4f} ± {values.std(ddof=1):.4f} over {len(values)} seeds")


def _finetune_once(
    options: argparse.Namespace, data: Splits, settings: Settings, output: Path, device: torch.device
) -> Evaluation:
    if not len(data.train):
        raise TinyMyoError(
            f"{options.data}: found no training windows, allowed 1 or more", "prepare it again"
        )
    window, label = data.train[0]
    classes = data.train.classes
    if label is None:
        raise TinyMyoError(f"{options.data}: found no labels, allowed classes or targets", "use pretrain")
    outputs = len(classes) if isinstance(label, int) else label.shape[-1]
    config = Config(
        len(window),
        data.train.samples,
        options.layers,
        outputs,
        rope=options.rope,
        pooling=options.pooling,
        head="classification" if classes else "regression",
        target_samples=data.train.samples,
        dropout=options.dropout,
    )
    output.mkdir(parents=True, exist_ok=True)
    if options.quantisation_aware is not None:
        model = load_checkpoint(options.quantisation_aware, samples=config.samples).to(device)
        model, history, found = finetune_integer(model, data, settings, output / STATE, _log)
    else:
        model = build(config, settings.seed)
        if options.encoder is not None:
            load_encoder(options.encoder, model)
        model = model.to(device)
        history = finetune(model, data.train, data.val, settings, output / STATE, _log)
        found = evaluate(model, data.test, settings)
    if process()[0] == 0:
        _write(output, model, classes, {"epochs": history, "test": found.figures})
        if classes:
            found.write_confusion(output / CONFUSION, classes)
        _report("test", found)
        _log(f"weights: {output / BEST}")
    return found


def _evaluate(options: argparse.Namespace, device: torch.device) -> None:
    data = load_store(options.data)
    model = load_checkpoint(options.checkpoint, options.rope, options.channels, data.test.samples)
    if model.config.channels > data.test.channels:
        data = load_store(options.data, padded_channels=model.config.channels)
    part = getattr(data, options.part)
    found = evaluate(model.to(device), part, Settings(precision=options.precision))
    if process()[0] == 0:
        _report(options.part, found)
        if options.confusion is not None and found.confusion is not None:
            found.write_confusion(options.confusion, part.classes)


def _report(part: str, found: Evaluation) -> None:
    _log(f"{part}: " + ", ".join(f"{name} {value:.4f}" for name, value in found.figures.items()))
