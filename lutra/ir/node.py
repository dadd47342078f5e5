"""Graph: what is computed. Frozen nodes, each its own single value; an ill-typed graph cannot be built."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lutra.errors import LutraError
from lutra.ir.range import Array, Range, covering


@dataclass(frozen=True, slots=True)
class Real:
    """A real number, in double precision: what the edges of a source graph carry."""

    def __str__(self) -> str:
        return "real"


REAL = Real()


@dataclass(frozen=True, slots=True)
class Tensor:
    """Shape of one frame (no batch axis) and what each element is.

    In an integer graph channels are last; in a source graph the axes are the source's own.
    """

    shape: tuple[int, ...]
    elem: Range | Real

    @property
    def size(self) -> int:
        """Elements a frame."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def channels(self) -> int:
        """Length of the last axis."""
        return self.shape[-1]

    @property
    def pixels(self) -> int:
        """Elements a frame over channels."""
        return self.size // self.channels

    @property
    def range(self) -> Range:
        """The element's integer range."""
        if isinstance(self.elem, Range):
            return self.elem
        raise LutraError(f"a real tensor of shape {self.shape} where integers are needed")

    def __str__(self) -> str:
        return f"[{','.join(map(str, self.shape))}] {self.elem}"


@dataclass(frozen=True, eq=False, repr=False)
class Constant:
    """An array that never changes: read-only, compared and hashed by content."""

    array: Array

    def __post_init__(self) -> None:
        array = np.array(self.array, order="C")
        array.setflags(write=False)
        object.__setattr__(self, "array", array)

    @cached_property
    def digest(self) -> str:
        """Content hash: type, shape and bytes."""
        head = f"{self.array.dtype.str}{self.array.shape}".encode()
        return hashlib.sha256(head + self.array.tobytes()).hexdigest()

    @cached_property
    def range(self) -> Range:
        """The narrowest integer range that holds it."""
        return covering(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.array.shape

    def __repr__(self) -> str:
        return f"Constant({self.array.dtype}{list(self.shape)} {self.digest[:8]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class Op(ABC):
    """An operation: a frozen dataclass whose fields are its facts, constants among them (see `Constant`)."""

    @abstractmethod
    def infer(self, *args: Tensor) -> Tensor:
        """Type of the result; LutraError where the arguments do not fit."""

    @abstractmethod
    def evaluate(self, *args: Array) -> Array:
        """The meaning. Arrays have a batch axis before the tensor's shape."""

    @property
    def kind(self) -> str:
        """The operator's name in text, reports and netlists."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Input(Op):
    """A frame from outside."""

    name: str
    tensor: Tensor

    def infer(self, *args: Tensor) -> Tensor:
        """The declared tensor."""
        return self.tensor

    def evaluate(self, *args: Array) -> Array:
        """Never called: the value is given."""
        raise AssertionError("an input is fed, not evaluated")


@dataclass(frozen=True, eq=False)
class Node:
    """One operation applied to the values of other nodes. `loc` says where it came from in the user's model."""

    op: Op
    args: tuple[Node, ...] = ()
    loc: str = ""
    out: Tensor = field(init=False)

    def __post_init__(self) -> None:
        try:
            out = self.op.infer(*(a.out for a in self.args))
        except LutraError as e:
            raise LutraError(e.what, e.at or self.loc, e.hint) from e
        object.__setattr__(self, "out", out)

    def __repr__(self) -> str:
        return f"Node({self.op.kind} of {len(self.args)}, {self.out}, {self.loc!r})"  # not what it reads: a whole graph


@dataclass(frozen=True, eq=False)
class Graph:
    """Inputs and outputs; the nodes are what the outputs reach."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes)"  # `lutra.ir.text` has them all

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, arguments before their users, in a fixed order."""
        order: dict[Node, None] = {}
        stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(self.inputs + self.outputs)]
        while stack:
            node, ready = stack.pop()
            if node in order:
                continue
            if ready:
                order[node] = None
            else:
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args))
        return tuple(order)

    @cached_property
    def users(self) -> dict[Node, tuple[Node, ...]]:
        """For each node, the nodes that read it, once for each reading."""
        table: dict[Node, list[Node]] = {n: [] for n in self.nodes}
        for node in self.nodes:
            for arg in node.args:
                table[arg].append(node)
        return {n: tuple(u) for n, u in table.items()}

    def evaluate(self, *frames: Array) -> dict[Node, Array]:
        """The value of every node for a batch of frames, by each operator's own meaning."""
        values: dict[Node, Array] = dict(zip(self.inputs, frames, strict=True))
        for node in self.nodes:
            if node not in values:
                values[node] = node.op.evaluate(*(values[a] for a in node.args))
        return values

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
