"""Which units' weights lie in one block memory, two by two: each reads it through a port of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from lutra.errors import LutraError
from lutra.hw.netlist import Block
from lutra.ir import Array, Graph, Node
from lutra.ops.base import SHARED, Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.shared import Shape, saved_blocks, shared, shared_bits, shared_cost
from lutra.plan.candidates import RAMS, vector
from lutra.plan.names import pipeline
from lutra.plan.stages import Stage, placed

Pairs = tuple[tuple[Node, Node], ...]
TRIED = 4_000  # partial matchings looked at


def shape(node: Node, fold: Fold) -> Shape:
    """Words and bits of the memory of a matrix's weights."""
    assert isinstance(node.op, MatMul), node.op
    return node.op.shape(fold, node.args[0].out)


def block_of(a: Stage, b: Stage) -> tuple[Block, tuple[int, int]]:
    """The memory that two stages share, and how many words it gives each again and again."""
    assert isinstance(a.unit, MatMul) and isinstance(b.unit, MatMul), (a, b)
    first, second = a.unit.memory(a.fold, a.xs[0]), b.unit.memory(b.fold, b.xs[0])
    return shared(first, second), (len(first.words), len(second.words))


def settled(
    graph: Graph, folds: Mapping[Node, Fold], family: str, worth: Array, given: Set[Node] = frozenset()
) -> tuple[dict[Node, Fold], Pairs]:
    """The folds, and the pairs whose memory is shared: of those that say SHARED, where what finds none has a memory of
    its own, the cheapest; else of all that are cheaper so, but those whose place is `given`. worth: prices.
    """
    pairs = paired(graph, folds, family)
    if any(f.ram == SHARED for f in folds.values()):
        alone = left_alone(pairs, folds)
        return {n: _alone(n, f, family, worth) if n in alone else f for n, f in folds.items()}, pairs
    pairs = cheaper(graph, {n: f for n, f in folds.items() if n not in given}, family, worth)
    inside = {n for pair in pairs for n in pair}
    return {n: replace(f, ram=SHARED) if n in inside else f for n, f in folds.items()}, pairs


def cheaper(graph: Graph, folds: Mapping[Node, Fold], family: str, worth: Array) -> Pairs:
    """Pairs of matrices that cost less with one memory than as they are, as much less as can be."""
    nodes = [n for n in pipeline(graph) if n in folds and _stays(n, folds[n])]
    shapes = [shape(n, folds[n]) for n in nodes]
    gain = [float(worth @ (_vector(n, folds[n], family) - _vector(n, replace(folds[n], ram=SHARED), family)))
            for n in nodes]  # without what the memory costs
    saved = [[0.0 if i == j or not shared_bits(a, b) else
              gain[i] + gain[j] - float(worth @ vector(shared_cost(a, b, family))) for j, b in enumerate(shapes)]
             for i, a in enumerate(shapes)]
    return tuple((nodes[i], nodes[j]) for i, j in matching(saved))


def _stays(node: Node, fold: Fold) -> bool:
    """Whether it is a matrix whose weights lie in a memory in the unit."""
    return isinstance(node.op, MatMul) and node.op.memorises(fold) and node.op.shape(fold, node.args[0].out)[0] > 1


def _vector(node: Node, fold: Fold, family: str) -> Array:
    return np.array(vector(placed("", node, fold).cost(family)))


def paired(graph: Graph, folds: Mapping[Node, Fold], family: str) -> Pairs:
    """Pairs of the nodes whose folds say SHARED, as many blocks saved as can be."""
    nodes = [n for n in pipeline(graph) if folds[n].ram == SHARED]
    shapes = [shape(n, folds[n]) for n in nodes]
    saved = [[0 if i == j else saved_blocks(a, b, family) for j, b in enumerate(shapes)] for i, a in enumerate(shapes)]
    return tuple((nodes[i], nodes[j]) for i, j in matching(saved))


def left_alone(pairs: Pairs, folds: Mapping[Node, Fold]) -> set[Node]:
    """The nodes whose folds say SHARED and that are in no pair."""
    return {n for n, f in folds.items() if f.ram == SHARED}.difference(n for pair in pairs for n in pair)


def _alone(node: Node, fold: Fold, family: str, worth: Array) -> Fold:
    """The fold with the cheapest memory of its own."""
    found = [replace(fold, ram=ram) for ram in RAMS]
    return min(found, key=lambda f: float(worth @ vector(placed("", node, f).cost(family))))


def matching(saved: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Disjoint pairs (i, j), i < j, with the greatest sum of saved[i][j], a symmetric table; of equal ones, neighbours.

    Branch and bound: what a partial matching can still gain is at most half of the best that each of the rest has.
    Exact unless more than TRIED partial matchings are looked at, which only lets a pair be missed.
    """
    most = [max(row, default=0.0) for row in saved]
    best: tuple[float, list[tuple[int, int]]] = 0.0, []
    tried = 0
    stack: list[tuple[float, list[tuple[int, int]], tuple[int, ...]]]
    stack = [(0.0, [], tuple(i for i in range(len(saved)) if most[i] > 0))]
    while stack and tried < TRIED:
        gained, pairs, rest = stack.pop()
        tried += 1
        if gained > best[0]:
            best = gained, pairs
        if len(rest) < 2 or gained + _bound([most[i] for i in rest]) <= best[0]:
            continue
        first, others = rest[0], rest[1:]
        stack.append((gained, pairs, others))
        partners = sorted((j for j in others if saved[first][j] > 0), key=lambda j: (saved[first][j], -j))
        for j in partners:  # the best is looked at first
            left = tuple(k for k in others if k != j)
            stack.append((gained + saved[first][j], [*pairs, (first, j)], left))
    return best[1]


def _bound(most: list[float]) -> float:
    """What pairs can gain: half of the best of each, but of the least where one is left over."""
    return (sum(most) - (min(most) if len(most) % 2 else 0.0)) / 2 * (1 + 1e-12)


def check(pairs: Pairs, folds: Mapping[Node, Fold]) -> None:
    """Pairs are of all nodes whose folds say SHARED, each in one."""
    nodes = [n for pair in pairs for n in pair]
    assert sorted(map(id, nodes)) == sorted(id(n) for n, f in folds.items() if f.ram == SHARED), "pairs are of SHARED"


def check_asked(pairs: Pairs, folds: Mapping[Node, Fold], names: Mapping[Node, str]) -> None:
    """LutraError where a layer's fold, as given by hand, says SHARED and it is in no pair."""
    for node in left_alone(pairs, folds):
        raise LutraError(f"ram={SHARED!r}: no other layer's weights save a block memory with its own",
                         f"folding of {names[node]}", f"give {SHARED!r} to two layers, or 'block'")
