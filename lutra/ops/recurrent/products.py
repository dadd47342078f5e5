"""One of the two products of a recurrent cell as hardware: of the column, or of h."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lutra.hw.netlist import Memory, Param, pack
from lutra.ir import Array, Constant, Range
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import estimate
from lutra.ops.matmul.codes import left_out
from lutra.ops.matmul.features import of_products
from lutra.ops.matmul.forms import FORMS, KINDS, depth, form
from lutra.ops.matmul.lanes import Lanes
from lutra.ops.matmul.parities import with_parities
from lutra.ops.rom import in_block, slice_bits


@dataclass(frozen=True)
class Products:
    """weights (directions, gates, H, columns) times values in x, shifted to the left: the gates of `fold.pe` neurons,
    and `simd` columns, at once.
    """

    weights: Constant
    x: Range
    shift: int
    simd: int
    fold: Fold

    @property
    def words(self) -> int:
        """Words of x in a sum."""
        return self.weights.shape[3] // self.simd

    @cached_property
    def coding(self) -> Range:
        """The range whose codes are the weights in memory."""
        alike = bool((np.abs(self.weights.array) == 1).all())
        return Range(-1, 1, 2) if alike else self.weights.range

    @property
    def lanes(self) -> Lanes:
        """What a slot multiplies."""
        return Lanes(self.fold.pe * self.weights.shape[1], self.simd, self.x, self.coding)

    @cached_property
    def form(self) -> str:
        """How it multiplies; see `lutra.ops.matmul.forms`."""
        return form(self.fold, self.lanes)

    @property
    def depth(self) -> int:
        """Registers from a slot to its products."""
        return depth(self.form, self.lanes)

    @property
    def width(self) -> int:
        """Bits of a word of weights."""
        return self.lanes.pe * self.simd * self.coding.bits

    @property
    def places(self) -> int:
        """How many words of weights there are."""
        return self.weights.array.size // (self.lanes.pe * self.simd)

    @property
    def in_block(self) -> bool:
        """Whether the weights lie in block RAM."""
        return in_block(self.fold, self.places, self.width)

    @property
    def cut(self) -> int:
        """Bits of the slices of block RAM in which they lie; 0 where it is LUTs."""
        return slice_bits(self.places, self.width) if self.in_block else 0

    def memory(self) -> Memory:
        """The weights. Word (direction, nf, s): lane (p * gates + g) * SIMD + q is that of neuron nf * PE + p's gate g
        and column s * SIMD + q.
        """
        directions, gates, rows, columns = self.weights.shape
        pe, simd = self.fold.pe, self.simd
        tiles = self.coding.encode(self.weights.array).reshape(directions, gates, rows // pe, pe, columns // simd, simd)
        tiles = tiles.transpose(0, 2, 4, 3, 1, 5)
        stored = with_parities(tiles) if self.coding.bipolar else tiles
        return Memory(pack(stored.reshape(self.places, -1), self.coding.bits), self.width, self.cut)

    def params(self, name: str) -> dict[str, Param]:
        """Of the module, that begin with `name`."""
        return {f"{name}SCALE": self.x.step << self.shift, f"{name}WBITS": self.coding.bits,
                f"{name}WSIGNED": int(self.coding.signed), f"{name}BIPOLAR": int(self.coding.bipolar),
                f"{name}FORM": FORMS.index(self.form), f"{name}DEPTH": self.depth, f"{name}BLOCK": self.cut}

    def cost(self, family: str) -> Cost:
        """Of the products alone, as those of a matrix cost."""
        return estimate(family, KINDS[self.form], of_products(self.form, self.lanes, family))

    def missing(self) -> Array:
        """What the sums of codes (directions, gates, H) lack."""
        return left_out(self.weights.array, self.coding.bipolar, self.x) << self.shift
