"""Sequences of several lengths, and the layer on them in floating point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from lutra.errors import LutraError
from lutra.quant.recurrent.gru import GruFunction
from lutra.quant.recurrent.lstm import LstmFunction


@dataclass(frozen=True)
class Parameters:
    """Of one layer, its directions stacked: w (D, G H, I), u (D, G H, H), biases as PyTorch has them (D, G H) or None,
    peepholes p (D, 3, H) or None. kind: "lstm" (G = 4) or "gru" (G = 3).
    """

    kind: str
    w: Tensor
    u: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    p: Tensor | None = None

    @property
    def size(self) -> int:
        """H."""
        return self.u.shape[2]

    @property
    def bias(self) -> Tensor:
        """What is added to W x: with that of U h, except in the last gate of a GRU."""
        if self.b_ih is None or self.b_hh is None:
            return self.w.new_zeros(self.w.shape[:2])
        if self.kind == "lstm":
            return self.b_ih + self.b_hh
        return torch.cat(((self.b_ih + self.b_hh)[:, : 2 * self.size], self.b_ih[:, 2 * self.size :]), 1)

    @property
    def inner_bias(self) -> Tensor:
        """b_hn of a GRU (D, H)."""
        return self.w.new_zeros(len(self.w), self.size) if self.b_hh is None else self.b_hh[:, 2 * self.size :]

    def to(self, dtype: torch.dtype) -> Parameters:
        """In another type."""
        names = ("w", "u", "b_ih", "b_hh", "p")
        return replace(self, **{n: t.to(dtype) for n in names if (t := getattr(self, n)) is not None})


def layer(x: Tensor, lengths: Tensor | None, parameters: Parameters) -> Tensor:
    """States (B, T, D H) of a layer for sequences x (B, T, I), zero at and after each one's length (B,).

    In a quantised network this is where its casts come in.
    """
    if has_torch_function((x,)):
        found: Tensor = handle_torch_function(layer, (x,), x, lengths, parameters)
        return found
    if parameters.p is not None or parameters.kind != "lstm":
        return plain(x, lengths, parameters)
    return _by_torch(x.transpose(0, 1), lengths, parameters).transpose(0, 1)


def plain(x: Tensor, lengths: Tensor | None, parameters: Parameters) -> Tensor:
    """The same in floating point, by the steps that casts are put into."""
    given = turned(x.transpose(0, 1), lengths, len(parameters.w))
    if parameters.kind == "lstm":
        h = LstmFunction.apply(None, given, parameters.w, parameters.u, parameters.bias, parameters.p)[0]  # type: ignore[no-untyped-call]
    else:
        h = GruFunction.apply(None, given, parameters.w, parameters.u, parameters.bias, parameters.inner_bias)  # type: ignore[no-untyped-call]
    return unturned(h, lengths).transpose(0, 1)


def _by_torch(x: Tensor, lengths: Tensor | None, parameters: Parameters) -> Tensor:
    """An LSTM by PyTorch's own, each direction by itself: the library behind it is several times faster than its path
    for packed sequences.
    """
    given = turned(x, lengths, len(parameters.w))
    zero = x.new_zeros(1, x.shape[1], parameters.size)
    found = []
    for k in range(len(parameters.w)):
        weights = [t[k] for t in (parameters.w, parameters.u, parameters.b_ih, parameters.b_hh) if t is not None]
        found.append(torch._VF.lstm(given[:, k].contiguous(), (zero, zero), weights, len(weights) == 4, 1, 0.0,
                                    torch.is_grad_enabled(), False, False)[0])
    return unturned(torch.stack(found, 1), lengths)


def _places(length: int, lengths: Tensor, device: Any) -> Tensor:
    """(T, B): where the step of each place is, read backwards inside the sequence."""
    at = torch.arange(length, device=device)[:, None]
    return torch.where(at < lengths, lengths - 1 - at, at)


def turned(x: Tensor, lengths: Tensor | None, directions: int) -> Tensor:
    """(T, B, I) as each direction reads it, (T, D, B, I)."""
    if directions == 1:
        return x[:, None]
    if lengths is None:
        return torch.stack((x, x.flip(0)), 1)
    places = _places(len(x), lengths, x.device)
    return torch.stack((x, x.gather(0, places[..., None].expand_as(x))), 1)


def unturned(h: Tensor, lengths: Tensor | None) -> Tensor:
    """What turned directions give (T, D, B, H), in order of time, side by side (T, B, D H), zero after each length."""
    if h.shape[1] == 2:
        first, last = h.unbind(1)
        back = last.flip(0) if lengths is None else last.gather(
            0, _places(len(h), lengths, h.device)[..., None].expand_as(last))
        out = torch.cat((first, back), -1)
    else:
        out = h[:, 0]
    if lengths is None:
        return out
    return out * (torch.arange(len(h), device=h.device)[:, None] < lengths)[..., None]


def checked(lengths: Tensor | None, x: Tensor) -> Tensor | None:
    """Lengths (B,) of sequences x (B, T, ...), or None where all are whole.

    Raises LutraError: other than one for each sequence, or one that is not 1 to T.
    """
    if lengths is None:
        return None
    lengths = lengths.to(x.device, torch.long)
    if lengths.shape != x.shape[:1]:
        raise LutraError(f"lengths of shape {tuple(lengths.shape)} for {len(x)} sequences", "lengths",
                         "give one for each sequence")
    if bool(((lengths < 1) | (lengths > x.shape[1])).any()):
        bad = int(lengths[(lengths < 1) | (lengths > x.shape[1])][0])
        raise LutraError(f"a length of {bad} in a batch of {x.shape[1]} columns", "lengths", f"give 1 to {x.shape[1]}")
    if bool((lengths == x.shape[1]).all()):
        return None
    return lengths
