"""The integer graph, run fast and exactly: each node's kernel, chosen once, over batches that stay in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Graph, Input, Node
from lutra.ops.base import Join, Unit
from lutra.ops.matmul.op import MatMul
from lutra.sim import bits
from lutra.sim.threads import cores, side_by_side
from lutra.tools.cache import Cache

WORD = 8  # bytes of the widest number type that a kernel uses
CACHED, MEMORY = 8 << 20, 32 << 20  # bytes: what stays in a core's cache, and the most that one part may take
FEW = 8  # frames that a matrix product needs to be fast, cached or not
WORTH = 1 << 17  # numbers in a part from which a thread of its own pays


Kernel = Callable[..., Array]


@dataclass(frozen=True)
class Step:
    """One node: its kernel (none for an input), the values that it reads, and those that nobody reads after it."""

    kernel: Kernel | None
    args: tuple[int, ...]
    done: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs an integer graph on arrays (N, *shape), one for each of its inputs.

    cache: where the compiled product of bipolar matrices is kept; without one they are multiplied in floating point.
    """

    graph: Graph
    cache: Cache | None = None

    def run(self, x: Array) -> Array:
        """The integers (N, *shape), int64, of the one output, for the one input; see `outputs`."""
        (y,) = self.outputs((x,))
        return y

    def outputs(self, xs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Each output's integers (N, *shape), int64, of input integers (N, *shape) of any numeric type.

        Values must lie in the inputs' ranges; they are not checked here.
        """
        count = self._count(xs)
        most, least = self._part
        if 0 < count <= min(most, least):
            return self._frames(xs)
        each = min(most, max(least, -(-count // cores())))
        done = side_by_side(self._frames, [tuple(x[i : i + each] for x in xs) for i in range(0, count, each)])
        return tuple(np.concatenate(y) for y in zip(*done, strict=True)) if done else tuple(
            self._empty(n) for n in self.graph.outputs)

    def all(self, *xs: Array) -> list[Array]:
        """The integers of every node, in the order of `graph.nodes`, each (N, *shape), int64."""
        count, each = self._count(xs), self._part[0]
        parts = [[v.astype(np.int64) for v in self._every(tuple(x[i : i + each] for x in xs))]
                 for i in range(0, count, each)]
        columns = zip(*parts, strict=True) if parts else [()] * len(self.graph.nodes)
        return [np.concatenate([self._empty(n), *c]) for n, c in zip(self.graph.nodes, columns, strict=True)]

    def _frames(self, xs: tuple[Array, ...]) -> tuple[Array, ...]:
        if self._chain is None:
            return self._freeing(xs)
        (x,) = xs
        for kernel in self._chain:
            x = kernel(x)
        return (x.astype(np.int64),)

    def _freeing(self, xs: tuple[Array, ...]) -> tuple[Array, ...]:
        """The outputs, no value being held longer than until its last reader has run."""
        values: dict[int, Array] = dict(zip(self._ends[0], xs, strict=True))
        for i, step in enumerate(self._steps):
            if step.kernel:
                values[i] = step.kernel(*(values[a] for a in step.args))
            for a in step.done:
                del values[a]
        return tuple(values[i].astype(np.int64) for i in self._ends[1])

    def _every(self, xs: tuple[Array, ...]) -> list[Array]:
        given = dict(zip(self._ends[0], xs, strict=True))
        values: list[Array] = []
        for i, step in enumerate(self._steps):
            values.append(step.kernel(*(values[a] for a in step.args)) if step.kernel else given[i])
        return values

    def _count(self, xs: tuple[Array, ...]) -> int:
        """How many frames there are."""
        for k, (x, node) in enumerate(zip(xs, self.graph.inputs, strict=True)):
            if x.shape[1:] != node.out.shape:
                raise LutraError(f"frames have the shape {x.shape[1:]}, the graph reads {node.out.shape}", f"input {k}")
        counts = {len(x) for x in xs}
        if len(counts) != 1:
            raise LutraError(f"the inputs have {' and '.join(map(str, sorted(counts)))} frames", "input",
                             "give as many for each of them")
        return counts.pop()

    @staticmethod
    def _empty(node: Node) -> Array:
        return np.empty((0, *node.out.shape), np.int64)

    @cached_property
    def _ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where inputs and outputs stand among the nodes."""
        index = {n: i for i, n in enumerate(self.graph.nodes)}
        return tuple(index[n] for n in self.graph.inputs), tuple(index[n] for n in self.graph.outputs)

    @cached_property
    def _steps(self) -> list[Step]:
        nodes = self.graph.nodes
        index = {n: i for i, n in enumerate(nodes)}
        last = {i: max((index[u] for u in self.graph.users[n]), default=i) for i, n in enumerate(nodes)}
        done: list[list[int]] = [[] for _ in nodes]
        for i, reader in last.items():
            if i not in self._ends[1]:
                done[reader].append(i)
        return [Step(self._kernel(n), tuple(index[a] for a in n.args), tuple(done[i])) for i, n in enumerate(nodes)]

    def _kernel(self, node: Node) -> Kernel | None:
        match node.op:
            case Input():
                return None
            case MatMul(weights=weights) as op if self.cache and op.coding.bipolar and node.args[0].out.range.bipolar:
                return bits.product(weights.array, op.kernel(node.args[0].out), self.cache)
            case Unit() as op:
                return op.kernel(node.args[0].out)
            case Join() as op:
                return op.kernel(tuple(a.out for a in node.args))
            case _:
                return node.op.evaluate

    @cached_property
    def _chain(self) -> tuple[Kernel, ...] | None:
        """The kernels of a graph in which each node reads the one before it; None for any other."""
        straight = all(step.args == (i - 1,) for i, step in enumerate(self._steps) if i)
        if not straight or self.graph.outputs != self.graph.nodes[-1:]:
            return None
        return tuple(step.kernel for step in self._steps if step.kernel)

    @cached_property
    def _part(self) -> tuple[int, int]:
        """The most frames that run at once, and from how many a second core helps."""
        sizes = [n.out.size for n in self.graph.nodes]
        held = {i: sizes[i] for i in self._ends[0]}
        live, step = 0, max(n.out.size + sum(a.out.size for a in n.args) for n in self.graph.nodes)
        for i, size in enumerate(sizes):
            held[i] = size
            live = max(live, sum(held.values()))
            for a in self._steps[i].done:
                del held[a]
        most = min(max(1, MEMORY // (WORD * live)), max(FEW, CACHED // (WORD * step)))
        return most, max(1, WORTH // step)
