"""PyTorch's operators that move, choose, join or repeat elements of the network's data."""

from __future__ import annotations

from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.call import OPSET, Aten, Stacked
from lutra.front.resizing import spread
from lutra.front.values import Call, Const, Stream


def _reshaped(a: Aten) -> Any:
    """Whatever keeps the order of all elements: the example's run says the shape."""
    if isinstance(a.first, Stacked) and len(a.first.parts) == 1 and a.shapes[0] == a.first.parts[0].shape:
        return a.first.parts[0]
    if a.shapes[0][:1] != a.stream.batch:
        raise LutraError(f"a tensor of shape {a.stream.shape} becomes one of {a.shapes[0]}, without its batch axis",
                         hint="keep axis 0 as it is; if squeeze() drops it, name the axis, or give two frames or more")
    return a.reshaped(a.shapes[0])


def _permuted(a: Aten, order: list[int]) -> Any:
    return a.call("Transpose", a.stream, perm=order)


def _permute(a: Aten) -> Any:
    rank = len(a.stream.shape)
    return _permuted(a, [int(d) % rank for d in a["dims"]])


def _transpose(a: Aten) -> Any:
    order = list(range(len(a.stream.shape)))
    first, second = (a["dim0"], a["dim1"]) if "dim0" in a.args else (-2, -1)  # mT: the last two
    order[first], order[second] = order[second], order[first]
    return _permuted(a, order)


def _slice(a: Aten) -> Any:
    start = 0 if a["start"] is None else a["start"]
    end = 2**63 - 1 if a["end"] is None else a["end"]
    return a.call("Slice", a.stream, [start], [end], [a["dim"]], [a["step"]])


def _select(a: Aten) -> Any:
    if isinstance(a.first, Stacked) and a["dim"] in (0, -3):
        return a.first.parts[int(a["index"])]
    return a.call("Gather", a.stream, int(a["index"]), axis=int(a["dim"]))


def _split(a: Aten) -> Any:
    """By one size (the last part may be smaller), by sizes, or into parts."""
    dim = int(a["dim"])
    sizes = [shape[dim] for shape in a.shapes]
    return a.call("Split", a.stream, sizes, axis=dim, outputs=len(sizes))


def _unbind(a: Aten) -> Any:
    return tuple(a.call("Gather", a.stream, i, axis=int(a["dim"])) for i in range(len(a.shapes)))


def _index_select(a: Aten) -> Any:
    return a.call("Gather", a.stream, a["index"], axis=int(a["dim"]))


def _index(a: Aten) -> Any:
    """x[:, indices]: along one axis, by a constant list."""
    chosen = [(axis, value) for axis, value in enumerate(a["indices"]) if value is not None]
    if len(chosen) != 1 or not isinstance(chosen[0][1], Const) or chosen[0][1].array.ndim != 1:
        raise LutraError("indexing by several lists, by a mask or by the network's data is not supported",
                         hint="use a constant list of indices along one axis")
    return a.call("Gather", a.stream, chosen[0][1], axis=chosen[0][0])


def _flip(a: Aten) -> Any:
    out: Any = a.stream
    for dim in a["dims"]:
        out = a.call("Gather", out, np.arange(out.shape[dim])[::-1].copy(), axis=int(dim))
    return out


def _concat(a: Aten) -> Any:
    if all(isinstance(t, Stacked) for t in a["tensors"]) and a["dim"] in (0, -3):
        return Stacked(tuple(part for t in a["tensors"] for part in t.parts))
    return a.call("Concat", *a["tensors"], axis=int(a["dim"]))


def _stack(a: Aten) -> Any:
    rank = len(a.shapes[0])
    dim = a["dim"] % rank
    if dim == 0 and all(isinstance(t, Stream) for t in a["tensors"]):
        return Stacked(tuple(a["tensors"]))
    parts = [a.call("Unsqueeze", t, [dim]) if isinstance(t, Stream) else t for t in a["tensors"]]
    return a.call("Concat", *parts, axis=dim)


def _pad(a: Aten) -> Any:
    """PyTorch counts (before, after) of the last axis, then of the one before it."""
    if a.args.get("mode", "constant") != "constant":
        raise LutraError(f"padding mode {a['mode']!r} is not supported", hint="only constant padding is")
    pairs = [int(n) for n in a["pad"]]
    rank = len(a.stream.shape)
    before, after = [0] * rank, [0] * rank
    for i in range(len(pairs) // 2):
        before[rank - 1 - i], after[rank - 1 - i] = pairs[2 * i], pairs[2 * i + 1]
    out = a.stream
    if min(pairs, default=0) < 0:  # a crop
        keep = [(-min(0, b), n + min(0, e)) for b, e, n in zip(before, after, out.shape, strict=True)]
        out = a.call("Slice", out, [s for s, _ in keep], [e for _, e in keep], list(range(rank)))
        before, after = ([max(0, n) for n in side] for side in (before, after))
    return a.call("Pad", out, before + after, float(a["value"] or 0))


def _pixel_shuffle(a: Aten) -> Any:
    return a.call("DepthToSpace", a.stream, blocksize=int(a["upscale_factor"]), mode="CRD")


def _pixel_unshuffle(a: Aten) -> Any:
    n, c, h, w = a.stream.shape
    r = int(a["downscale_factor"])
    split = a.reshaped((n, c, h // r, r, w // r, r))
    return a.reshaped((n, c * r * r, h // r, w // r), a.call("Transpose", split, perm=[0, 1, 3, 5, 2, 4]))


def _channel_shuffle(a: Aten) -> Any:
    n, c, *rest = a.stream.shape
    groups = int(a["groups"])
    split = a.reshaped((n, groups, c // groups, *rest))
    order = [0, 2, 1, *range(3, len(rest) + 3)]
    return a.reshaped((n, c, *rest), a.call("Transpose", split, perm=order))


def _nearest(a: Aten) -> Any:
    return a.call("Resize", a.stream, None, None, list(a.shapes[0]), mode="nearest", nearest_mode="floor",
                  coordinate_transformation_mode="asymmetric")


def _expand(a: Aten) -> Any:
    """Axes of one element grow; the batch axis and the number of axes stay."""
    batch, *frame = a.shapes[0]
    if len(a.shapes[0]) != len(a.stream.shape) or batch != a.stream.shape[0]:
        raise LutraError(f"a tensor of shape {a.stream.shape} is expanded to {a.shapes[0]}",
                         hint="keep the batch axis first, and unsqueeze before it")
    return spread(Call(a.name, a.loc, (a.stream,), {}, OPSET), tuple(frame))


TRANSLATORS = {
    **dict.fromkeys([f"aten::{n}" for n in ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze",
                                            "unsqueeze")], _reshaped),
    "aten::permute": _permute, "aten::transpose": _transpose, "aten::mT": _transpose, "aten::slice": _slice,
    "aten::select": _select, "aten::index_select": _index_select, "aten::index": _index, "aten::flip": _flip,
    **dict.fromkeys(("aten::split", "aten::split_with_sizes", "aten::chunk"), _split),
    "aten::unbind": _unbind, "aten::cat": _concat, "aten::stack": _stack, "aten::pad": _pad,
    "aten::constant_pad_nd": _pad,
    "aten::pixel_shuffle": _pixel_shuffle, "aten::pixel_unshuffle": _pixel_unshuffle,
    "aten::channel_shuffle": _channel_shuffle,
    **dict.fromkeys(("aten::upsample_nearest1d", "aten::upsample_nearest2d", "aten::_upsample_nearest_exact1d",
                     "aten::_upsample_nearest_exact2d"), _nearest),
    "aten::expand": _expand,
}
