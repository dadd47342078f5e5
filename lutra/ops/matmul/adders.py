"""A constant matrix as a graph of adders and shifts: what a unit that is fully unrolled multiplies with.

The graph is found by the solver of da4ml (C. Sun et al., "da4ml: Distributed Arithmetic for Real-time Neural Networks
on FPGAs", arXiv 2507.04535), from common subexpressions of the weights' signed digits. What it gives is taken over node
by node as linear forms of the inputs, so that a node's range is exact and the outputs are proved to be the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Range

LEVELS = 2  # adders from register to register


@dataclass(frozen=True)
class Operand:
    """Node `index` of a graph times 2**shift. An output's shift may be below 0: its node is a multiple of 2**-shift."""

    index: int
    shift: int = 0


@dataclass(frozen=True)
class Adder:
    """left + right, or left - right. `left` None: 0."""

    left: Operand | None
    right: Operand
    minus: bool


@dataclass(frozen=True)
class Adders:
    """y = W x. Node i < inputs is x[i]; node inputs + k is adders[k], over nodes before it. outputs: for each row its
    node and shift, None where the row is zero. ranges: of each node, exact. stages: of each node, behind how many
    registers its adder lies; `depth`: the most of an output.
    """

    inputs: int
    adders: tuple[Adder, ...]
    outputs: tuple[Operand | None, ...]
    ranges: tuple[Range, ...]
    stages: tuple[int, ...]
    depth: int


def found() -> bool:
    """Whether the solver is installed."""
    return find_spec("da4ml") is not None


@lru_cache(maxsize=64)
def adders(weights: Constant, x: Range) -> Adders:
    """The graph for weights (MH, MW) and inputs in x. LutraError where the solver is missing."""
    if not found():
        raise LutraError("the solver da4ml is needed and was not found", hint='pip install "lutra[adders]"')
    matrix = weights.array.astype(np.int64)
    builder = _Builder(matrix.shape[1])
    outputs = builder.solved(matrix, x)
    forms = np.array(builder.forms)
    for row, out in zip(matrix, outputs, strict=True):
        scaled = np.zeros_like(row) if out is None else forms[out.index] * 2.0**out.shift
        assert np.array_equal(scaled, row), (row, scaled)
    ends = np.stack([forms * x.lo, forms * x.hi])
    lows, highs = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
    ranges = tuple(Range(int(lo), int(hi)) for lo, hi in zip(lows, highs, strict=True))
    stages = tuple((level - 1) // LEVELS if level else 0 for level in builder.levels)
    last = max((stages[o.index] for o in outputs if o is not None), default=0)
    return Adders(matrix.shape[1], tuple(builder.made), tuple(outputs), ranges, stages, last)


class _Builder:
    """Takes a solution over. A signed operand is (sign, Operand): sign * 2**shift times a node, None is 0."""

    def __init__(self, inputs: int) -> None:
        self.made: list[Adder] = []
        self.forms: list[Array] = list(np.eye(inputs, dtype=np.int64))
        self.levels = [0] * inputs
        self.inputs = inputs

    def solved(self, matrix: Array, x: Range) -> list[Operand | None]:
        """The rows of a matrix."""
        from da4ml.cmvm import solve

        spans = [(float(x.lo), float(max(x.hi, x.lo + 1)), 1.0)] * self.inputs  # of a constant 0 it makes nothing
        values: list[tuple[int, Operand] | None] = [(1, Operand(i)) for i in range(self.inputs)]
        for part in solve(np.ascontiguousarray(matrix.T, np.float32), qintervals=spans).solutions:
            values = self._part(part, values)
        return [None if v is None else self._positive(*v) for v in values]

    def _part(self, part: Any, values: list[tuple[int, Operand] | None]) -> list[tuple[int, Operand] | None]:
        """One of the solution's factors: its outputs, from its inputs."""
        nodes: list[tuple[int, Operand] | None] = []
        for op in part.ops:
            if op.opcode == -1:
                nodes.append(_scaled(values[op.id0], int(part.inp_shifts[op.id0])))
            else:
                assert op.opcode in (0, 1), op
                nodes.append(self._sum(nodes[op.id0], _scaled(nodes[op.id1], int(op.data), op.opcode == 1)))
        outs = zip(part.out_idxs, part.out_shifts, part.out_negs, strict=True)
        return [None if i < 0 else _scaled(nodes[i], int(shift), bool(minus)) for i, shift, minus in outs]

    def _sum(self, a: tuple[int, Operand] | None, b: tuple[int, Operand] | None) -> tuple[int, Operand] | None:
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
        form = self.forms[right.index] << right.shift
        form = -form if adder.minus else form
        level = self.levels[right.index]
        if left is not None:
            form = form + (self.forms[left.index] << left.shift)
            level = max(level, self.levels[left.index])
        self.made.append(adder)
        self.forms.append(form)
        self.levels.append(level + 1)
        return len(self.forms) - 1


def _scaled(value: tuple[int, Operand] | None, shift: int, minus: bool = False) -> tuple[int, Operand] | None:
    if value is None:
        return None
    sign, operand = value
    return (-sign if minus else sign), Operand(operand.index, operand.shift + shift)
