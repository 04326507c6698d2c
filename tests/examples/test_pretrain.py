"""Pre-training: the masks and the loss, and that neither a kill nor several processes change the result."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.tinymyo.data.sets import ArrayWindows, concatenate
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.masking import patch_mask, reconstruction_losses
from examples.tinymyo.model import Config, TinyMyo, build
from examples.tinymyo.optimise import Settings
from examples.tinymyo.pretrain import PRETRAIN, MaskedWindows, pretrain
from examples.tinymyo.synthetic import synthetic_windows

CONFIG = Config(3, 60, 1, 20, head="reconstruction")
# 19 windows in steps of 6: the last step has one window, so that a second process has none.
SETTINGS = Settings(
    epochs=2, batch=6, accumulate=2, warmup_epochs=1, clip=3.0, layer_decay=1.0, patience=0, save_seconds=0.0
)
RUN = """
import sys, time
from pathlib import Path
import torch
import torch.distributed as dist
from examples.tinymyo.data.sets import ArrayWindows
from tests.examples.test_pretrain import CONFIG, SETTINGS, run_in

class Stuck(ArrayWindows):
    reads = 0

    def __getitem__(self, index):
        Stuck.reads += 1
        if Stuck.reads > 19 + 6 + 2:
            time.sleep(600)
        return ArrayWindows.__getitem__(self, index)

if dist.is_torchelastic_launched():
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    model, history = run_in(None, 0.0, ArrayWindows)
    if dist.get_rank() == 0:
        torch.save({"model": model.state_dict(), "loss": [one["loss"] for one in history]}, sys.argv[1])
    dist.destroy_process_group()
else:
    torch.set_num_threads(1)
    run_in(Path(sys.argv[1]), 0.1, Stuck)
