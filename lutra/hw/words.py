"""Words of a stream as bytes. A build folder's driver takes this file along: it needs NumPy and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def to_words(codes: Array, bits: int) -> Array:
    """Words (n, bytes) of codes (n, lanes), each `bits` wide, lane 0 in the low bits; little endian, zeros above."""
    count, lanes = codes.shape
    if bits == 8:
        return codes.astype(np.uint8)
    if bits % 8 == 0:
        raw = np.ascontiguousarray(codes.astype("<u8")).view(np.uint8).reshape(count, lanes, 8)
        return np.ascontiguousarray(raw[:, :, : bits // 8]).reshape(count, -1)
    planes = (codes.astype(np.uint64)[..., None] >> np.arange(bits, dtype=np.uint64)).astype(np.uint8) & 1
    return np.packbits(planes.reshape(count, lanes * bits), axis=1, bitorder="little")


def from_words(words: Array, lanes: int, bits: int) -> Array:
    """Codes (n, lanes), int64, of words (n, bytes): the inverse of `to_words`."""
    planes = np.unpackbits(words, axis=1, count=lanes * bits, bitorder="little").reshape(len(words), lanes, bits)
    if bits <= 8:
        return np.packbits(planes, axis=2, bitorder="little")[..., 0].astype(np.int64)
    whole = np.zeros((len(words), lanes, 8), np.uint8)
    whole[..., : (bits + 7) // 8] = np.packbits(planes, axis=2, bitorder="little")
    return whole.view("<u8")[..., 0].astype(np.int64)
