"""Command line of the TinyMyo example: `python -m examples.tinymyo VERB`."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from examples.tinymyo.checkpoint import load_checkpoint
from examples.tinymyo.commands import add_training_verbs
from examples.tinymyo.data.augment import Augment
from examples.tinymyo.data.datasets import DATASETS
from examples.tinymyo.data.filters import FilterName
from examples.tinymyo.data.normalise import Normalise
from examples.tinymyo.data.prepare import Options, prepare
from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.data.store import load_store
from examples.tinymyo.data.windows import Overlap
from examples.tinymyo.demo import run_demo
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import OPSETS, Exporter, calibration_windows, export
from examples.tinymyo.model import PATCH_SAMPLES, Head, Pooling, RopeScheme, TinyMyo, build
from examples.tinymyo.networks import NETWORKS, reference_network
from examples.tinymyo.recording import load_windows
from tmc.ir.errors import TmcError


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    top = argparse.ArgumentParser(prog="python -m examples.tinymyo", description="TinyMyo, PyTorch to tmc.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = verbs.add_parser("export", help="write ONNX and calibration windows")
    source = verb.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", metavar="NAME", help=f"reference network: {', '.join(NETWORKS)}")
    source.add_argument("--checkpoint", type=Path, metavar="FILE", help=".safetensors or Lightning .ckpt")
    verb.add_argument("--rope", choices=get_args(RopeScheme), help="position scheme (default: its own)")
    verb.add_argument("--channels", type=int, help="channels of a checkpoint whose head does not tell")
    verb.add_argument("--samples", type=int, help="per window of a checkpoint that does not tell (1000)")
    verb.add_argument("--target-samples", type=int, help="of regression (default: of the window)")
    verb.add_argument("--real-channels", type=int, help="export for these; the others are only padding")
    verb.add_argument("--head", choices=get_args(Head), help="of a reference network (classification)")
    verb.add_argument("--pooling", choices=get_args(Pooling), help="of its classifier (default concat)")
    verb.add_argument("--data", type=Path, metavar="STORE", help="whose training part calibrates")
    verb.add_argument("--exporter", choices=list(OPSETS), default="dynamo", help="default dynamo")
    verb.add_argument("--opset", type=int, help="ONNX opset (default 18; with torchscript 17)")
    verb.add_argument("--no-constant-folding", action="store_true", help="leave the graph as traced")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    verb.set_defaults(run=_export)
    verb = verbs.add_parser("prepare", help="convert a raw dataset into a store of windows")
    verb.add_argument("--dataset", choices=list(DATASETS), required=True)
    verb.add_argument("--raw", type=Path, required=True, metavar="DIR", help="where it was unpacked")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="STORE", help="folder to write to")
    verb.add_argument("--window", type=int, default=0, help="samples (default: of the dataset, 1000)")
    verb.add_argument("--stride", type=int, default=0, help="samples (default: of the dataset)")
    verb.add_argument("--rate", dest="rate_hz", type=float, default=0.0, metavar="HZ", help="of the rows")
    verb.add_argument("--filter", choices=get_args(FilterName), default="filtfilt")
    verb.add_argument("--normalise", choices=get_args(Normalise), default="train")
    verb.add_argument("--overlap", choices=get_args(Overlap), default="published", help="of the parts")
    verb.add_argument("--augment", choices=get_args(Augment), default="none", help="of the training part")
    verb.add_argument("--dtype", choices=["float16", "float32"], default="float32", help="of stored samples")
    verb.add_argument("--skip-missing", action="store_true", help="prepare the recordings that are there")
    verb.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    verb.set_defaults(run=_prepare)
    add_training_verbs(verbs)
    verb = verbs.add_parser("demo", help="train, export, compile, run the C on this machine and compare")
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    verb.add_argument("--network", metavar="NAME", default="tinyissimo-8x200", help="reference network")
    verb.add_argument("--windows", type=int, default=96, help="held-out windows to run (default 96)")
    verb.set_defaults(run=_demo)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except TinyMyoError as error:
        print(f"error: {error}\nnote: {error.note}", file=sys.stderr)
        return 1
    except TmcError as error:
        print("\n".join([f"error: {error}", *(f"note: {note}" for note in error.notes)]), file=sys.stderr)
        return 1
    return status


def _network(options: argparse.Namespace) -> TinyMyo:
    rope: RopeScheme | None = options.rope
    sizes, parts = (options.channels, options.samples), (options.head, options.pooling)
    if options.checkpoint is not None:
        if any(parts):
            raise TinyMyoError(
                "--head, --pooling: found with --checkpoint, allowed with --network",
                "a checkpoint has the head that it was trained with",
            )
        return load_checkpoint(options.checkpoint, rope, *sizes, options.target_samples)
    if any(sizes):
        raise TinyMyoError(
            "--channels, --samples: found with --network, allowed with --checkpoint",
            "a reference network has its sizes in its name",
        )
    network = reference_network(options.network)
    config = network.config
    head: Head = options.head or config.head
    classes = PATCH_SAMPLES if head == "reconstruction" else config.classes
    pooling: Pooling = options.pooling or config.pooling
    return build(
        dataclasses.replace(config, rope=rope or config.rope, head=head, classes=classes, pooling=pooling),
        network.seed,
    )


def _export(options: argparse.Namespace) -> int:
    model = _network(options)
    exporter: Exporter = options.exporter
    channels = options.real_channels or model.config.channels
    if options.data is None:
        windows = load_windows(channels, model.config.samples)
        windows = calibration_windows(ArrayWindows(windows.train), model.config.head, windows.source)
    else:
        train = load_store(options.data).train
        windows = calibration_windows(train, model.config.head, f"training part of {options.data.name}")
    done = export(model, windows, options.output, exporter, options.opset, not options.no_constant_folding)
    print(f"model: {done.model}, {windows.train.shape[1]} channels, head {model.config.head}")
    print(f"calibration: {done.calibration}, {windows.source}")
    difference = f"largest difference {done.max_difference:.3g}, range {done.output_range:.3g}"
    print(f"torch against onnxruntime: {difference}")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    asked = Options(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Options)})
    say = partial(print, flush=True)
    done = prepare(options.raw, options.output, asked, options.skip_missing, options.jobs, say)
    print(f"recordings: {done.recordings}, {done.missing} missing")
    print(f"windows: {', '.join(f'{part} {count}' for part, count in done.windows.items())}")
    if done.mixed:
        print(f"note: {done.mixed} windows reach into another part; --overlap purge leaves them out")
    rate_hz = options.rate_hz or DATASETS[options.dataset].rate_hz
    if done.rate_hz is not None and abs(done.rate_hz - rate_hz) > 0.1 * rate_hz:
        print(f"note: the time column says {done.rate_hz:.0f} Hz, filters assume {rate_hz:g}; see --rate")
    return 0


def _demo(options: argparse.Namespace) -> int:
    return 0 if run_demo(options.output, options.network, options.windows) else 1


if __name__ == "__main__":
    sys.exit(main())
