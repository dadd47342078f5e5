"""View: how a tensor of the source model stands on an integer stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Node
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import Elementwise

Chain = tuple[Elementwise, ...]


@dataclass(frozen=True)
class View:
    """A source tensor, said in terms of an integer node.

    index: for each element of the source tensor (its shape, its axes), the flat position in the node's value. So every
    reshape and transposition of the source is an operation on this array and costs no hardware.
    chain: the source's elementwise operations still to be applied to the integers, their parameters re-expressed per
    channel (last axis) of the node: arrays of shape () or (C,).
    """

    node: Node
    index: Array
    chain: Chain = ()

    @property
    def channels(self) -> int:
        """Channels of the integer node."""
        return self.node.out.channels

    def reindexed(self, change: Callable[[Array], Array]) -> View:
        """The same data after a reshape or transposition of the source tensor."""
        return replace(self, index=change(self.index))

    def extended(self, op: Elementwise, loc: str) -> View:
        """After one more elementwise operation of the source, whose parameters are in source axes.

        Where a parameter varies inside a channel, the stream is seen as one flat vector, each element its own channel.
        """
        try:
            return replace(self, chain=(*self.chain, self._localised(op)))
        except _VariesInChannelError:
            flat = self.flattened()
        if flat.channels > LARGEST_FLAT:
            raise LutraError(f"{op.kind} has a parameter for each of {flat.channels} elements", loc,
                             "use parameters per channel")
        return replace(flat, chain=(*flat.chain, flat._localised(op)))

    def _localised(self, op: Elementwise) -> Elementwise:
        params = tuple(self._per_channel(p) for p in op.params())
        return op.with_params(*params)

    def _per_channel(self, param: Array) -> Array:
        if param.size == 1:
            return param.reshape(())
        spread = np.broadcast_to(param, self.index.shape)
        placed = np.empty(self.index.size, spread.dtype)
        placed[self.index.ravel()] = spread.ravel()
        rows: Array = placed.reshape(-1, self.channels)
        if len(rows) > 1 and not (rows == rows[0]).all():
            raise _VariesInChannelError
        first: Array = rows[0]
        return first

    def flattened(self) -> View:
        """The same stream as one vector: every element is a channel."""
        size = self.node.out.size
        if self.node.out.shape == (size,):
            return self
        tiles = size // self.channels
        chain = tuple(op.with_params(*(p if p.size == 1 else np.tile(p, tiles) for p in op.params()))
                      for op in self.chain)
        return View(reshaped(self.node, (size,)), self.index, chain)


LARGEST_FLAT = 1 << 16  # elements with a parameter each


class _VariesInChannelError(Exception):
    """A parameter differs between elements of one channel."""


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    """The node under another shape; the node itself where it has it."""
    return node if node.out.shape == shape else Node(Reshape(shape), (node,), node.loc)


def apply(chain: Chain, x: Array) -> Array:
    """What the chain makes of integers x (..., C) or (..., 1): real numbers in double precision."""
    y = x.astype(np.float64)
    for op in chain:
        y = op.apply(y)
    return y


def channelwise(chain: Chain, channels: int) -> int:
    """How many different functions the chain is: 1, or one for each channel."""
    return channels if any(p.size > 1 for op in chain for p in op.params()) else 1
