"""The training loop: one or many processes, gradient accumulation, bf16, and resume with nothing lost.

Everything random is a function of the seed, the epoch and the step: the order of the windows, the masks, the
dropout. So a checkpoint holds tensors and a position, and a run that was killed ends with the very weights of
one that was not. Gradients are summed over the processes in one buffer, each window weighted the same however
the windows fall on processes and parts; the network is small enough for one exchange per step.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import TinyMyo
from examples.tinymyo.optimise import Settings, optimiser_of, rate_factor, set_rate, uses_bf16

LOG_SECONDS = 10.0

Key = tuple[int, int]
Batch = Sequence[Tensor]


class Examples(Protocol):
    """Give training examples by (epoch, index): a tuple of arrays, the window first."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: Key) -> tuple[Any, ...]: ...


Losses = Callable[[TinyMyo, Batch], Tensor]
"""Return one loss per window of a batch."""

Validate = Callable[[], dict[str, float]]
"""Return figures of the model as it is now; `loss` decides which weights are kept."""


@dataclass(slots=True)
class Progress:
    """Hold where a run is and what it has found; saved and resumed as a whole."""

    epoch: int
    step: int
    loss_sum: float
    history: list[dict[str, float]]
    best: dict[str, Tensor]


def process() -> tuple[int, int]:
    """Return the rank of this process and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def device_of(model: TinyMyo) -> torch.device:
    """Return the device of a model."""
    return model.mask_token.device


def autocast(model: TinyMyo, settings: Settings) -> torch.autocast:
    """Return the context in which matrix products take the precision of the settings."""
    device = device_of(model)
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(settings.precision, device))


def steps_of(order: Sequence[int], epoch: int, settings: Settings) -> list[list[list[Key]]]:
    """Return for every step of an epoch the parts of this process: lists of (epoch, index), maybe none."""
    rank, processes = process()
    steps = []
    for start in range(0, len(order), settings.batch):
        mine = [(epoch, index) for index in order[start : start + settings.batch][rank::processes]]
        size = max(1, -(-len(mine) // settings.accumulate))
        steps.append([mine[first : first + size] for first in range(0, len(mine), size)])
    return steps


def share(count: int, settings: Settings) -> list[list[Key]]:
    """Return the batches of this process when all processes go through `count` windows in order."""
    rank, processes = process()
    keys = [(0, index) for index in range(rank, count, processes)]
    size = max(1, settings.batch // settings.accumulate // processes)
    return [keys[first : first + size] for first in range(0, len(keys), size)]


def load_batches(examples: Examples, parts: list[list[Key]], settings: Settings) -> Iterator[Batch]:
    """Read the batches named by `parts`, in worker processes if the settings ask for them.

    Raises:
        TinyMyoError: what reading an example raises, in this process and as it was raised.
    """
    loader = DataLoader(
        _Caught(examples),
        batch_sampler=parts,
        num_workers=settings.workers,
        pin_memory=torch.cuda.is_available(),
        collate_fn=_collate,
        # A loader draws a number as it starts; of the common generator that would change the dropout.
        generator=torch.Generator(),
    )
    for batch in loader:
        if isinstance(batch, TinyMyoError):
            raise batch
        yield batch


@dataclass(frozen=True, slots=True)
class _Caught(Dataset[Any]):
    """Give errors as if they were examples: those that a worker raises arrive as a text and a trace."""

    examples: Examples

    def __getitem__(self, key: Key) -> Any:
        try:
            return self.examples[key]
        except TinyMyoError as error:
            return error


def _collate(batch: list[Any]) -> Any:
    errors = (one for one in batch if isinstance(one, TinyMyoError))
    return next(errors, None) or default_collate(batch)


def train(
    model: TinyMyo,
    examples: Examples,
    losses: Losses,
    validate: Validate,
    settings: Settings,
    state_file: Path | None = None,
    log: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Train in place, end with the weights of the best epoch, and return the figures of every epoch.

    With `state_file` the run saves its state there and resumes from it.

    Raises:
        TinyMyoError: no windows, a loss that is not finite, or a state file of another run.
    """
    if not len(examples):
        raise TinyMyoError("training windows: found 0, allowed 1 or more", "check the data and its splits")
    rank, processes = process()
    log = log if rank == 0 else _silent
    steps_per_epoch = -(-len(examples) // settings.batch)
    total, warmup = (steps_per_epoch * epochs for epochs in (settings.epochs, settings.warmup_epochs))
    optimiser = optimiser_of(model, settings)
    progress = Progress(0, 0, 0.0, [], {})
    run = {"settings": _identity(settings), "windows": len(examples), "config": asdict(model.config)}
    if state_file is not None and state_file.exists():
        progress = _resume(state_file, run, model, optimiser)
        log(f"resumed at epoch {progress.epoch + 1}, step {progress.step} of {steps_per_epoch}")
    clock = _Clock(progress.epoch * steps_per_epoch + progress.step, total, log)
    while progress.epoch < settings.epochs and not _out_of_patience(progress.history, settings.patience):
        epoch = progress.epoch
        generator = torch.Generator().manual_seed(_seed(settings.seed, epoch))
        order = torch.randperm(len(examples), generator=generator).tolist()
        steps = steps_of(order, epoch, settings)[progress.step :]
        batches = load_batches(examples, [part for parts in steps for part in parts], settings)
        model.train()
        loss_sum = torch.tensor(progress.loss_sum, dtype=torch.float64)
        for parts in steps:
            done = epoch * steps_per_epoch + progress.step
            windows = min(settings.batch, len(examples) - progress.step * settings.batch)
            torch.manual_seed(_seed(settings.seed, epoch, progress.step, rank))
            set_rate(optimiser, settings.rate * rate_factor(done, warmup, total, settings))
            optimiser.zero_grad()
            step_loss = torch.zeros((), dtype=torch.float64)
            for _ in parts:
                batch = [value.to(device_of(model), non_blocking=True) for value in next(batches)]
                with autocast(model, settings):
                    loss = losses(model, batch).sum()
                torch.autograd.backward(loss / windows)
                step_loss += loss.detach().double().cpu()
            step_loss = _exchange(model, step_loss, processes)
            if not math.isfinite(step_loss):
                raise TinyMyoError(
                    f"epoch {epoch + 1}, step {progress.step + 1}: found loss {step_loss:.3g}, "
                    "allowed a finite one",
                    "look for values that are not finite in the data; else lower the rate or set clip",
                )
            if settings.clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            loss_sum += step_loss
            progress.step += 1
            progress.loss_sum = loss_sum.item()
            clock.step(progress, steps_per_epoch, windows, step_loss.item() / windows)
            if rank == 0 and state_file is not None and clock.save_due(settings.save_seconds):
                _save(state_file, run, model, optimiser, progress)
        model.eval()
        figures = {"train_loss": progress.loss_sum / len(examples), **validate()}
        if not progress.history or figures["loss"] < min(one["loss"] for one in progress.history):
            progress.best = {name: value.clone() for name, value in model.state_dict().items()}
        progress.history.append(figures)
        progress.epoch, progress.step, progress.loss_sum = epoch + 1, 0, 0.0
        if rank == 0 and state_file is not None:
            _save(state_file, run, model, optimiser, progress)
        log(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    model.load_state_dict(progress.best)
    model.eval()
    return progress.history


def _silent(line: str) -> None:
    pass


def _seed(*numbers: int) -> int:
    # Not Python's hash, which is for tables; neighbouring positions must give unrelated streams.
    seed = 0
    for number in numbers:
        seed = (seed ^ number) * 6364136223846793005 + 1442695040888963407 & (1 << 63) - 1
    return seed


def _exchange(model: TinyMyo, loss: Tensor, processes: int) -> Tensor:
    """Sum the gradients and the loss over all processes; one without windows adds zeros."""
    if processes == 1:
        return loss
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(each) if each.grad is None else each.grad).flatten() for each in trained]
    )
    dist.all_reduce(flat)
    sizes = [each.numel() for each in trained]
    for parameter, gradient in zip(trained, torch.split(flat, sizes), strict=True):
        parameter.grad = gradient.view_as(parameter)
    loss = loss.to(flat.device)
    dist.all_reduce(loss)
    return loss.cpu()


