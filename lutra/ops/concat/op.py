"""Concat: two streams one after the other along the channels, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Range, Tensor
from lutra.ops.base import Cost, Fold, Join, Loop, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.elementwise import wrapped

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Concat(Join):
    """(..., C0), (..., C1) -> (..., C0 + C1): of each pixel, all channels of the first, then all of the second.

    More than two streams are a chain: a concatenation is associative.
    """

    by_column = True

    def infer(self, *args: Tensor) -> Tensor:
        """Channels add up; the range covers both."""
        if len(args) != 2 or args[0].shape[:-1] != args[1].shape[:-1]:
            raise LutraError(f"a concatenation of shapes {', '.join(str(x.shape) for x in args)}",
                             hint="two streams whose shapes differ in the last axis alone")
        x0, x1 = args
        return Tensor((*x0.shape[:-1], x0.channels + x1.channels), union(x0.range, x1.range))

    def evaluate(self, *args: Array) -> Array:
        """Joined along the last axis."""
        return np.concatenate([x.astype(np.int64) for x in args], axis=-1)

    def kernel(self, xs: tuple[Tensor, ...]) -> Callable[..., Array]:
        """In a type that holds both."""

        def run(*values: Array) -> Array:
            return np.concatenate(values, axis=-1)

        return run

    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """Every common divisor of the channels."""
        return tuple(Fold(pe=p) for p in divisors(gcd(*(x.channels for x in xs))))

    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """`fold.pe` in all three. LutraError where it does not divide the channels of both inputs."""
        for x in xs:
            check_fold("pe", fold.pe, x.channels, "channels")
        return (fold.pe, fold.pe), fold.pe

    def words(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[int, int]:
        """Words of a pixel of each input."""
        _, pe = self.lanes(fold, xs)
        return xs[0].channels // pe, xs[1].channels // pe

    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """For each pixel, the words of the first, then those of the second: one in and one out in each slot."""
        first, second = self.words(fold, xs)
        slots = self.cycles(fold, xs)
        reads = np.cumsum(np.tile(np.repeat([[1, 0], [0, 1]], [first, second], axis=1), xs[0].pixels), axis=1)
        return Loop(slots, reads, np.arange(slots), 1)

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """One an output word."""
        return sum(self.words(fold, xs)) * xs[0].pixels

    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """`lutra_concat`."""
        (first, second), (_, pe) = self.words(fold, xs), self.lanes(fold, xs)
        y = union(xs[0].range, xs[1].range)
        params = {"PE": pe, "OBITS": y.bits}
        for k, (x, words) in enumerate(zip(xs, (first, second), strict=True)):
            scale, at = recoding(x.range, y)
            params |= {f"WORDS{k}": words, f"X{k}BITS": x.range.bits, f"X{k}SIGNED": int(x.range.signed),
                       f"SCALE{k}": wrapped(scale, y.bits), f"AT{k}": wrapped(at, y.bits)}
        return Block("lutra_concat", params, inputs=(pe * xs[0].range.bits, pe * xs[1].range.bits),
                     outputs=(pe * y.bits,))

    def features(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> dict[str, float]:
        """choice: bits that come from either input; slice: bits of the output slice; recode: bits of codes that become
        others; control: counter bits.
        """
        y = union(xs[0].range, xs[1].range)
        recoded = sum(recoding(x.range, y) != (1, 0) for x in xs)
        return {"unit": 1, "lut.choice": fold.pe * y.bits, "slice": fold.pe * y.bits,
                "lut.recode": fold.pe * y.bits * recoded,
                "control": sum(n.bit_length() for n in self.words(fold, xs))}

    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, xs, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Equal ranges and others, one word and more of each."""
        from lutra.ops.samples import pairs

        sizes = (1, 2, 3, 4, 6, 8)
        return pairs(sizes, sizes).map(lambda xs: Node(cls(), xs))


def union(x0: Range, x1: Range) -> Range:
    """The narrowest range that holds the values of both."""
    return Range(min(x0.lo, x1.lo), max(x0.hi, x1.hi), gcd(x0.step, x1.step, x0.lo - x1.lo))


def recoding(x: Range, y: Range) -> tuple[int, int]:
    """scale, at: y's code of x's values is scale * code + at, modulo y's width."""
    base, step = (x.lo, x.step) if x.step > 1 else (0, 1)
    return step // y.step, (base - (y.lo if y.step > 1 else 0)) // y.step
