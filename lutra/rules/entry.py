"""The input's end: what the host does before the hardware, and in which order the hardware is fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Graph, Input, Node, Op, Range, Tensor
from lutra.ops import source as src
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import Elementwise, real
from lutra.rules.affine import grid
from lutra.rules.ends import InputEnd
from lutra.rules.finest import finest
from lutra.rules.order import last_is_channels
from lutra.rules.view import View

SHAPED = (Reshape, src.Permute)


@dataclass(frozen=True)
class InputFormat:
    """What the hardware is fed: integers in `range`, each worth `scale`."""

    range: Range
    scale: float


def input_end(
    source: Graph, start: Node, given: InputFormat | None
) -> tuple[tuple[Node, ...], tuple[Node, ...], InputEnd]:
    """The source nodes that the host does behind an input of the source, those whose values the hardware is fed, and
    the input's end.
    """
    path = _path(source, start)
    if given is not None:
        order, shape = _stream_order(path, start.out.shape)
        return (), (start,), InputEnd(None, real(given.scale), real(0.0), given.range, Constant(order), shape,
                                      start.out.shape)
    before, fed, op = _host_quantises(source, start, path)
    after = path[len(before) + (fed[0].op == op) :]
    tensor, loc = fed[0].out, fed[0].loc
    order, shape = _stream_order(after, tensor.shape)
    seed = View(Node(Input("x", Tensor(shape, Range(0, 1)))), order).extended(op, loc)
    scale, offset = grid(seed.chain[0])
    codes = _codes(seed.chain[0], scale, offset)
    host = ops_graph([*((n.op, n.loc) for n in before), (op, loc)], start.out.shape)
    end = InputEnd(host, real(scale), real(offset), codes, Constant(order), seed.node.out.shape,
                   start.out.shape)
    return (*before, *fed), fed, end


def longest_of(source: Graph, start: Node) -> int | None:
    """For an input that says how long sequences are, the length of the longest; None for any other."""
    rooms = [n.args[0].out.shape[0] for n in source.users[start]
             if isinstance(n.op, src.Sequence) and n.args[1] is start]
    return min(rooms) if rooms else None


def lengths_end(longest: int) -> InputEnd:
    """Of lengths (N, 1), each 1 to `longest`."""
    return InputEnd(None, real(1.0), real(0.0), Range(1, longest), Constant(np.zeros(1, np.int64)), (1,), (1,))


def _codes(op: Elementwise, scale: Array, offset: Array) -> Range:
    """The integers that a quantiser's values are."""
    if isinstance(op, src.Cast):
        return op.codes  # what wraps has no largest argument
    reach = op.apply(np.array([[-1e300], [1e300]]))
    ends = np.rint((reach - offset) / scale).astype(np.int64)
    step = 2 if isinstance(op, src.BipolarQuant) or (isinstance(op, src.Quant) and op.codes.bipolar) else 1
    return Range(int(ends.min()), int(ends.max()), step)


def _path(source: Graph, start: Node) -> list[Node]:
    """From an input on, of several readers the first."""
    path = []
    while source.users[start]:
        start = source.users[start][0]
        path.append(start)
    return path


def _host_quantises(
    source: Graph, start: Node, path: list[Node]
) -> tuple[tuple[Node, ...], tuple[Node, ...], Elementwise]:
    """The nodes from the input on before the model's own input quantiser, those whose values it gives, and itself;
    LutraError where there is none.

    Where several quantise the input for themselves it is one that none of them sees (`finest`), behind the node that
    all of them read; where they are equal, it is theirs.
    """
    before = start
    for i, node in enumerate(path):
        users = source.users[before]
        if len(users) > 1:
            casts = [n.op for n in users if isinstance(n.op, src.Cast)]
            op = finest(casts) if len(casts) == len(users) else None
            if op is None:
                raise _parting(users, node.loc)
            return tuple(path[:i]), tuple(users) if len(set(casts)) == 1 else (before,), op
        if isinstance(node.op, Elementwise) and node.op.finite:
            return tuple(path[:i]), (node,), node.op
        if not isinstance(node.op, (Elementwise, *SHAPED)):
            raise LutraError("nothing quantises the model's input before this operator", node.loc,
                             "say what the hardware is fed: input_range=(lo, hi) and input_scale=what one is worth")
        before = node
    raise LutraError("nothing in the model is quantised", "model", "export the model with Quant nodes")


def _parting(users: Sequence[Node], loc: str) -> LutraError:
    said = ", ".join(sorted({n.op.kind for n in users}))
    return LutraError(f"the model's input feeds {len(users)} operators ({said}) that one quantiser does not serve", loc,
                      "cast it once, or by casts of RND or TRN that saturate; or say what the hardware is fed: "
                      "input_range=(lo, hi) and input_scale")


def _stream_order(path: list[Node], shape: tuple[int, ...]) -> tuple[Array, tuple[int, ...]]:
    """Position in the stream for each element of a source tensor, and the stream's shape: as the first unit reads it,
    channels last, so that nothing has to be reordered.
    """
    index = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    for node in path:
        match node.op:
            case src.Pad() as op if last_is_channels(tuple(map(sum, zip(op.before, op.after, strict=True))), 0):
                break
            case src.Upsample(factors=factors) if last_is_channels(factors, 1):
                break
            case src.Upsample(factors=factors) if index.ndim not in (2, 3) or factors[0] > 1:
                index = moved(node.op, index)  # copies that become channels
            case Reshape() | src.Permute():
                index = moved(node.op, index)
            case src.Conv() | src.ConvTranspose() | src.MaxPool() | src.AveragePool() | src.Pad() | src.Upsample() if (
                    index.ndim in (2, 3)):
                index = np.moveaxis(index, 0, -1)
                break
            case Elementwise():
                continue
            case _:
                break
    elements, first = np.unique(index.ravel(), return_index=True)
    position = np.empty(elements.size, np.int64)
    position[elements[np.argsort(first)]] = np.arange(elements.size)
    return position.reshape(shape), _read_once(index, elements.size)


def _read_once(index: Array, size: int) -> tuple[int, ...]:
    """The frame of a stream of the elements that are read in this order, of those read several times the first."""
    if index.size == size:
        return index.shape or (1,)
    pixels = index.reshape(-1, index.shape[-1])
    channels = -(-size // len(pixels))
    whole = channels * len(pixels) == size and all(np.unique(p).size == channels for p in pixels)
    return (*index.shape[:-1], channels) if whole else (size,)


def moved(op: Op, index: Array) -> Array:
    """An index array after a reshape or transposition of its tensor."""
    (after,) = op.evaluate(index[None])
    return np.asarray(after)


def ops_graph(ops: list[tuple[Op, str]], shape: tuple[int, ...]) -> Graph | None:
    """A chain of source operations on a real tensor; None where there are none."""
    if not ops:
        return None
    first = node = Node(Input("y", Tensor(shape, REAL)))
    for op, loc in ops:
        node = Node(op, (node,), loc)
    return Graph((first,), (node,))
