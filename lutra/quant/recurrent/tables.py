"""Activation tables: the entries with the least squared error over the numbers that are sent to them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lutra.quant import modes
from lutra.quant.recurrent.formats import Word

Entries = npt.NDArray[np.int64]


def function(name: str, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sigmoid or the hyperbolic tangent."""
    return 0.5 + 0.5 * np.tanh(0.5 * x) if name == "sigmoid" else np.tanh(x)


def indices(given: Word, index: Word) -> Entries:
    """For each integer of a format, from the least on, the integer of the index's format that it is cast to."""
    lo, hi = given.ends
    x = torch.arange(lo, hi + 1, dtype=torch.float64) * 2.0 ** (index.fraction - given.fraction)
    return modes.word_(x, *index[1:]).long().numpy()


@lru_cache(maxsize=256)
def entries(name: str, given: Word, index: Word, entry: Word) -> Entries:
    """The table of a function: an integer of `entry` for each index, from the least on.

    Each is the mean of the function over those numbers of the format `given` that the cast sends to its index, rounded:
    no other has a smaller squared error. Where no number is sent, the function at the index itself.
    """
    lo, hi = index.ends
    at = indices(given, index) - lo
    y = function(name, np.arange(given.ends[0], given.ends[1] + 1) * 2.0**-given.fraction)
    count = np.bincount(at, minlength=hi - lo + 1)
    alone = function(name, np.arange(lo, hi + 1) * 2.0**-index.fraction)
    mean = np.where(count > 0, np.bincount(at, y, hi - lo + 1) / np.maximum(count, 1), alone)
    units = torch.from_numpy(np.asarray(mean * 2.0**entry.fraction, np.float64))
    return modes.word_(units, entry.width, entry.signed, "RND_CONV", "SAT").long().numpy()


@lru_cache(maxsize=32)
def direct(name: str, given: Word, index: Word, entry: Word, worth: int, dtype: torch.dtype) -> Tensor:
    """The same by the integers of `given`, from the least on: 2**worth times the entry's real value."""
    found = entries(name, given, index, entry)[indices(given, index) - index.ends[0]]
    return torch.from_numpy(found * 2.0 ** (worth - entry.fraction)).to(dtype)
