"""A circuit (`lutra.hw.circuit`) with registers behind every few levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lutra.hw.circuit import Adder, Cell, Circuit, Clip, Number, Operand
from lutra.ir import Range

LEVELS = 2  # adders from register to register


@dataclass(frozen=True, eq=False)
class Pipelined:
    """A circuit and its outputs, None where one is 0. x, y: what the words' elements are coded as."""

    circuit: Circuit
    inputs: int
    outputs: tuple[Operand | None, ...]
    x: Range
    y: Range

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Of each cell, behind how many registers it lies."""
        return tuple((level - 1) // LEVELS if level else 0 for level in self.circuit.levels)

    @cached_property
    def depth(self) -> int:
        """Registers from input to output, the slice's not among them."""
        return max((self.stages[o.index] for o in self.outputs if o is not None), default=0)

    @cached_property
    def late(self) -> tuple[int, ...]:
        """By how many registers each cell is needed later than it is there."""
        late = [0] * len(self.stages)
        for k, cell in enumerate(self.circuit.cells):
            for index in reads(cell):
                late[index] = max(late[index], self.stages[k] - self.stages[index])
        for out in self.outputs:
            if out is not None:
                late[out.index] = max(late[out.index], self.depth - self.stages[out.index])
        return tuple(0 if isinstance(c, Number) else n for c, n in zip(self.circuit.cells, late, strict=True))

    def logic_bits(self) -> int:
        """Bits of all adders, without those that an operand's shift leaves as they are, and functions of roundings."""
        return sum(self._functions(cell, of) for cell, of in zip(self.circuit.cells, self.circuit.ranges, strict=True))

    def _functions(self, cell: Cell, of: Range) -> int:
        if isinstance(cell, Clip):
            return of.bits + self.circuit.ranges[cell.of].bits // 5
        if not isinstance(cell, Adder):
            return 0
        first = self.circuit.cells[cell.left.index] if cell.left is not None else None
        if isinstance(first, Number):
            return (first.value & ((1 << of.bits) - 1)).bit_count()
        kept = cell.right.shift if cell.left is not None and not cell.left.shift else 0
        if cell.left is not None and cell.left.shift and not cell.minus:
            kept = cell.left.shift
        return of.bits - min(max(kept, 0), of.bits)

    def register_bits(self) -> int:
        """Bits of the registers between stages."""
        return sum(late * of.bits for late, of in zip(self.late, self.circuit.ranges, strict=True))


def reads(cell: Cell) -> tuple[int, ...]:
    """The cells that a cell reads."""
    match cell:
        case Adder(left, right, _):
            return (right.index,) if left is None else (left.index, right.index)
        case Clip(of):
            return (of,)
    return ()
