"""Frames of designs with sequences: what a stream carries of them, and what came of it."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array, Graph, Node
from lutra.ops.sequence import Sequential, cleared, within


def grouped(fed: tuple[Array, ...], graph: Graph) -> tuple[Array, ...]:
    """Frames of each input (N, ...) as the graph takes them: where those are groups of sequences, as many of them as
    hold all, the last one filled up with the least values: sequences of one column.
    """
    found = []
    for x, node in zip(fed, graph.inputs, strict=True):
        lacking = -len(x) % (node.out.size // max(x[0].size, 1)) if len(x) else 0
        filled = np.concatenate([x, np.full((lacking, *x.shape[1:]), node.out.range.lo, x.dtype)]) if lacking else x
        found.append(filled.reshape(-1, *node.out.shape))
    return tuple(found)


def apart(y: Array, sequences: int, frames: int) -> Array:
    """The first `frames` (N, T, ...) of groups of so many sequences (G, sequences * T, ...)."""
    return y if sequences == 1 else y.reshape(-1, y.shape[1] // sequences, *y.shape[2:])[:frames]


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
