"""Random recurrent networks in PyTorch, in random formats, calibrated: what a user may write and train."""

import numpy as np
import torch
from torch import nn

import lutra.quant as q

ROUNDINGS = ("RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV", "TRN", "TRN_ZERO")
OVERFLOWS = ("SAT", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP", "WRAP_SM")


class Chain(nn.Module):
    """Layers one behind another; recurrent ones take the lengths."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        for layer in self.layers:
            if isinstance(layer, q.LSTM):
                x = layer(x, lengths)
            elif isinstance(layer, q.CTCCollapse):
                x = layer(x.argmax(2), lengths)
            else:
                x = layer(x)
        return x


def network(seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A network in evaluation mode, frames (N, T, I) for it, and their lengths (N,)."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    width, longest = int(rng.integers(1, 9)), int(rng.integers(2, 12))
    layers: list[nn.Module] = []
    states, formats = width, {}
    for _ in range(rng.integers(1, 3)):
        both, size = bool(rng.integers(2)), int(rng.integers(1, 9))
        if rng.integers(3):
            layer = q.LSTM(states, size, bidirectional=both, peepholes=bool(rng.integers(2)))
        else:
            layer = q.GRU(states, size, bidirectional=both)
        formats[f"layers.{len(layers)}"] = _recipe(rng)
        layers.append(layer)
        states = size * (1 + both)
        if not rng.integers(3):
            layers.append(nn.ReLU())
    if rng.integers(4):
        classes = int(rng.integers(2, 7))
        formats[f"layers.{len(layers)}"] = _recipe(rng)
        layers.append(nn.Linear(states, classes))
        if rng.integers(2):
            layers.append(q.CTCCollapse(int(rng.integers(classes))))
    net = Chain(layers)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(float(2 ** rng.integers(0, 4)))
    x = torch.from_numpy(np.clip(rng.normal(size=(4, longest, width)), -2, 2)).float()
    q.quantize(net, q.Recipe(q.Fixed(4), q.Fixed(4), first_last=0, overrides=formats))
    q.calibrate(net, [x])
    lengths = torch.from_numpy(np.r_[longest, 1, rng.integers(1, longest + 1, 2)])
    return net.eval(), x, lengths


def _recipe(rng: np.random.Generator) -> q.Recipe:
    """Formats of one layer, 1 to 8 bits and more."""
    bits = int(rng.integers(1, 9))
    weights = q.Binary(power=True) if bits == 1 else q.Fixed(bits)
    a = int(rng.integers(1, 9))

    def cast(width: int, fraction: int | None, signed: bool = True) -> q.Fixed:
        return q.Fixed(width, fraction, signed, str(rng.choice(ROUNDINGS)), str(rng.choice(OVERFLOWS)))

    s = int(rng.integers(4, 17))
    m = int(rng.integers(3, 17))
    inner = q.Recurrent(
        state=cast(a, a - int(rng.integers(0, 2))), sums=cast(s, int(rng.integers(0, s))),
        memory=cast(m, int(rng.integers(0, m))),
        sigmoid_index=cast(int(rng.integers(2, 9)), int(rng.integers(0, 5))),
        tanh_index=cast(int(rng.integers(2, 9)), int(rng.integers(0, 5))),
        memory_index=cast(int(rng.integers(2, 9)), int(rng.integers(0, 5))),
        sigmoid=q.Fixed(int(rng.integers(1, 9)), int(rng.integers(1, 8)), False),
        tanh=q.Fixed(int(rng.integers(2, 9)), int(rng.integers(1, 8))))
    return q.Recipe(weights, cast(int(rng.integers(1, 9)), None), first_last=0, recurrent=inner)
