"""The integer graph, run fast and exactly: each node's kernel, chosen once, over batches that stay in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Graph, Input, Node
from lutra.ops.base import Unit
from lutra.ops.matmul.op import MatMul
from lutra.sim import bits
from lutra.tools.cache import Cache

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

WORD = 8  # bytes of the widest number type that a kernel uses
CACHED, MEMORY = 8 << 20, 32 << 20  # bytes: what stays in a core's cache, and the most that one part may take
FEW = 8  # frames that a matrix product needs to be fast, cached or not
WORTH = 1 << 17  # numbers in a part from which a thread of its own pays


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs an integer graph of one input and one output on arrays (N, *shape).

    cache: where the compiled product of bipolar matrices is kept; without one they are multiplied in floating point.
    """

    graph: Graph
    cache: Cache | None = None

    def run(self, x: Array) -> Array:
        """The output's integers (N, *shape), int64, of input integers x (N, *shape) of any numeric type.

        Values must lie in the input's range; they are not checked here.
        """
        self._check(x)
        most, least = self._part
        if 0 < len(x) <= min(most, least):
            return self._frames(x)
        each = min(most, max(least, -(-len(x) // cores())))
        done = side_by_side(self._frames, [x[i : i + each] for i in range(0, len(x), each)])
        return np.concatenate(done) if done else self._empty(self.graph.outputs[0])

    def all(self, x: Array) -> list[Array]:
        """The integers of every node, in the order of `graph.nodes`, each (N, *shape), int64."""
        self._check(x)
        each = self._part[0]
        parts = [[v.astype(np.int64) for v in self._values(x[i : i + each])] for i in range(0, len(x), each)]
        columns = zip(*parts, strict=True) if parts else [()] * len(self.graph.nodes)
        return [np.concatenate([self._empty(n), *c]) for n, c in zip(self.graph.nodes, columns, strict=True)]

    def _frames(self, x: Array) -> Array:
        if self._chain is None:
            return self._values(x)[self.graph.nodes.index(self.graph.outputs[0])].astype(np.int64)
        for kernel in self._chain:
            x = kernel(x)
        return x.astype(np.int64)

    def _values(self, x: Array) -> list[Array]:
        values: list[Array] = []
        for kernel, args in self._steps:
            values.append(kernel(*(values[a] for a in args)) if kernel else x)
        return values

    def _check(self, x: Array) -> None:
        shape = self.graph.inputs[0].out.shape
        if x.shape[1:] != shape:
            raise LutraError(f"frames have the shape {x.shape[1:]}, the graph reads {shape}", "input")

    @staticmethod
    def _empty(node: Node) -> Array:
        return np.empty((0, *node.out.shape), np.int64)

    @cached_property
    def _steps(self) -> list[tuple[Callable[..., Array] | None, tuple[int, ...]]]:
        """For each node its kernel (None: the input) and which nodes it reads."""
        index = {n: i for i, n in enumerate(self.graph.nodes)}
        return [(self._kernel(n), tuple(index[a] for a in n.args)) for n in self.graph.nodes]

    def _kernel(self, node: Node) -> Callable[..., Array] | None:
        match node.op:
            case Input():
                return None
            case MatMul(weights=weights) as op if self.cache and op.coding.bipolar and node.args[0].out.range.bipolar:
                return bits.product(weights.array, op.kernel(node.args[0].out), self.cache)
            case Unit() as op:
                return op.kernel(node.args[0].out)
            case _:
                return node.op.evaluate

    @cached_property
    def _chain(self) -> tuple[Callable[[Array], Array], ...] | None:
        """The kernels of a graph in which each node reads the one before it; None for any other."""
        straight = all(args == (i - 1,) for i, (_, args) in enumerate(self._steps) if i)
        if not straight or self.graph.outputs != self.graph.nodes[-1:]:
            return None
        return tuple(kernel for kernel, _ in self._steps if kernel)

    @cached_property
    def _part(self) -> tuple[int, int]:
        """The most frames that run at once, and from how many a second core helps."""
        frame = max(n.out.size + sum(a.out.size for a in n.args) for n in self.graph.nodes)
        most = min(max(1, MEMORY // (WORD * frame)), max(FEW, CACHED // (WORD * frame)))
        return most, max(1, WORTH // frame)


def side_by_side(work: Callable[[Array], Array], parts: Sequence[Array]) -> list[Array]:
    """The work on each part, on every core, and on one alone inside a matrix product: threads that share one product
    wait for each other, and where cores are busy they wait long. The caller works too, from the end.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        waiting = [_threads().submit(work, p) for p in parts]
        own = []
        for part, job in zip(reversed(parts), reversed(waiting), strict=True):
            if not job.cancel():
                break
            own.append(work(part))
        return [job.result() for job in waiting[: len(parts) - len(own)]] + own[::-1]


def cores() -> int:
    """How many cores there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="lutra")


@cache
def _libraries() -> ThreadpoolController:
    """The process's numeric libraries; finding them takes milliseconds, so once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
