"""What the steps of both cells share: numbers kept as integers in floating point, cast and looked up in place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lutra.quant import modes
from lutra.quant.recurrent.formats import Word
from lutra.quant.recurrent.tables import direct

# No state's gradient becomes more than so many times the greatest that is given from outside, by what comes back from
# later steps. Where training goes well it stays below 3 times; through weights of one bit, all alike, it can grow by a
# factor each step, to infinity over a long sequence. After Graves, arXiv 1308.0850, section 2.1.
STEEPEST = 10.0
Source = tuple[str, Word, Word, int]  # function, index, entry, and the power of two by which its values are multiplied


def cast_(y: Tensor, word: Word) -> Tensor:
    """Units of a word's last place as its integers, in place. For RND, the commonest, y + 1/2 has to be exact."""
    lo, hi = word.ends
    if (word.rounding, word.overflow) == ("RND", "SAT"):
        return y.add_(0.5).floor_().clamp_(lo, hi)
    if (word.rounding, word.overflow) == ("RND_CONV", "SAT"):
        return y.round_().clamp_(lo, hi)
    found = modes.word_(y, *word[1:])
    return found if found is y else y.copy_(found)


class Lookup:
    """Functions of the integers of one format: one for each block of `size` columns."""

    def __init__(self, given: Word, functions: tuple[Source, ...], size: int, dtype: torch.dtype) -> None:
        kinds = list(dict.fromkeys(functions))
        self.table = torch.cat([direct(name, given, index, entry, worth, dtype) for name, index, entry, worth in kinds])
        length = 1 << given.width
        starts = torch.tensor([kinds.index(f) * length - given.ends[0] for f in functions], dtype=dtype)
        self.start = starts.repeat_interleave(size)

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """The functions of x (..., columns), whose integers are in range; out: contiguous, of x's shape."""
        at = torch.add(x, self.start).to(torch.int32)
        torch.index_select(self.table, 0, at.view(-1), out=out.view(-1))


def slope_of_sigmoid(x: Tensor) -> Tensor:
    """Its derivative."""
    s = torch.sigmoid(x)
    return s.mul_(1 - s)


def slope_of_tanh(x: Tensor) -> Tensor:
    """Its derivative."""
    return torch.tanh(x).square_().neg_().add_(1)


def products(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """W x + b of each direction at every step: x (T, D, B, I), w (D, G, I), b (D, G) to (T, D, B, G)."""
    return torch.stack([F.linear(x[:, k], w[k], b[k]) for k in range(len(w))], 1)


def by_weights(d: Tensor, w: Tensor) -> Tensor:
    """Sums times W of each direction: (T, D, B, G) and (D, G, I) to (T, D, B, I)."""
    return torch.stack([d[:, k] @ w[k] for k in range(len(w))], 1)


def summed(d: Tensor, x: Tensor) -> Tensor:
    """The gradient of a matrix: sum over steps and batch of d (T, D, B, G) times x (T, D, B, I), (D, G, I)."""
    return torch.stack([d[:, k].flatten(0, 1).T @ x[:, k].flatten(0, 1) for k in range(d.shape[1])])


def blocks(x: Tensor, size: int) -> tuple[Tensor, ...]:
    """The parts of `size` columns, one for each gate."""
    return x.view(*x.shape[:-1], -1, size).unbind(-2)


def steepest(given: Tensor) -> Tensor:
    """The greatest gradient of a state, from those given from outside, all steps' (T, D, B, H)."""
    return given.abs().amax() * STEEPEST


def shifted(x: Tensor) -> Tensor:
    """What a state was one step before: zeros first."""
    before = torch.zeros_like(x)
    before[1:] = x[:-1]
    return before
