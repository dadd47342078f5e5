"""Data whose batch axis is not the first, as exporters leave it around recurrent layers: columns first, then the batch.

It is told from other data by its type, so that whatever does not know it refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lutra.errors import LutraError
from lutra.front import qdq, quantisers
from lutra.front.moves import axes_of, target_shape
from lutra.front.selecting import gather
from lutra.front.values import Call, Const, Stream, Value
from lutra.ops.source import Permute, Reshape

KNOWING = ("LSTM", "GRU")  # take it as it is
# With one value for all these do not care where the batch is.
POINTWISE = (*quantisers.MAKERS, *qdq.HANDLERS, "Relu", "Clip", "Identity", "Dropout")


@dataclass(frozen=True, eq=False)
class Moved(Stream):
    """The network's data where the batch axis is axis `at`, 1 or more; a frame's axes are the others in their order."""

    at: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX shape."""
        frame = self.node.out.shape
        return (*frame[: self.at], *self.batch, *frame[self.at :])


def placed(x: Stream, at: int) -> Stream:
    """The same frames with the batch as axis `at` of the ONNX shape."""
    return Moved(x.node, x.batch, x.dynamic, at) if at else Stream(x.node, x.batch, x.dynamic)


def elsewhere(call: Call, handler: Callable[[Call], Value | tuple[Value, ...]]) -> Stream | None:
    """What an operator makes of data whose batch axis is not the first, or whose batch axis it moves; None for others.

    Raises LutraError: an operator that needs the batch first.
    """
    first = call.inputs[0] if call.inputs else None
    if not any(isinstance(v, Moved) for v in call.inputs):
        away = call.op == "Transpose" and isinstance(first, Stream) and first.batch and _perm(call, first)[:1] != (0,)
        return _transposed(call, first) if away and isinstance(first, Stream) else None
    if call.op in KNOWING:
        return None
    if isinstance(first, Moved):
        if call.op in MOVES:
            return MOVES[call.op](call, first)
        single = all(v is None or (isinstance(v, Const) and v.array.size == 1) for v in call.inputs[1:])
        if call.op in POINTWISE and single:
            made = handler(replace(call, inputs=(placed(first, 0), *call.inputs[1:])))
            assert isinstance(made, Stream)
            return placed(made, first.at)
    raise LutraError(f"{call.op} reads data of which a Transpose moves the batch axis",
                     hint="the batch axis must stay first, but between a Transpose, LSTM or GRU, and a Transpose back")


def _perm(call: Call, x: Stream) -> tuple[int, ...]:
    return tuple(call.attr("perm", list(range(len(x.shape)))[::-1]))


def _transposed(call: Call, x: Stream) -> Stream:
    perm, at = _perm(call, x), x.at if isinstance(x, Moved) else 0
    if sorted(perm) != list(range(len(x.shape))):
        raise LutraError(f"perm {perm} does not order {len(x.shape)} axes", hint="export the model again")
    order = tuple(p - (p > at) for p in perm if p != at)
    out = x if order == tuple(range(len(order))) else call.emit(Permute(order), placed(x, 0))
    return placed(out, perm.index(at))


def _reshaped(call: Call, x: Moved) -> Stream:
    """Axes before the batch stay as they are."""
    target, kept = target_shape(call, x.shape), x.at + 1
    if target[:kept] != x.shape[:kept]:
        raise LutraError(f"a tensor of shape {x.shape}, whose batch is axis {x.at}, is given the shape {target}",
                         hint="keep the axes up to the batch axis as they are")
    return _under(call, x, (*target[: x.at], *target[kept:]), x.at)


def _squeezed(call: Call, x: Moved) -> Stream:
    rank, axes = len(x.shape), axes_of(call)
    if axes is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1 and i != x.at)
    gone = {a % rank for a in axes if -rank <= a < rank}
    if len(gone) != len(axes) or x.at in gone or any(x.shape[a] != 1 for a in gone):
        raise LutraError(f"axes {axes} of shape {x.shape}, whose batch is axis {x.at}, cannot be dropped",
                         hint="drop axes of length 1, and not the batch")
    frame = tuple(n for i, n in enumerate(x.shape) if i not in gone and i != x.at)
    return _under(call, x, frame, x.at - sum(a < x.at for a in gone))


def _under(call: Call, x: Moved, frame: tuple[int, ...], at: int) -> Stream:
    same = frame == x.node.out.shape
    return placed(x if same else call.emit(Reshape(frame), placed(x, 0)), at)


def _gathered(call: Call, x: Moved) -> Stream:
    """Along another axis than the batch's, which goes where a single index is taken."""
    rank, axis = len(x.shape), int(call.attr("axis", 0))
    if not -rank <= axis < rank or axis % rank == x.at:
        raise LutraError(f"axis {axis} of shape {x.shape}, whose batch is axis {x.at}, cannot be chosen from",
                         hint="choose from an axis of each frame")
    axis %= rank
    own = replace(call, inputs=(placed(x, 0), *call.inputs[1:]), attrs={"axis": axis + (axis < x.at)})
    found = gather(own)
    return placed(found, x.at - (axis < x.at) * (rank - len(found.shape)))


MOVES: dict[str, Callable[[Call, Moved], Stream]] = {
    "Transpose": _transposed, "Reshape": _reshaped, "Squeeze": _squeezed, "Gather": _gathered,
}
