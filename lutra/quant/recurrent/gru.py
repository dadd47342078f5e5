"""The GRU over whole sequences, its directions side by side, with a backward pass written by hand.

    a = W x_t + U h_{t-1} + b, cast to `sums`, for gates r and z;  u = sums(U_n h_{t-1} + b_hn);
    a_n = sums(W_n x_t + z_r u + b_in);  h_t = state((1 - z_z) z_n + z_z h_{t-1}).

Gates r, z, n, as PyTorch has them (ONNX: linear_before_reset = 1). Numbers and gradients are as in `lstm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lutra.quant.recurrent import steps
from lutra.quant.recurrent.formats import Words

GATES = 3


@dataclass(frozen=True)
class Trace:
    """Of every step (T, D, B, ...), in real units: sums a and gates z (3H), the sum u inside n, and state h (H)."""

    a: Tensor
    z: Tensor
    u: Tensor
    h: Tensor


class Cell:
    """The functions and casts of one step: exact on integers, or `words` is None and nothing is cast."""

    def __init__(self, words: Words | None, size: int, dtype: torch.dtype) -> None:
        self.words, self.up, self.worth_h = words, 0, 0
        if words is None:
            return
        self.up, self.worth_h = words.sums.fraction, words.state.fraction
        sigmoid = ("sigmoid", words.sigmoid_index, words.sigmoid, 0)
        tanh = ("tanh", words.tanh_index, words.tanh, self.worth_h)  # z_n in units of the state
        self.open = steps.Lookup(words.sums, (sigmoid, sigmoid), size, dtype)
        self.new = steps.Lookup(words.sums, (tanh,), size, dtype)

    def cast(self, sums: Tensor) -> Tensor:
        """To their format, in place."""
        return sums if self.words is None else steps.cast_(sums, self.words.sums)

    def gates(self, sums: Tensor) -> Tensor:
        """Gates r and z of sums that are cast."""
        if self.words is None:
            return torch.sigmoid(sums)
        z = torch.empty_like(sums)
        self.open(sums, z)
        return z

    def candidate(self, sums: Tensor) -> Tensor:
        """The n of sums that are cast."""
        if self.words is None:
            return torch.tanh(sums)
        n = torch.empty_like(sums)
        self.new(sums, n)
        return n

    def state(self, z: Tensor, n: Tensor, before: Tensor, h: Tensor) -> None:
        """The state behind the step."""
        torch.mul(1 - z, n, out=h).addcmul_(z, before)
        if self.words is not None:
            steps.cast_(h, self.words.state)


def run(x: Tensor, w: Tensor, u: Tensor, b: Tensor, b_hn: Tensor, words: Words | None) -> Trace:
    """All steps. x: (T, D, B, I), in the order in which each direction reads; w: (D, 3H, I), u: (D, 3H, H), b: (D, 3H),
    its last third b_in, b_hn: (D, H); the numbers are cast already.
    """
    size = u.shape[2]
    cell = Cell(words, size, x.dtype)
    a = steps.products(x, w * 2.0**cell.up, b * 2.0**cell.up)
    by_h = (u * 2.0 ** (cell.up - cell.worth_h)).transpose(1, 2).contiguous()
    by_one = torch.cat((b.new_zeros(len(b), 2 * size), b_hn * 2.0**cell.up), 1)[:, None]
    z = torch.empty_like(a)
    inside, h = (a.new_empty(*a.shape[:3], size) for _ in range(2))
    before = torch.zeros_like(h[0])
    for k in range(len(a)):
        sums = torch.baddbmm(by_one, before, by_h)
        gates = cell.cast(sums[..., : 2 * size] + a[k, ..., : 2 * size])
        inner = inside[k].copy_(sums[..., 2 * size :])
        opened = cell.gates(gates)
        last = cell.cast(torch.addcmul(a[k, ..., 2 * size :], opened[..., :size], cell.cast(inner)))
        new = cell.candidate(last)
        cell.state(opened[..., size:], new, before, h[k])
        torch.cat((gates, last), -1, out=a[k])
        torch.cat((opened, new), -1, out=z[k])
        before = h[k]
    z[..., 2 * size :] *= 2.0**-cell.worth_h
    return Trace(a.mul_(2.0**-cell.up), z, inside.mul_(2.0**-cell.up), h.mul_(2.0**-cell.worth_h))


def differentiate(found: Trace, given: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients (T, D, B, 3H) of the sums, and of what the recurrent product gives, from that of the states."""
    size = u.shape[2]
    r, z, n = steps.blocks(found.z, size)
    a_r, a_z, a_n = steps.blocks(found.a, size)
    by_z = steps.slope_of_sigmoid(a_z).mul_(steps.shifted(found.h) - n)
    by_n = steps.slope_of_tanh(a_n).mul_(1 - z)
    by_r = steps.slope_of_sigmoid(a_r).mul_(found.u)
    d = found.a.new_empty(*found.a.shape[:3], GATES, size)
    inner = torch.empty_like(n)
    carried, later = torch.zeros_like(n[0]), torch.zeros_like(found.a[0])
    most = steps.steepest(given)
    for k in range(len(given) - 1, -1, -1):
        dh = torch.baddbmm(given[k], later, u).add_(carried).clamp_(-most, most)
        dn = torch.mul(dh, by_n[k], out=d[k, ..., 2, :])
        torch.mul(dh, by_z[k], out=d[k, ..., 1, :])
        torch.mul(dn, by_r[k], out=d[k, ..., 0, :])
        torch.mul(dn, r[k], out=inner[k])
        later = torch.cat((d[k, ..., :2, :].flatten(-2), inner[k]), -1)
        carried = dh * z[k]
    return d.flatten(-2), torch.cat((d[..., :2, :].flatten(-2), inner), -1)


class GruFunction(torch.autograd.Function):
    """States (T, D, B, H) of all steps."""

    @staticmethod
    def forward(ctx: Any, words: Words | None, x: Tensor, w: Tensor, u: Tensor, b: Tensor, b_hn: Tensor) -> Tensor:
        """See `run`."""
        found = run(x, w, u, b, b_hn, words)
        ctx.save_for_backward(x, w, u, found.a, found.z, found.u, found.h)
        return found.h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Straight through."""
        x, w, u, *kept = ctx.saved_tensors
        found = Trace(*kept)
        d, by_h = differentiate(found, grads[0].contiguous(), u)
        dx = steps.by_weights(d, w) if ctx.needs_input_grad[1] else None
        du = steps.summed(by_h, steps.shifted(found.h))
        return None, dx, steps.summed(d, x), du, d.sum((0, 2)), by_h[..., 2 * u.shape[2] :].sum((0, 2))
