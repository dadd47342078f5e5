"""ArgMax: index of the largest channel, the lowest among equals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Range, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class ArgMax(Unit):
    """(..., C) -> (..., 1): numpy's argmax over the channels. `fold.simd` channels a cycle."""

    by_column = True

    def infer(self, *args: Tensor) -> Tensor:
        """One index in 0 .. C - 1."""
        (x,) = args
        return Tensor((*x.shape[:-1], 1), Range(0, x.channels - 1))

    def evaluate(self, *args: Array) -> Array:
        """The index of the first of the largest."""
        (x,) = args
        index: Array = np.argmax(x, axis=-1, keepdims=True).astype(np.int64)
        return index

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the channels."""
        return tuple(Fold(simd=d) for d in divisors(x.channels))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.simd` channels in, one index out."""
        check_fold("simd", fold.simd, x.channels, "channels")
        return fold.simd, 1

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A slot for each input word; a pixel's last one gives the index."""
        slots, words = self.cycles(fold, x), x.channels // fold.simd
        latency = (fold.simd - 1).bit_length() + 1
        return Loop(slots, np.arange(1, slots + 1), np.arange(words - 1, slots, words), latency)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One an input word."""
        return x.size // self.lanes(fold, x)[0]

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_argmax`."""
        lanes, y = self.lanes(fold, x)[0], self.infer(x).range
        params = {"BITS": x.range.bits, "SIGNED": int(x.range.signed), "LANES": lanes,
                  "WORDS": x.channels // lanes, "INDEX_BITS": y.bits}
        return Block("lutra_argmax", params, inputs=(lanes * x.range.bits,), outputs=(y.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Comparators and registers of the tree, the comparison of words, the index."""
        lanes, bits = self.lanes(fold, x)[0], x.range.bits
        words, index = x.channels // lanes, self.infer(x).range.bits
        turns = bits + index if words > 1 else 0
        return {"one": 1.0, "tree": float((lanes - 1) * bits), "tree_index": _index_bits(lanes), "turns": float(turns),
                "index": float(index), "counter": float(words.bit_length())}

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "argmax", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """One channel and more; few values, so that equals are frequent, and many."""
        from lutra.ops.samples import inputs

        return inputs((1, 2, 3, 6, 7, 10, 12)).map(lambda x: Node(cls(), (x,)))


def _index_bits(lanes: int) -> float:
    """Bits of lane numbers at all nodes of a tree over `lanes`: a node of level l needs l."""
    total, level = 0, 1
    while lanes > 1:
        total, lanes, level = total + level * (lanes // 2), -(-lanes // 2), level + 1
    return float(total)
