"""Frames of designs with sequences: what a stream carries of them, and what came of it."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Node
from lutra.ops.sequence import Sequential, cleared, within


def inside(x: Array, lengths: Array) -> Array:
    """The columns (M, ...) that groups of sequences (N, B T, ...) of these lengths (N, B) have, one after another."""
    found: Array = x[within(lengths, x.shape[1])]
    return found


def certain(node: Node, lengths: Array) -> Array:
    """How many columns (N, B) of each sequence of an output the HLS form gives as `evaluate` does."""
    assert isinstance(node.op, Sequential), node.op
    return node.op.certain(lengths, node.out.shape[0] // lengths.shape[1])


def tidied(y: Array, node: Node, lengths: Array) -> Array:
    """Frames (N, *shape) of a sequence as an HLS form gives them, with what may be anything cleared."""
    assert isinstance(node.op, Sequential), node.op
    return cleared(y, certain(node, lengths), node.op.blank)


def spread(values: Array, ends: Array, node: Node) -> Array:
    """Frames (N, *shape) of an output that is a group of sequences, from its elements in a row and how many words there
    had been at each sequence's end.
    """
    assert isinstance(node.op, Sequential), node.op
    size, count = node.out.size // node.out.shape[0], node.args[-1].out.size
    frames = np.full((len(ends), node.out.size // count), node.op.blank, np.int64)
    per_word = values.size // max(int(ends[-1]), 1)
    for frame, part in zip(frames, np.split(values.ravel(), ends[:-1] * per_word), strict=True):
        assert part.size % size == 0, (part.size, size)
        frame[: part.size] = part
    return frames.reshape(-1, *node.out.shape)
