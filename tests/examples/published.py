"""The published network once more, from its equations, in plain PyTorch: shares nothing with the example.

State dicts are made here from a literal list of the published names and shapes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
BLOCK_SHAPES = {
    "norm1": (192,),
    "attn.qkv": (576, 192),
    "attn.proj": (192, 192),
    "norm2": (192,),
    "mlp.fc1": (768, 192),
    "mlp.fc2": (192, 768),
}


def head_shapes(head: str, width: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the weights of a head; each has a bias as long as its first axis."""
    return {
        "classifier": {"classifier": (outputs, width)},
        "decoder_pred": {"decoder_pred": (20, 192)},
        "regressor": {
            "regressor.0": (256, width, 1),
            "regressor.3": (256, 1, 3),
            "regressor.5": (outputs, 256, 1),
        },
    }[head]


def random_state(rope: str, layers: int, heads: dict[str, tuple[int, ...]], seed: int) -> State:
    """Return a state dict in the published naming, in which no bias is zero and no gain is one."""
    shapes: dict[str, tuple[int, ...]] = {"patch_embedding.patch_embed.proj": (192, 1, 1, 20), "norm": (192,)}
    for index in range(layers):
        shapes |= {f"blocks.{index}.{name}": shape for name, shape in BLOCK_SHAPES.items()}
    shapes |= {f"model_head.{name}": shape for name, shape in heads.items()}
    generator = torch.Generator().manual_seed(seed)
    state = {"mask_token": torch.randn(1, 1, 192, generator=generator)}
    if rope == "cyclic":
        state["channel_embed"] = torch.randn(1, 16, 1, 192, generator=generator) * 0.3
    for name, shape in shapes.items():
        draw = torch.randn(shape, generator=generator)
        inputs = draw[0].numel()
        state[f"{name}.weight"] = 1.0 + 0.2 * draw if "norm" in name else draw * (1.5 / inputs) ** 0.5
        state[f"{name}.bias"] = 0.2 * torch.randn(shape[:1], generator=generator)
    return state


def encode(state: State, windows: Tensor, rope: str, masked: Tensor | None, real_channels: int) -> Tensor:
    """Return the tokens (B, C * P, 192) after the last norm; channels from `real_channels` on are padding."""
    batch, channels, samples = windows.shape
    patches = samples // 20
    kernel = state["patch_embedding.patch_embed.proj.weight"].reshape(192, 20)
    x = windows.reshape(batch, channels, patches, 20) @ kernel.T
    x = x + state["patch_embedding.patch_embed.proj.bias"]
    if masked is not None:
        x[masked.reshape(batch, channels, patches)] = state["mask_token"].reshape(192)
    if rope == "cyclic":
        x = x + state["channel_embed"][:, :channels]
    x = x.reshape(batch, channels * patches, 192)
    token = torch.arange(channels * patches)
    position = {"flat": token, "cyclic": token % patches, "none": torch.zeros_like(token)}[rope]
    turn = torch.polar(
        torch.ones(len(token), 32, dtype=torch.float64),
        position[:, None].double() * 10000.0 ** (-torch.arange(32, dtype=torch.float64) / 32),
    ).to(torch.complex64)

    def norm(value: Tensor, name: str) -> Tensor:
        variance, mean = torch.var_mean(value, dim=-1, unbiased=False, keepdim=True)
        normal = (value - mean) / torch.sqrt(variance + 1e-5)
        return normal * state[f"{name}.weight"] + state[f"{name}.bias"]

    def linear(value: Tensor, name: str) -> Tensor:
        return value @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def rotate(value: Tensor) -> Tensor:
        pairs = torch.view_as_complex(value.reshape(*value.shape[:-1], 32, 2).contiguous())
        return torch.view_as_real(pairs * turn).reshape(value.shape)

    for index in range(sum(name.endswith("attn.qkv.bias") for name in state)):
        block = f"blocks.{index}"
        qkv = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        attended = []
        for head in range(3):
            q, k, v = (qkv[..., 192 * part + 64 * head :][..., :64] for part in range(3))
            scores = rotate(q) @ rotate(k).transpose(1, 2) / 8.0
            scores[:, :, real_channels * patches :] = -torch.inf
            attended.append(torch.softmax(scores, dim=-1) @ v)
        x = x + linear(torch.cat(attended, dim=-1), f"{block}.attn.proj")
        hidden = linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")
        hidden = 0.5 * hidden * (1.0 + torch.erf(hidden / 2.0**0.5))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm")


def outputs(
    state: State,
    windows: Tensor,
    rope: str,
    groups: int,
    target_samples: int,
    masked: Tensor | None = None,
    real_channels: int | None = None,
) -> Tensor:
    """Return what the head in the state dict gives; `groups` 0 is the mean over all real tokens."""
    batch, channels, samples = windows.shape
    real = channels if real_channels is None else real_channels
    x = encode(state, windows.clone(), rope, masked, real)
    weights = {name.removeprefix("model_head."): value for name, value in state.items()}
    if "decoder_pred.weight" in weights:
        x = x @ weights["decoder_pred.weight"].T + weights["decoder_pred.bias"]
        return x.reshape(batch, channels, samples)
    tokens = real * samples // 20
    if groups == 0:
        x = x[:, :tokens].mean(dim=1)
        return x @ weights["classifier.weight"].T + weights["classifier.bias"]
    x[:, tokens:] = 0.0
    x = x.reshape(batch, groups, -1, 192)
    if "classifier.weight" in weights:
        return x.mean(dim=2).reshape(batch, -1) @ weights["classifier.weight"].T + weights["classifier.bias"]
    x = x.permute(0, 2, 1, 3).reshape(batch, x.shape[2], groups * 192)
    x = x @ weights["regressor.0.weight"][..., 0].T + weights["regressor.0.bias"]
    x = x * torch.sigmoid(x)
    before, after = F.pad(x, (0, 0, 1, 0))[:, :-1], F.pad(x, (0, 0, 0, 1))[:, 1:]
    taps = weights["regressor.3.weight"][:, 0]
    x = before * taps[:, 0] + x * taps[:, 1] + after * taps[:, 2] + weights["regressor.3.bias"]
    x = x * torch.sigmoid(x)
    x = x @ weights["regressor.5.weight"][..., 0].T + weights["regressor.5.bias"]
    at = (torch.arange(target_samples) + 0.5) * x.shape[1] / target_samples - 0.5
    at = at.clamp(min=0.0, max=x.shape[1] - 1.0)
    low = at.floor().long()
    high = (low + 1).clamp(max=x.shape[1] - 1)
    part = (at - low)[:, None]
    return x[:, low] * (1.0 - part) + x[:, high] * part
