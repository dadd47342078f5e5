"""Table: any function of an element, written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block, Memory, pack
from lutra.ir import Array, Constant, Node, Range, Tensor, covering
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.elementwise import Elementwise, by_word, check_rows, lookup
from lutra.ops.rom import blocks, in_block, lut_bits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Table(Elementwise):
    """y = values[c, i] where x is the i-th value of the range `of`. values: (C or 1, of.levels) integers."""

    values: Constant
    of: Range

    MAX_BITS: ClassVar[int] = 12  # of x

    @property
    def rows(self) -> int:
        """Channels with a table of their own; 1 where all share one."""
        return self.values.shape[0]

    def infer(self, *args: Tensor) -> Tensor:
        """The same shape, the narrowest range of the values."""
        (x,) = args
        shape = self.values.shape
        if x.range.bits > self.MAX_BITS:
            raise LutraError(f"a table over {x.range} has {x.range.levels} entries a channel",
                             hint=f"up to {self.MAX_BITS} bits; quantise to fewer before it")
        if len(shape) != 2 or shape[1] != self.of.levels or self.values.array.dtype.kind not in "iu":
            raise LutraError(f"a table {self.values.array.dtype}{shape} for the {self.of.levels} values of {self.of}")
        if not x.range.within(self.of):
            raise LutraError(f"a table of {self.of} for values in {x.range}")
        check_rows("values", self.rows, x)
        return Tensor(x.shape, covering(self._reached(x.range)))

    def _reached(self, x: Range) -> Array:
        """The entries (rows, levels of x) of the values of x, all or fewer of those of the table."""
        entries: Array = self.values.array[:, (x.values() - self.of.lo) // self.of.step]
        return entries

    def evaluate(self, *args: Array) -> Array:
        """Entries, in 64 bits."""
        (x,) = args
        index = (x.astype(np.int64) - self.of.lo) // self.of.step
        row = np.arange(self.rows) if self.rows > 1 else 0
        y: Array = self.values.array.astype(np.int64)[row, index]
        return y

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """The same, with entries in floating point that holds them."""
        return lookup(np.repeat(self.values.array, self.of.step, axis=1), self.of)

    def latency(self, x: Tensor) -> int:
        """Address, memory, slice."""
        return 3

    def _memory(self, fold: Fold, x: Tensor) -> tuple[int, int, bool]:
        """Depth and width of a lane's memory, and whether it is a block memory."""
        depth, width = self.words(fold, x) << x.range.bits, self.infer(x).range.bits
        return depth, width, in_block(fold, depth, width)

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_table`. Word nf << bits | code: the entries of a word's channels, or the one that all share."""
        pe, nf, y = self.lanes(fold, x)[0], self.words(fold, x), self.infer(x).range
        lanes = 1 if self.rows == 1 else pe
        full = np.zeros((self.rows, 1 << x.range.bits), np.int64)
        full[:, x.range.encode(x.range.values())] = y.encode(self._reached(x.range))
        words = by_word(full, self.rows, fold, nf)[:, :lanes].transpose(0, 2, 1).reshape(-1, lanes)
        params = {"PE": pe, "NF": nf, "XBITS": x.range.bits, "OBITS": y.bits, "LANES": lanes,
                  "BLOCK": int(self._memory(fold, x)[2])}
        return Block("lutra_table", params, {"VALUES": Memory(pack(words, y.bits), lanes * y.bits)},
                     (pe * x.range.bits,), (pe * y.bits,))

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """table: LUTs of the memories; out: bits of the slice; ff.*: registers."""
        depth, width, block = self._memory(fold, x)
        pe, nf = fold.pe, self.words(fold, x)
        index = (nf - 1).bit_length()
        return {
            "lut.table": 0 if block else pe * lut_bits(depth, width, family),
            "lut.out": pe * width,
            "lut.control": index,
            "unit": 1,
            "ff.address": pe * x.range.bits,
            "ff.out": pe * width * (2 if block else 3),
            "ff.control": index * (1 + pe),
            "bram": pe * blocks(depth, width, family) if block else 0,
        }

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis."""
        return estimate(family, self.kind, self.features(fold, x, family))

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Tables of 1 to 8 bits in and out, bipolar and signed, one row or one a channel."""
        from lutra.ops.table.samples import nodes

        return nodes()
