"""Quantisation-aware training sees the very numbers of the compiled network."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from examples.tinymyo import integer_twin
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import export_onnx
from examples.tinymyo.model import Config, RopeScheme, TinyMyo, build
from examples.tinymyo.quantisation_aware import integer_forward
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import dequantise, quantise_inputs


@pytest.fixture(autouse=True, scope="module")
def one_export_for_each_config() -> Iterator[None]:
    """Export each network once: a twin puts the parameters of its own model into the exported graph."""
    files: dict[Config, bytes] = {}

    def exported(model: TinyMyo, path: Path, fold: bool) -> None:
        if model.config not in files:
            export_onnx(model, path, fold=fold)
            files[model.config] = path.read_bytes()
        path.write_bytes(files[model.config])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer_twin, "export_onnx", exported)
        yield


def small_model(rope: RopeScheme = "cyclic", dropout: float = 0.0) -> TinyMyo:
    return build(Config(channels=2, samples=80, layers=2, classes=4, rope=rope, dropout=dropout), seed=1)


def noise(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((6, 2, 80)).astype(np.float32)


def interpreted(graph: Graph, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    name, result = graph.inputs[0], graph.outputs[0]
    codes = [interpret(graph, quantise_inputs(graph, {name: window[None]}))[result] for window in windows]
    return np.concatenate([dequantise(graph.types[result], each) for each in codes])


@pytest.mark.parametrize("rope", get_args(RopeScheme))
def test_the_model_computes_the_integer_network(rope: RopeScheme) -> None:
    model, windows = small_model(rope), noise(2)
    with torch.no_grad():
        plain = model(torch.from_numpy(windows)).numpy()
        with integer_forward(model, noise(3)) as twin:
            found = model(torch.from_numpy(windows)).numpy()
        after = model(torch.from_numpy(windows)).numpy()
    expected = interpreted(twin.graph, windows)
    # The model holds codes times scales in float32.
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=3e-7 * np.abs(expected).max())
    assert 0.0 < np.abs(found - plain).max() < 0.2 * np.abs(plain).max()
    np.testing.assert_array_equal(after, plain)


def test_every_block_stores_what_the_integer_network_stores() -> None:
    model, windows = small_model(), noise(2)
    seen: dict[str, torch.Tensor] = {}
    with integer_forward(model, noise(3)) as twin:
        for number, block in enumerate(model.blocks):
            block.register_forward_hook(lambda *call, n=number: seen.update({f"{n}": call[-1]}))
        model(torch.from_numpy(windows))
        values = twin.run(windows)
    for number, names in enumerate(twin.blocks):
        found = seen[str(number)].detach().numpy()
        np.testing.assert_allclose(found, values[names.after], rtol=1e-5, atol=1e-6)


def test_gradients_point_where_those_of_the_float_network_do() -> None:
    model, windows = small_model(), torch.from_numpy(noise(2))

    def gradients() -> torch.Tensor:
        model.zero_grad()
        model(windows).square().sum().backward()
        return torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])

    plain = gradients()
    with integer_forward(model, noise(3)):
        found = gradients()
    assert found.shape == plain.shape
    assert torch.nn.functional.cosine_similarity(found, plain, dim=0) > 0.99


def test_changed_parameters_give_another_integer_network() -> None:
    model, windows = small_model(), noise(2)
    with integer_forward(model, noise(3)) as twin, torch.no_grad():
        model(torch.from_numpy(windows))
        updates = twin.updates
        model(torch.from_numpy(windows))
        assert twin.updates == updates
        model.model_head.classifier.weight.mul_(2.0)
        found = model(torch.from_numpy(windows)).numpy()
        assert twin.updates == updates + 1
    np.testing.assert_allclose(found, interpreted(twin.graph, windows), rtol=3e-7, atol=1e-6)


def test_steps_of_a_fused_optimiser_give_another_integer_network() -> None:
    model, windows = small_model(), noise(2)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    with integer_forward(model, noise(3)) as twin:
        model(torch.from_numpy(windows)).square().sum().backward()
        optimiser.step()
        with torch.no_grad():
            found = model(torch.from_numpy(windows)).numpy()
        assert twin.updates == 2
    np.testing.assert_allclose(found, interpreted(twin.graph, windows), rtol=3e-7, atol=1e-6)


def test_migrated_channels_come_back_at_the_scale_of_the_model() -> None:
    model, windows = small_model(), noise(2)
    block = model.blocks[0]
    with torch.no_grad():
        block.norm1.weight[:3] *= 30.0
        block.attn.qkv.weight[:, :3] /= 30.0
        with integer_forward(model, noise(3)) as twin:
            found = model(torch.from_numpy(windows)).numpy()
    assert twin.factors
    np.testing.assert_allclose(found, interpreted(twin.graph, windows), rtol=3e-7, atol=1e-6)


def test_dropout_is_refused() -> None:
    with pytest.raises(TinyMyoError, match=r"dropout: found 0\.1, allowed 0"):
        with integer_forward(small_model(dropout=0.1), noise(3)):
            pass


def test_padded_channels_are_refused() -> None:
    model = small_model()
    with integer_forward(model, noise(3)), pytest.raises(TinyMyoError, match="padded channels"):
        model(torch.from_numpy(noise(2)), padded=torch.tensor([[False, True]] * 6))
