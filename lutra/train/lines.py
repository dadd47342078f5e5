"""Lines of text with what they say: images as columns of pixels, batches, decoding, and characters that are right."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.train.batches import hash_of
from lutra.train.data import Bytes

Lengths = npt.NDArray[np.int64]
HEIGHT, LEVELS = 32, 16
HINT = ("give a folder with one file *_train.npz and one *_test.npz, each with img4 (columns, 16), two pixels a byte, "
        "the high one first, offsets (lines + 1,) and text, UTF-8 with a line for each image")


@dataclass(frozen=True)
class Texts:
    """Images (columns, 32) of 0, paper, to 15, ink, and what each says."""

    images: list[Bytes]
    texts: list[str]

    @cached_property
    def lengths(self) -> Lengths:
        """Columns of each."""
        return np.array([len(i) for i in self.images], np.int64)

    def tensor(self, picked: Sequence[int], shifts: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """Lines (B, T, 32) of pixels / 16, paper behind their ends, and their lengths (B,). shifts: pixels down."""
        lengths = torch.from_numpy(self.lengths[list(picked)])
        x = np.zeros((len(picked), int(lengths.max()), HEIGHT), np.float32)
        for k, i in enumerate(picked):
            image, down = self.images[i], 0 if shifts is None else shifts[k]
            kept = image[:, max(-down, 0) : HEIGHT - max(down, 0)]
            x[k, : len(image), max(down, 0) : HEIGHT + min(down, 0)] = kept
        return torch.from_numpy(x / LEVELS), lengths


@dataclass(frozen=True)
class Lines:
    """What is trained on and what is tested."""

    train: Texts
    test: Texts

    @cached_property
    def alphabet(self) -> str:
        """The characters of the texts to train on; class 0 is the blank, class k the character k - 1."""
        return "".join(sorted(set("".join(self.train.texts))))

    def labels(self, text: str) -> Tensor:
        """The classes of a text's characters."""
        return torch.tensor([self.alphabet.index(c) + 1 for c in text])

    def said(self, labels: Sequence[int]) -> str:
        """The text of classes."""
        return said(self.alphabet, labels)


def said(alphabet: str, labels: Sequence[int]) -> str:
    """The text of classes; blanks say nothing."""
    return "".join(alphabet[k - 1] for k in labels if k)


def load(folder: Path) -> Lines:
    """The lines of a folder. Raises LutraError: no such files, or damaged ones."""
    found = [sorted(folder.glob(f"*_{part}.npz")) for part in ("train", "test")]
    if any(len(f) != 1 for f in found):
        raise LutraError("there are no lines that can be read", str(folder), HINT)
    return Lines(*(_texts(f[0]) for f in found))


def _texts(path: Path) -> Texts:
    try:
        with np.load(path, allow_pickle=False) as file:
            packed, offsets = file["img4"].astype(np.uint8), file["offsets"].astype(np.int64)
            texts = file["text"].tobytes().decode().split("\n")
    except (OSError, KeyError, ValueError, UnicodeDecodeError, zipfile.BadZipFile) as e:
        raise LutraError("it is not a file of lines, or it is damaged", str(path), HINT) from e
    count = len(offsets) - 1
    if packed.ndim != 2 or packed.shape[1] != HEIGHT // 2 or count < 1 or len(texts) < count or not (
            offsets[0] == 0 and (np.diff(offsets) > 0).all() and offsets[-1] <= len(packed)):
        raise LutraError(f"columns {packed.shape} with {count} lines do not fit", str(path), HINT)
    pixels = np.stack([packed >> 4, packed & 15], -1).reshape(len(packed), HEIGHT)
    return Texts([pixels[a:b] for a, b in pairwise(offsets.tolist())], texts[:count])


def epoch(lines: Texts, size: int, seed: int, number: int, start: int = 0) -> Iterator[tuple[list[int], list[int]]]:
    """Batches of an epoch from batch `start`: lines of about the same length, and how far each is moved down, -1 to 1.

    The first epoch goes from short lines to long ones, as these tell less about where characters are.
    """
    draw = np.random.default_rng(hash_of(seed, number, 0))
    order = np.argsort(lines.lengths * (1 + 0.1 * draw.random(len(lines.images)) * (number > 0)), kind="stable")
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    if number:
        draw.shuffle(batches)
    for i, batch in enumerate(batches[start:], start):
        moves = np.random.default_rng(hash_of(seed, number, i + 1)).integers(-1, 2, len(batch)) * (number > 0)
        yield batch.tolist(), moves.tolist()


def steps(lines: Texts, size: int) -> int:
    """Batches of an epoch."""
    return math.ceil(len(lines.images) / size)


def distance(a: str, b: str) -> int:
    """Insertions, deletions and replacements of characters that make one text of the other (Levenshtein)."""
    other, row = np.array(list(b)), np.arange(len(b) + 1)
    places = np.arange(len(b) + 1)
    for i, c in enumerate(a):
        best = np.concatenate(([i + 1], np.minimum(row[1:] + 1, row[:-1] + (other != c))))
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


def right(found: Sequence[str], wanted: Sequence[str]) -> float:
    """The share of characters that are right: 1 less the distance over the length, of all lines together."""
    wrong = sum(distance(a, b) for a, b in zip(found, wanted, strict=True))
    return 1 - wrong / sum(map(len, wanted))
