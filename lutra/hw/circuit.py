"""Circuit: integers that are sums and roundings of others, as data. What a unit is made of that is fully unrolled.

A circuit has no control and no time: `lutra.hw.pipelined` puts registers between its levels, `lutra.hw.unrolled` prints
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from lutra.ir import Array, Range

Integers = TypeVar("Integers", int, Array)


@dataclass(frozen=True)
class Operand:
    """Cell `index` of a circuit times 2**shift. Below 0: the cell is a multiple of 2**-shift."""

    index: int
    shift: int = 0


@dataclass(frozen=True)
class Port:
    """An input: element `element` of the word."""

    element: int


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: int


@dataclass(frozen=True)
class Adder:
    """left + right, or left - right. `left` None: 0."""

    left: Operand | None
    right: Operand
    minus: bool


@dataclass(frozen=True)
class Clip:
    """clip(floor(of / 2**shift), lo, hi), shift of either sign. `even`: where `of` is a multiple of 2**shift the
    quotient's lowest bit is 0, so that half a step added before makes it rounding half to even.
    """

    of: int
    shift: int
    even: bool
    lo: int
    hi: int

    def __call__(self, t: int) -> int:
        """Of one integer."""
        q = times(t, -self.shift)
        if self.even and q << self.shift == t:
            q &= ~1
        return min(max(q, self.lo), self.hi)


Cell = Port | Number | Adder | Clip


@dataclass(frozen=True)
class Lane:
    """An element of a word: an operand (None: 0) and a constant, and the values that the sum can have."""

    operand: Operand | None
    offset: int
    range: Range


@dataclass
class Circuit:
    """Cells, each over those before it; of each its exact range, and how many adders lie on the way to it."""

    cells: list[Cell] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def ports(self, count: int, x: Range) -> list[Lane]:
        """The inputs."""
        return [Lane(Operand(self.add(Port(k), x, 0)), 0, x) for k in range(count)]

    def add(self, cell: Cell, of: Range, level: int) -> int:
        """One more cell; its index."""
        self.cells.append(cell)
        self.ranges.append(of)
        self.levels.append(level)
        return len(self.cells) - 1

    def plus(self, operand: Operand, constant: int, of: Range, minus: bool = False) -> Operand:
        """The sum constant + operand, or constant - operand, which lies in `of`. As it is one sum with the adder
        before, of three terms, it is no level of its own.
        """
        level = self.levels[operand.index]
        if not constant:
            return Operand(self.add(Adder(None, operand, True), of, level)) if minus else operand
        number = Operand(self.add(Number(constant), Range(constant, constant), 0))
        return Operand(self.add(Adder(number, operand, minus), of, level))

    def settled(self, lanes: list[Lane]) -> list[Operand | None]:
        """The lanes as operands, their constants added; None where a lane is 0."""
        found: list[Operand | None] = []
        for lane in lanes:
            if lane.operand is not None:
                found.append(self.plus(lane.operand, lane.offset, lane.range))
            else:
                number = Operand(self.add(Number(lane.offset), lane.range, 0)) if lane.offset else None
                found.append(number)
        return found

    def evaluate(self, x: Array) -> list[Array]:
        """The value of each cell for words x (words, elements)."""
        values: list[Array] = []
        for cell in self.cells:
            match cell:
                case Port(element):
                    values.append(x[:, element])
                case Number(value):
                    values.append(x[:, 0] * 0 + value)
                case Adder(left, right, minus):
                    b = times(values[right.index], right.shift)
                    a = 0 if left is None else times(values[left.index], left.shift)
                    values.append(a - b if minus else a + b)
                case Clip(of):
                    values.append(x[:, 0] * 0 + [cell(int(t)) for t in values[of]])
        return values


def times(values: Integers, shift: int) -> Integers:
    """The floor of integers times 2**shift."""
    return values << shift if shift >= 0 else values >> -shift
