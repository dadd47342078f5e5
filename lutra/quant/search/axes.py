"""The axis of a tensor that channels lie along, and what becomes of it under operators that only move numbers.

How such an operator moves channels is read off a probe: a tensor of the same shape that holds the number of each
channel. So views, slices, padding and concatenation need no rules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

FIXED = -1


@dataclass(frozen=True)
class Part:
    """So many channels that lie side by side.

    Its fields:
        group: whose they are; FIXED: no layer's, but padding or an input, whose count is not Lutra's to choose.
        width: channels.
        inner: times that each of them is repeated before the next one, as pixels are behind a flattening.
    """

    group: int
    width: int
    inner: int = 1

    @property
    def size(self) -> int:
        """Elements along the axis."""
        return self.width * self.inner


@dataclass(frozen=True)
class Axis:
    """Where a tensor's channels lie: its dimension, and the parts of that."""

    dim: int
    parts: tuple[Part, ...]


def probe(like: Tensor, axis: Axis, first: int) -> Tensor:
    """A tensor of this shape that holds the numbers of its channels, from `first` on; 0 where they are fixed."""
    numbers = []
    for part in axis.parts:
        own = torch.arange(first, first + part.width, dtype=torch.float64)
        free = part.group != FIXED
        numbers.append((own if free else own * 0).repeat_interleave(part.inner))
        first += part.width if free else 0
    shape = [1] * like.ndim
    shape[axis.dim] = like.shape[axis.dim]
    return torch.cat(numbers).view(shape).expand(like.shape).clone().to(like.device)


def read(moved: Tensor, sources: Sequence[Part]) -> Axis | None:
    """The axis of a tensor that was probes before it was moved; `sources`: their parts, with numbers from 1 on.

    None: the channels lie along no one axis, or a part is not whole and in order.
    """
    dims = [d for d in range(moved.ndim) if not bool((moved == moved.narrow(d, 0, 1)).all())]
    if len(dims) != 1:
        return None
    parts = _parts(moved.movedim(dims[0], -1).reshape(-1, moved.shape[dims[0]])[0].tolist(), sources)
    return None if parts is None else Axis(dims[0], parts)


def _parts(line: list[float], sources: Sequence[Part]) -> tuple[Part, ...] | None:
    """Whole parts, one behind the other."""
    starts, first = {}, 1
    for source in sources:
        if source.group != FIXED:
            starts[first] = source
            first += source.width
    found: list[Part] = []
    i = 0
    while i < len(line):
        run = next((k for k in range(i, len(line)) if line[k] != line[i]), len(line)) - i
        owner = Part(FIXED, run) if line[i] == 0 else starts.get(int(line[i]))
        if owner is None:
            return None
        part = owner if line[i] == 0 else replace(owner, inner=run)
        if line[i] and line[i : i + part.size] != [line[i] + k // run for k in range(part.size)]:
            return None
        found.append(part)
        i += part.size
    return tuple(found)
