"""A constant matrix as a graph of adders and shifts: what a unit that is fully unrolled multiplies with.

The graph is found by the solver of da4ml (C. Sun et al., "da4ml: Distributed Arithmetic for Real-time Neural Networks
on FPGAs", arXiv 2507.04535), from common subexpressions of the weights' signed digits. What it gives is taken over cell
by cell as linear forms of the inputs, so that a cell's range is exact and the outputs are proved to be the matrix.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.hw.circuit import Adder, Circuit, Lane, Operand
from lutra.ir import Array, Constant, Range

SLOWER = 2  # adders that a row's sum may be deeper than the least, where that saves some
Signed = tuple[int, Operand] | None  # sign * 2**shift times a cell; None is 0


def found() -> bool:
    """Whether the solver is installed."""
    return find_spec("da4ml") is not None


def multiply(circuit: Circuit, matrix: Array, lanes: list[Lane]) -> list[Lane]:
    """The lanes of W x for those of x, by adders that the circuit gets. LutraError where the solver is missing."""
    bases: dict[int, int] = {}  # cells that the lanes are multiples of: by what power of two at least
    for lane in lanes:
        if lane.operand is not None:
            bases[lane.operand.index] = min(lane.operand.shift, bases.get(lane.operand.index, lane.operand.shift))
    columns = np.zeros((len(matrix), len(bases)), np.int64)
    for lane, column in zip(lanes, matrix.T.astype(np.int64), strict=True):
        if lane.operand is not None:
            index, shift = lane.operand.index, lane.operand.shift
            columns[:, list(bases).index(index)] += column << (shift - bases[index])
    offsets = matrix.astype(np.int64) @ np.array([lane.offset for lane in lanes], np.int64)
    grown = _Growing(circuit, [Operand(i, s) for i, s in bases.items()])
    sums = grown.solved(columns) if columns.any() else [None] * len(matrix)
    lows, highs = grown.reach(columns)
    return [Lane(operand, int(c), Range(int(lo + c), int(hi + c)))
            for operand, c, lo, hi in zip(sums, offsets, lows, highs, strict=True)]


@lru_cache(maxsize=64)
def _solve(matrix: Constant, spans: tuple[Range, ...], levels: tuple[int, ...]) -> Any:
    """The solver's answer for weights (MH, MW); spans, levels: of each input."""
    if not found():
        raise LutraError("the solver da4ml is needed and was not found", hint='pip install "lutra[adders]"')
    from da4ml.cmvm import solve

    intervals = [(float(x.lo), float(max(x.hi, x.lo + 1)), 1.0) for x in spans]  # of a constant 0 it makes nothing
    return solve(np.ascontiguousarray(matrix.array.T, np.float32), hard_dc=SLOWER, qintervals=intervals,
                 latencies=[float(level) for level in levels], adder_size=1)


class _Growing:
    """Takes a solution over into a circuit. forms: of each cell, as a sum of the bases."""

    def __init__(self, circuit: Circuit, bases: list[Operand]) -> None:
        self.circuit, self.bases = circuit, bases
        self.forms = {b.index: row * 2.0**-b.shift for b, row in zip(bases, np.eye(len(bases)), strict=True)}
        lows, highs = ([int(getattr(circuit.ranges[b.index], end) * 2.0**b.shift) for b in bases]
                       for end in ("lo", "hi"))
        self.lows, self.highs = np.array(lows, np.int64), np.array(highs, np.int64)

    def reach(self, forms: Array) -> tuple[Array, Array]:
        """The least and the greatest of sums of the bases (sums, bases)."""
        ends = np.stack([forms * self.lows, forms * self.highs])
        return ends.min(axis=0).sum(axis=-1), ends.max(axis=0).sum(axis=-1)

    def solved(self, matrix: Array) -> list[Operand | None]:
        """The rows of a matrix."""
        spans = tuple(Range(int(lo), int(hi)) for lo, hi in zip(self.lows, self.highs, strict=True))
        levels = tuple(self.circuit.levels[b.index] for b in self.bases)
        values: list[Signed] = [(1, b) for b in self.bases]
        for part in _solve(Constant(matrix), spans, levels).solutions:
            values = self._part(part, values)
        rows = [None if v is None else self._positive(*v) for v in values]
        for row, out in zip(matrix, rows, strict=True):
            scaled = np.zeros(len(row)) if out is None else self.forms[out.index] * 2.0**out.shift
            assert np.array_equal(scaled, row), (row, scaled)
        return rows

    def _part(self, part: Any, values: list[Signed]) -> list[Signed]:
        """One of the solution's factors: its outputs, from its inputs."""
        nodes: list[Signed] = []
        for op in part.ops:
            if op.opcode == -1:
                nodes.append(_scaled(values[op.id0], int(part.inp_shifts[op.id0])))
            else:
                assert op.opcode in (0, 1), op
                nodes.append(self._sum(nodes[op.id0], _scaled(nodes[op.id1], int(op.data), op.opcode == 1)))
        outs = zip(part.out_idxs, part.out_shifts, part.out_negs, strict=True)
        return [None if i < 0 else _scaled(nodes[i], int(shift), bool(minus)) for i, shift, minus in outs]

    def _sum(self, a: Signed, b: Signed) -> Signed:
        if a is None or b is None:
            return a if b is None else b
        (sa, x), (sb, y) = a, b
        low = min(x.shift, y.shift)
        x, y = Operand(x.index, x.shift - low), Operand(y.index, y.shift - low)
        if sa < 0 < sb:
            x, y = y, x
        sign = -1 if sa < 0 and sb < 0 else 1
        return sign, Operand(self._add(Adder(x, y, sa != sb)), low)

    def _positive(self, sign: int, value: Operand) -> Operand:
        return value if sign > 0 else Operand(self._add(Adder(None, Operand(value.index), True)), value.shift)

    def _add(self, adder: Adder) -> int:
        left, right = adder.left, adder.right
        form = self.forms[right.index] * 2.0**right.shift
        form = -form if adder.minus else form
        level = self.circuit.levels[right.index]
        if left is not None:
            form = form + self.forms[left.index] * 2.0**left.shift
            level = max(level, self.circuit.levels[left.index])
        lo, hi = self.reach(form)
        index = self.circuit.add(adder, Range(int(lo), int(hi)), level + 1)
        self.forms[index] = form
        return index


def _scaled(value: Signed, shift: int, minus: bool = False) -> Signed:
    if value is None:
        return None
    sign, operand = value
    return (-sign if minus else sign), Operand(operand.index, operand.shift + shift)
