"""Batches of a training epoch, each a function of seed, epoch and place alone: a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lutra.train.data import Bytes

SPREAD = 2654435769  # 2**32 over the golden ratio (Knuth, TAOCP 6.4): multiples of it leave no small distances
SHIFT = 4  # pixels that an image is moved by at most, each way


@dataclass(frozen=True)
class Pixels:
    """How pixels (N, C, H, W) of 0 to 255 become a network's input: (x - mean) / deviation."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Single precision, of x's shape."""
        mean, deviation = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.deviation))
        return (x.float() - mean) / deviation


def epoch(x: Bytes, y: Bytes, size: int, seed: int, number: int, start: int = 0, flips: bool = False,
          part: tuple[int, int] = (0, 1)) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled whole batches of an epoch from batch `start`: pixels (size, C, H, W) and labels (size,).

    flips: mirror half of the images and shift each by up to 4 pixels. part: which of how many equal shares of each
    batch this process takes. What remains of an epoch beyond whole batches is left out, unless it is all there is.
    """
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(hash_of(seed, number, 0)))
    for i in range(start, steps(len(x), size)):
        picked = order[i * size : (i + 1) * size]
        pixels, labels = torch.from_numpy(x[picked.numpy()]), torch.from_numpy(y[picked.numpy()]).long()
        if flips:
            pixels = moved(pixels, torch.Generator().manual_seed(hash_of(seed, number, i + 1)))
        yield pixels[part[0] :: part[1]], labels[part[0] :: part[1]]


def steps(images: int, size: int) -> int:
    """Batches of an epoch."""
    return max(images // size, 1)


def hash_of(seed: int, number: int, place: int) -> int:
    """A seed for each place, of the 32 bits that PyTorch's generator looks at: equal ones within a run only after 2**20
    batches or 2**12 epochs. Runs lie far apart.
    """
    return (seed * SPREAD + (number << 20) + place) % (1 << 32)


def moved(x: Tensor, pick: torch.Generator) -> Tensor:
    """Each image mirrored with probability 1/2 and shifted by -4 to 4 pixels each way, black beyond its border."""
    count, _, height, width = x.shape
    mirror = torch.rand(count, generator=pick) < 0.5
    x = torch.where(mirror.view(-1, 1, 1, 1), x.flip(3), x)
    shift = torch.randint(2 * SHIFT + 1, (2, count), generator=pick)
    rows, columns = (torch.arange(n)[None] + s[:, None] for n, s in zip((height, width), shift, strict=True))
    padded = F.pad(x, (SHIFT,) * 4)
    return padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
