"""Which units' weights lie in one block memory, two by two: each reads it through a port of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Graph, Node
from lutra.ops.base import SHARED, Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.shared import Shape, saved_blocks, shared
from lutra.plan.candidates import RAMS, vector
from lutra.plan.devices import Device
from lutra.plan.names import pipeline
from lutra.plan.prices import prices
from lutra.plan.stages import Stage, placed

Pairs = tuple[tuple[Node, Node], ...]
TRIED = 20_000  # partial matchings looked at


def shape(node: Node, fold: Fold) -> Shape:
    """Words and bits of the memory of a matrix's weights."""
    assert isinstance(node.op, MatMul), node.op
    return node.op.shape(fold, node.args[0].out)


def block_of(a: Stage, b: Stage) -> Block:
    """The memory that two stages share."""
    assert isinstance(a.unit, MatMul) and isinstance(b.unit, MatMul), (a, b)
    return shared(a.unit.memory(a.fold, a.xs[0]), b.unit.memory(b.fold, b.xs[0]))


def settled(graph: Graph, folds: Mapping[Node, Fold], device: Device) -> tuple[dict[Node, Fold], Pairs]:
    """The folds, where what says SHARED and finds no pair has a memory of its own, the cheapest; and the pairs."""
    pairs = paired(graph, folds, device.family)
    alone = left_alone(pairs, folds)
    return {n: _alone(n, f, device) if n in alone else f for n, f in folds.items()}, pairs


def paired(graph: Graph, folds: Mapping[Node, Fold], family: str) -> Pairs:
    """Pairs of the nodes whose folds say SHARED, as many blocks saved as can be."""
    nodes = [n for n in pipeline(graph) if folds[n].ram == SHARED]
    shapes = [shape(n, folds[n]) for n in nodes]
    saved = [[0 if i == j else saved_blocks(a, b, family) for j, b in enumerate(shapes)] for i, a in enumerate(shapes)]
    return tuple((nodes[i], nodes[j]) for i, j in matching(saved))


def left_alone(pairs: Pairs, folds: Mapping[Node, Fold]) -> set[Node]:
    """The nodes whose folds say SHARED and that are in no pair."""
    return {n for n, f in folds.items() if f.ram == SHARED}.difference(n for pair in pairs for n in pair)


def _alone(node: Node, fold: Fold, device: Device) -> Fold:
    """The fold with the cheapest memory of its own."""
    found = [replace(fold, ram=ram) for ram in RAMS]
    return min(found, key=lambda f: float(prices(device) @ vector(placed("", node, f).cost(device.family))))


def matching(saved: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Disjoint pairs (i, j), i < j, with the greatest sum of saved[i][j], a symmetric table; of equal ones, neighbours.

    Branch and bound: what a partial matching can still gain is at most half of the best that each of the rest has.
    Exact unless more than TRIED partial matchings are looked at, which only lets a pair be missed.
    """
    most = [max(row, default=0) for row in saved]
    best: tuple[int, list[tuple[int, int]]] = 0, []
    tried = 0
    stack: list[tuple[int, list[tuple[int, int]], tuple[int, ...]]]
    stack = [(0, [], tuple(i for i in range(len(saved)) if most[i] > 0))]
    while stack and tried < TRIED:
        gained, pairs, rest = stack.pop()
        tried += 1
        if gained > best[0]:
            best = gained, pairs
        if gained + sum(most[i] for i in rest) // 2 <= best[0]:
            continue
        first, others = rest[0], rest[1:]
        stack.append((gained, pairs, others))
        partners = sorted((j for j in others if saved[first][j] > 0), key=lambda j: (saved[first][j], -j))
        for j in partners:  # the best is looked at first
            left = tuple(k for k in others if k != j)
            stack.append((gained + saved[first][j], [*pairs, (first, j)], left))
    return best[1]


def check(pairs: Pairs, folds: Mapping[Node, Fold]) -> None:
    """Pairs are of all nodes whose folds say SHARED, each in one."""
    nodes = [n for pair in pairs for n in pair]
    assert sorted(map(id, nodes)) == sorted(id(n) for n, f in folds.items() if f.ram == SHARED), "pairs are of SHARED"


def check_asked(pairs: Pairs, folds: Mapping[Node, Fold], names: Mapping[Node, str]) -> None:
    """LutraError where a layer's fold, as given by hand, says SHARED and it is in no pair."""
    for node in left_alone(pairs, folds):
        raise LutraError(f"ram={SHARED!r}: no other layer's weights save a block memory with its own",
                         f"folding of {names[node]}", f"give {SHARED!r} to two layers, or 'block'")
