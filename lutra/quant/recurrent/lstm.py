"""The LSTM over whole sequences, its directions side by side, with a backward pass written by hand.

    a = W x_t + U h_{t-1} + p c + b, cast to `sums`;  z = table(index(a));  c_t = memory(z_i z_g + z_f c_{t-1});
    h_t = state(z_o table(index(c_t))).  Gates i, f, g, o, as PyTorch has them; peepholes of i, f (c_{t-1}) and o (c_t).

Inside, a, c and h are integers of their formats, so that a cast is a rounding and a clamp. Gradients are straight
through: casts count as the identity, tables as the functions that they stand for; that of a state is limited (see
`steps.STEEPEST`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lutra.quant.recurrent import steps
from lutra.quant.recurrent.formats import Words

GATES, PEEPHOLES = 4, 3


@dataclass(frozen=True)
class Trace:
    """Of every step (T, D, B, ...), in real units: sums a and gates z (4H), memory c, tanh of it, state h (H)."""

    a: Tensor
    z: Tensor
    c: Tensor
    tanh: Tensor
    h: Tensor


class Cell:
    """The functions and casts of one step: exact on integers, or `words` is None and nothing is cast."""

    def __init__(self, words: Words | None, size: int, dtype: torch.dtype) -> None:
        self.words = words
        self.up, self.worth_h, self.worth_c = 0, 0, 0
        if words is None:
            return
        self.up, self.worth_h, self.worth_c = words.sums.fraction, words.state.fraction, words.memory.fraction
        sigmoid = ("sigmoid", words.sigmoid_index, words.sigmoid, 0)
        inner = ("tanh", words.tanh_index, words.tanh, self.worth_c)  # z_g in units of the memory
        gates = (sigmoid, sigmoid, inner, sigmoid)
        self.lookups = {(a, b): steps.Lookup(words.sums, gates[a:b], size, dtype) for a, b in ((0, 4), (0, 3), (3, 4))}
        outer = ("tanh", words.memory_index, words.tanh, self.worth_h)  # tanh(c) in units of the state
        self.memory = steps.Lookup(words.memory, (outer,), size, dtype)

    def gates(self, a: Tensor, z: Tensor, part: tuple[int, int]) -> None:
        """Cast sums (D, B, gates * H) in place, and look up what they open."""
        if self.words is not None:
            self.lookups[part](steps.cast_(a, self.words.sums), z)
            return
        size = a.shape[-1] // (part[1] - part[0])
        for g in range(*part):
            block = slice((g - part[0]) * size, (g - part[0] + 1) * size)
            (torch.tanh if g == 2 else torch.sigmoid)(a[..., block], out=z[..., block])

    def state(self, z: tuple[Tensor, ...], before: Tensor, c: Tensor) -> None:
        """The memory."""
        i, f, g = z
        torch.mul(i, g, out=c).addcmul_(f, before)
        if self.words is not None:
            steps.cast_(c, self.words.memory)

    def output(self, o: Tensor, c: Tensor, tanh: Tensor, h: Tensor) -> None:
        """The state."""
        if self.words is None:
            torch.mul(o, torch.tanh(c, out=tanh), out=h)
            return
        self.memory(c, tanh)
        steps.cast_(torch.mul(o, tanh, out=h), self.words.state)


def run(x: Tensor, w: Tensor, u: Tensor, b: Tensor, p: Tensor | None, words: Words | None) -> Trace:
    """All steps. x: (T, D, B, I), in the order in which each direction reads; w: (D, 4H, I), u: (D, 4H, H), b: (D, 4H),
    p: (D, 3, H); the numbers are cast already.
    """
    size = u.shape[2]
    cell = Cell(words, size, x.dtype)
    a = steps.products(x, w * 2.0**cell.up, b * 2.0**cell.up)
    by_h = (u * 2.0 ** (cell.up - cell.worth_h)).transpose(1, 2).contiguous()
    by_c = None if p is None else (p * 2.0 ** (cell.up - cell.worth_c))[:, :, None]
    z = torch.empty_like(a)
    c, tanh, h = (a.new_empty(*a.shape[:3], size) for _ in range(3))
    before_c = before_h = torch.zeros_like(c[0])
    for k in range(len(a)):
        sums, opened = a[k].baddbmm_(before_h, by_h), z[k]
        i, f, g, o = steps.blocks(opened, size)
        if by_c is None:
            cell.gates(sums, opened, (0, 4))
            cell.state((i, f, g), before_c, c[k])
        else:
            _with_peepholes(cell, sums, opened, by_c, before_c, c[k])
        cell.output(o, c[k], tanh[k], h[k])
        before_c, before_h = c[k], h[k]
    z[..., 2 * size : 3 * size] *= 2.0**-cell.worth_c
    return Trace(a.mul_(2.0**-cell.up), z, c.mul_(2.0**-cell.worth_c), tanh.mul_(2.0**-cell.worth_h),
                 h.mul_(2.0**-cell.worth_h))


def _with_peepholes(cell: Cell, sums: Tensor, z: Tensor, p: Tensor, before: Tensor, c: Tensor) -> None:
    """Gates and memory where sums have a part of the memory: that of o has to wait for it."""
    size = c.shape[-1]
    sums[..., :size].addcmul_(p[:, 0], before)
    sums[..., size : 2 * size].addcmul_(p[:, 1], before)
    first, opened = sums[..., : 3 * size].contiguous(), z.new_empty(*z.shape[:-1], 3 * size)
    cell.gates(first, opened, (0, 3))
    cell.state(steps.blocks(opened, size), before, c)
    last = torch.addcmul(sums[..., 3 * size :], p[:, 2], c)
    out = torch.empty_like(last)
    cell.gates(last, out, (3, 4))
    torch.cat((first, last), -1, out=sums)
    torch.cat((opened, out), -1, out=z)


def differentiate(found: Trace, given: Tensor, u: Tensor, p: Tensor | None) -> Tensor:
    """The gradient of the sums (T, D, B, 4H) from that of the states (T, D, B, H)."""
    size = u.shape[2]
    i, f, g, o = steps.blocks(found.z, size)
    slopes = steps.slope_of_sigmoid(found.a)
    slopes[..., 2 * size : 3 * size] = steps.slope_of_tanh(found.a[..., 2 * size : 3 * size])
    factors = slopes.view(*slopes.shape[:-1], GATES, size)
    factors[..., :3, :] *= torch.stack((g, steps.shifted(found.c), i), -2)
    by_o = factors[..., 3, :].mul_(found.tanh)
    by_h = steps.slope_of_tanh(found.c).mul_(o)
    d = torch.empty_like(factors)
    later_c, later = torch.zeros_like(i[0]), torch.zeros_like(found.a[0])
    most = steps.steepest(given)
    for k in range(len(given) - 1, -1, -1):
        dh = torch.baddbmm(given[k], later, u).clamp_(-most, most)
        torch.mul(dh, by_o[k], out=d[k, ..., 3, :])
        dc = torch.addcmul(later_c, dh, by_h[k])
        if p is not None:
            dc.addcmul_(d[k, ..., 3, :], p[:, 2, None])
        torch.mul(factors[k, ..., :3, :], dc.unsqueeze(-2), out=d[k, ..., :3, :])
        later, later_c = d[k].flatten(-2), dc * f[k]
        if p is not None:
            later_c.addcmul_(d[k, ..., 0, :], p[:, 0, None]).addcmul_(d[k, ..., 1, :], p[:, 1, None])
    return d.flatten(-2)


class LstmFunction(torch.autograd.Function):
    """States (T, D, B, H) of all steps, and the memory behind each, which has no gradient."""

    @staticmethod
    def forward(ctx: Any, words: Words | None, x: Tensor, w: Tensor, u: Tensor, b: Tensor, p: Tensor | None,
                ) -> tuple[Tensor, Tensor]:
        """See `run`."""
        found = run(x, w, u, b, p, words)
        ctx.save_for_backward(x, w, u, p, found.a, found.z, found.c, found.tanh, found.h)
        ctx.mark_non_differentiable(found.c)
        return found.h, found.c

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Straight through."""
        x, w, u, p, *kept = ctx.saved_tensors
        found = Trace(*kept)
        d = differentiate(found, grads[0].contiguous(), u, p)
        dx = steps.by_weights(d, w) if ctx.needs_input_grad[1] else None
        du = steps.summed(d, steps.shifted(found.h))
        dp = None if p is None else _of_peepholes(d, found.c)
        return None, dx, steps.summed(d, x), du, d.sum((0, 2)), dp


def _of_peepholes(d: Tensor, c: Tensor) -> Tensor:
    """(D, 3, H)."""
    i, f, _, o = steps.blocks(d, c.shape[-1])
    before = steps.shifted(c)
    return torch.stack([(part * at).sum((0, 2)) for part, at in ((i, before), (f, before), (o, c))], 1)
