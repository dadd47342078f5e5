"""Reorder: the elements of a frame in another order (DepthToSpace, SpaceToDepth, transposes, channel shuffles)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, Param, pack
from lutra.ir import Array, Constant, Node, Tensor
from lutra.ops.base import Cost, Fold, Loop, Unit, divisors
from lutra.ops.cost import estimate
from lutra.ops.events import one_a_cycle
from lutra.ops.reorder.radix import digits, distances
from lutra.ops.rom import blocks, in_block, lut_bits, lut_ram, sliced

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Reorder(Unit):
    """A frame's elements, in order of the stream, are blocks of B; in each, y[k] = x[order[k]].

    order: (B,), a permutation of 0 .. B-1; B divides the frame, and the smaller it is, the smaller is the hardware.
    shape: the result's. So depth to space, for one, is a single node whose block is a row of pixels.

    `fold.pe` elements a word: as many as move together, or whole blocks, which then are wires. `fold.ram` says where
    two blocks lie, and where their order does if counters cannot give it.
    """

    order: Constant
    shape: tuple[int, ...]

    def infer(self, *args: Tensor) -> Tensor:
        """The new shape, the same range."""
        (x,) = args
        order = self.order.array
        if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(len(order))):
            raise LutraError(f"an order of shape {order.shape} that is no permutation")
        if not self.shape or min(self.shape) < 1 or int(np.prod(self.shape, dtype=np.int64)) != x.size:
            raise LutraError(f"{x.size} elements do not fill the shape {self.shape}")
        if x.size % self.size:
            raise LutraError(f"blocks of {self.size} do not fill a frame of {x.size} elements")
        return Tensor(self.shape, x.range)

    def evaluate(self, *args: Array) -> Array:
        """One gather for all blocks."""
        (x,) = args
        return x.reshape(len(x), -1, self.size)[..., self.order.array].reshape(len(x), *self.shape)

    @property
    def size(self) -> int:
        """Elements of a block."""
        return len(self.order.array)

    @cached_property
    def together(self) -> int:
        """The most elements that move together everywhere: runs of so many keep their order."""
        order = self.order.array
        starts = np.flatnonzero(np.diff(order, prepend=-2) != 1)
        return int(np.gcd.reduce([*starts, *order[starts], self.size]))

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of what moves together, and every whole number of blocks that divides the pixel of either
        side.
        """
        wires = [d for c in (x.channels, self.shape[-1]) for d in divisors(c) if d % self.size == 0]
        return tuple(Fold(pe=d, simd=d) for d in sorted({*divisors(self.together), *wires}))

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """`fold.pe` both in and out."""
        legal = [f.pe for f in self.folds(x)]
        if fold.pe not in legal:
            raise LutraError(f"pe={fold.pe} is not a number of elements that move together or of whole blocks",
                             hint=f"there are {', '.join(map(str, legal))}")
        return fold.pe, fold.pe

    def _wires(self, fold: Fold) -> bool:
        return fold.pe % self.size == 0

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """A word in and out a slot, where whole blocks are words; else there is none: see `times` and `cycles`."""
        assert self._wires(fold), "writing and reading of blocks are two coupled loops, which no flat loop describes"
        words = np.arange(self.cycles(fold, x))
        return Loop(len(words), words + 1, words, 1)

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """One a word."""
        return x.size // self.lanes(fold, x)[0]

    def times(
        self, fold: Fold, x: Tensor, arrivals: Array, release: Array | None = None
    ) -> tuple[Array, Array]:
        """A block is written once the one before the one before it was read, and read once it is written."""
        if self._wires(fold):
            return super().times(fold, x, arrivals, release)
        words, latency = self.size // self.lanes(fold, x)[0], 2 if self._in_block(fold, x) else 1
        arrived = arrivals.reshape(-1, words)
        bounds = np.zeros_like(arrived) if release is None else release.reshape(-1, words) - latency
        left = words - 1 - np.arange(words)  # words of the block after each
        wrote = read = before = -1  # when the last word was written, was read, and of the block before was read
        begins = np.empty((2, len(arrived), 1), arrived.dtype)  # of each block's writing and reading, at the earliest
        for b, ends in enumerate(zip((arrived + left).max(axis=1), (bounds + left).max(axis=1), strict=True)):
            begins[0, b] = max(wrote, before) + 1
            wrote = max(int(ends[0]), max(wrote, before) + words)
            begins[1, b] = max(wrote, read) + 1
            before, read = read, max(int(ends[1]), max(wrote, read) + words)
        taken, given = one_a_cycle(np.maximum(arrived, begins[0])), one_a_cycle(np.maximum(bounds, begins[1]))
        return taken.reshape(-1), given.reshape(-1) + latency

    def _memory(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        return 2 * self.size // fold.pe, fold.pe * x.range.bits

    def _in_block(self, fold: Fold, x: Tensor) -> bool:
        return in_block(fold, *self._memory(fold, x))

    def _places(self, fold: Fold) -> Array:
        """The order of words in a block."""
        places: Array = self.order.array[:: fold.pe] // fold.pe
        return places

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_reorder`."""
        width, words = self.lanes(fold, x)[0] * x.range.bits, max(self.size // fold.pe, 1)
        params: dict[str, Param] = {"BITS": x.range.bits, "LANES": fold.pe, "BLOCK": self.size}
        if self._wires(fold):
            bits = max((self.size - 1).bit_length(), 1)
            memory = {"FILE": Memory(pack(self.order.array[None], bits), self.size * bits)}
            return Block("lutra_reorder", params, memory, (width,), (width,))
        params["RAM"], places = int(self._in_block(fold, x)), self._places(fold)
        found = digits(places)
        if found is None:
            bits = (words - 1).bit_length()
            params["ROM"] = 2 if in_block(fold, words, bits) else 1
            return Block("lutra_reorder", params, {"FILE": Memory(tuple(map(int, places)), bits)}, (width,), (width,))
        for i, ((count, _), far) in enumerate(zip(found, distances(found, 2 * words), strict=True), 1):
            params |= {f"COUNT{i}": count, f"STEP{i}": far}
        params |= {"FIRST": int(places[0]), "STEP_BLOCK": int(places[0] - places[-1] + words) % (2 * words)}
        return Block("lutra_reorder", params, {}, (width,), (width,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The memory, its addresses, and what counts or stores them; the register slice alone where all is wires."""
        width = self.lanes(fold, x)[0] * x.range.bits
        if self._wires(fold):
            return {"slice": float(width)}
        depth, width = self._memory(fold, x)
        places, address = self._places(fold), float((depth - 1).bit_length())
        found, bram, parts = digits(places), 0.0, {"one": 1.0, "address": address}
        if found is not None:
            parts |= {"ahead": address, "counter": float(sum((n - 1).bit_length() for n, _ in found))}
        elif in_block(fold, len(places), int(address) - 1):
            parts, bram = parts | {"read_ahead": address}, float(blocks(len(places), int(address) - 1, family))
        else:
            parts |= {"read_ahead": address, "lut.order": lut_bits(len(places), int(address) - 1, family)}
        if self._in_block(fold, x):
            return parts | {"ff.block_out": float(width), "bram": bram + sliced(depth, width)}
        return parts | {"ff.out": float(width), "bram": bram} | lut_ram(depth, width, family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """From `features`, by coefficients fitted to synthesis."""
        return estimate(family, "reorder", self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Transposes, depth to space and back, shuffles of runs, orders at random, backwards and unchanged."""
        from lutra.ops.reorder.samples import samples

        return samples()