"""


def unlabelled(count: int = 19, kind: type[ArrayWindows] = ArrayWindows) -> ArrayWindows:
    return kind(synthetic_windows(count, 3, 60, 4, seed=3)[0])


def silent(line: str) -> None:
    pass


def run_in(
    state_file: Path | None, dropout: float, kind: type[ArrayWindows] = ArrayWindows
) -> tuple[TinyMyo, list[dict[str, float]]]:
    model = build(dataclasses.replace(CONFIG, dropout=dropout), seed=1)
    precision = "float32" if dropout == 0.0 else "auto"
    settings = dataclasses.replace(SETTINGS, precision=precision)
    history = pretrain(model, unlabelled(kind=kind), unlabelled(7), settings, state_file, silent)
    return model, history


def environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}


def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    child = subprocess.Popen([sys.executable, "-c", RUN, str(state)], env=environment())
    deadline, seen = time.monotonic() + 120.0, (0, 0)
    while seen < (1, 1) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
        if state.exists():
            progress = torch.load(state)["progress"]
            seen = progress["epoch"], progress["step"]
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "killed while it ran"
    assert seen == (1, 1), "in the middle of an epoch, in the step after the saved one"
    resumed, figures = run_in(state, 0.1)
    whole, expected = run_in(None, 0.1)
    assert figures == expected and len(figures) == 2
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    again, figures = run_in(state, 0.1)
    assert figures == expected and torch.equal(again.norm.weight, whole.norm.weight)


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    script, out = tmp_path / "run.py", tmp_path / "out.pt"
    script.write_text(RUN)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launch, str(script), str(out)], env=environment(), check=True, timeout=240)
    found = torch.load(out)
    model, history = run_in(None, 0.0)
    np.testing.assert_allclose(found["loss"], [one["loss"] for one in history], rtol=1e-5)
    windows = torch.from_numpy(unlabelled().windows)
    other = build(model.config, seed=0)
    with torch.no_grad():
        start = build(model.config, seed=1)(windows)
        expected = model(windows)
        other.load_state_dict(found["model"])
        difference = (other(windows) - expected).abs().max()
    assert difference < 1e-4 < 1e-2 < (expected - start).abs().max()


def test_state_of_another_run_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    run_in(state, 0.0)
    settings = dataclasses.replace(SETTINGS, precision="float32", rate=1e-3)
    model = build(dataclasses.replace(CONFIG, dropout=0.0), seed=1)
    with pytest.raises(TinyMyoError, match=r"found a run with rate 0.0005, allowed 0.001 as asked for now"):
        pretrain(model, unlabelled(), unlabelled(7), settings, state, silent)
    state.write_bytes(b"half a fi")
    with pytest.raises(TinyMyoError, match=r"state.pt: found .*, allowed the state of a run"):
        pretrain(model, unlabelled(), unlabelled(7), settings, state, silent)


def test_half_of_the_real_patches_are_hidden() -> None:
    masks = np.stack([patch_mask(3, 4, 10, (0, index)) for index in range(400)])
    assert (masks.sum(axis=1) == 15).all() and not masks[:, 30:].any()
    np.testing.assert_allclose(masks[:, :30].mean(axis=0), 0.5, atol=0.12)
    # Independent over channels: not the same instants everywhere, and not the same count in every channel.
    per_channel = masks[:, :30].reshape(-1, 3, 10).sum(axis=2)
    assert len(np.unique(per_channel)) > 3
    assert np.array_equal(patch_mask(3, 4, 10, (0, 7)), masks[7])
    assert patch_mask(1, 1, 5, (0,)).sum() == 2


def test_loss_by_hand() -> None:
    windows, found = torch.zeros(1, 3, 40), torch.zeros(1, 3, 40)
    found[0, 0, :20] = 3.0  # hidden: smooth L1 is 2.5
    found[0, 1, 20:] = 0.5  # visible: 0.125
    found[0, 2] = 99.0  # padding
    masked = torch.tensor([[True, False, True, False, False, False]])
    padded = torch.tensor([[False, False, True]])
    loss = reconstruction_losses(found, windows, masked, padded)
    assert loss.item() == pytest.approx(2.5 / 2 + 0.1 * 0.125 / 2)
    loss = reconstruction_losses(found[:, :2], windows[:, :2], masked[:, :4], None)
    assert loss.item() == pytest.approx(2.5 / 2 + 0.1 * 0.125 / 2)


def test_windows_are_scaled_padded_and_masked_anew_in_each_epoch() -> None:
    narrow = ArrayWindows(np.linspace(0, 5, 2 * 2 * 60, dtype=np.float32).reshape(2, 2, 60))
    both = concatenate([unlabelled(4), narrow], 4)
    examples = MaskedWindows(both, dataclasses.replace(CONFIG, channels=4), seed=5)
    window, mask, real = examples[0, 4]
    assert real == 2 and window.shape == (4, 60) and not window[2:].any()
    np.testing.assert_allclose(window[:2, [0, -1]], [[-1, 1], [-1, 1]], atol=1e-6)
    assert mask.sum() == 3 and not mask[6:].any()
    assert np.array_equal(examples[0, 4][1], mask)
    assert any(not np.array_equal(examples[epoch, 4][1], mask) for epoch in range(1, 4))
    assert examples[0, 0][2] == 3 and examples[0, 0][1].sum() == 4


def test_padding_changes_nothing() -> None:
    config = dataclasses.replace(CONFIG, channels=4)
    model = build(config, seed=2)
    windows = torch.randn(2, 4, 60, generator=torch.Generator().manual_seed(0))
    noise = windows.clone()
    noise[:, 3] = 77.0
    padded = torch.tensor([[False, False, False, True]] * 2)
    with torch.no_grad():
        one, other = (model(each, None, padded)[:, :3] for each in (windows, noise))
        small = build(CONFIG, seed=0)
        small.load_state_dict(model.state_dict())
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
        torch.testing.assert_close(one, small(windows[:, :3]), rtol=0, atol=1e-5)


def test_it_learns_to_fill_in() -> None:
    time_s = np.arange(100) / 100
    phase = np.random.default_rng(0).uniform(0, 6, (48, 2, 1))
    sines = ArrayWindows(np.sin(2 * np.pi * 2 * time_s + phase).astype(np.float32))
    model = build(Config(2, 100, 2, 20, head="reconstruction", dropout=0.0), seed=1)
    settings = dataclasses.replace(PRETRAIN, epochs=30, warmup_epochs=3, batch=16, rate=2e-3)
    history = pretrain(model, sines, sines, settings, log=silent)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


def test_refusals() -> None:
    model = build(CONFIG, seed=1)
    empty = unlabelled(0)
    with pytest.raises(TinyMyoError, match=r"^validation windows: found 0, allowed 1 or more"):
        pretrain(model, unlabelled(), empty, SETTINGS, log=silent)
    with pytest.raises(TinyMyoError, match=r"^training windows: found 0, allowed 1 or more"):
        pretrain(model, empty, unlabelled(), SETTINGS, log=silent)
    with pytest.raises(TinyMyoError, match=r"^head: found classification, allowed reconstruction"):
        pretrain(build(Config(3, 60, 1, 4), 1), unlabelled(), unlabelled(), SETTINGS, log=silent)
    with pytest.raises(TinyMyoError, match=r"^windows: found 3 channels x 60 samples, allowed 2 \(or fewer"):
        pretrain(build(dataclasses.replace(CONFIG, channels=2), 1), unlabelled(), unlabelled(), SETTINGS)
    broken = unlabelled()
    broken.windows[4, 0, 3] = np.nan
    with pytest.raises(TinyMyoError, match=r"^window 4: found values that are not finite"):
        pretrain(model, broken, unlabelled(), SETTINGS, log=silent)