def _out_of_patience(history: list[dict[str, float]], patience: int) -> bool:
    values = [figures["loss"] for figures in history]
    return bool(patience and values) and len(values) - 1 - values.index(min(values)) >= patience


def _identity(settings: Settings) -> dict[str, Any]:
    # What may change between a kill and the resume without changing the result.
    free = ("workers", "save_seconds", "accumulate")
    return {name: value for name, value in asdict(settings).items() if name not in free}


def _save(
    path: Path, run: dict[str, Any], model: TinyMyo, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the state beside its place and move it there, so that a kill leaves the old or the new one."""
    draft = path.with_name(f"{path.name}.draft")
    content = {
        "run": run,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "progress": asdict(progress),
    }
    with draft.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _resume(path: Path, run: dict[str, Any], model: TinyMyo, optimiser: torch.optim.Optimizer) -> Progress:
    try:
        content = torch.load(path, map_location=device_of(model), weights_only=True)
        found = {**content["run"]["settings"], **content["run"]}
    except Exception as error:  # Damaged files make unpicklers fail in every way there is.
        raise TinyMyoError(
            f"{path}: found {error!r:.80}, allowed the state of a run", "remove it to start again"
        ) from error
    expected = {**run["settings"], **run}
    other = [name for name in expected if name != "settings" and found.get(name) != expected[name]]
    if other:
        name = other[0]
        raise TinyMyoError(
            f"{path}: found a run with {name} {found.get(name)}, allowed {expected[name]} as asked for now",
            "resume with the settings of before, or choose another folder",
        )
    model.load_state_dict(content["model"])
    optimiser.load_state_dict(content["optimiser"])
    return Progress(**content["progress"])


class _Clock:
    """Print a progress line every few seconds, and say when a checkpoint is due."""

    def __init__(self, done: int, total: int, log: Callable[[str], None]) -> None:
        self.begin = self.logged = self.saved = time.monotonic()
        self.first, self.done, self.total, self.windows, self.log = done, done, total, 0, log

    def step(self, progress: Progress, steps_per_epoch: int, windows: int, loss: float) -> None:
        self.done += 1
        self.windows += windows
        now = time.monotonic()
        if now - self.logged >= LOG_SECONDS:
            self.logged = now
            spent = now - self.begin
            left = round(spent / (self.done - self.first) * (self.total - self.done))
            time_left = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
            self.log(
                f"epoch {progress.epoch + 1}, step {progress.step} of {steps_per_epoch}: loss {loss:.4f}, "
                f"{self.windows / spent:.1f} windows/s, {time_left} left"
            )

    def save_due(self, seconds: float) -> bool:
        due = time.monotonic() - self.saved >= seconds
        if due:
            self.saved = time.monotonic()
        return due
