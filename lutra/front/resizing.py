"""Import of Resize and Upsample: nearest neighbour at integer factors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.values import Call, Stream, check_size, text
from lutra.ir import Array
from lutra.ops.source import Upsample

NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5), "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor, "ceil": np.ceil,
}
COORDINATES: dict[str, Callable[[Array, int, int], Array]] = {  # of results, of which there are m, from n elements
    "half_pixel": lambda i, n, m: (i + 0.5) * n / m - 0.5,
    "half_pixel_symmetric": lambda i, n, m: (i + 0.5) * n / m - 0.5,  # the same where m is a multiple of n
    "pytorch_half_pixel": lambda i, n, m: (i + 0.5) * n / m - 0.5 if m > 1 else i * 0.0,
    "asymmetric": lambda i, n, m: i * n / m,
    "align_corners": lambda i, n, m: i * (n - 1) / max(1, m - 1),
}


def _resize(call: Call) -> Stream:
    shape = call.stream.shape
    sizes = _sizes(call)
    if sizes == shape:
        return call.stream
    if any(m % n for m, n in zip(sizes, shape, strict=True)):
        raise LutraError(f"a tensor of shape {shape} is resized to {sizes}", hint="only integer factors are supported")
    mode = call.attr("mode", "nearest")
    if mode != "nearest":
        raise LutraError(f"Resize in mode {text(mode)} is not supported", hint="use mode='nearest'")
    batch = len(call.stream.batch)
    if sizes[:batch] != shape[:batch]:
        raise LutraError("the batch axis is resized", hint="resize rows and columns only")
    old = call.op == "Upsample" or call.opset < 11
    coordinates = "asymmetric" if old else call.attr("coordinate_transformation_mode", "half_pixel")
    nearest = "floor" if old else call.attr("nearest_mode", "round_prefer_floor")
    check_size(sizes)
    _check_repeats(shape, sizes, coordinates, nearest)
    return call.emit(Upsample(tuple(m // n for m, n in zip(sizes[batch:], shape[batch:], strict=True))))


def spread(call: Call, shape: tuple[int, ...]) -> Stream:
    """The stream under the shape to which it and this one (without batch axis) broadcast: repeated along axes of one
    element. Where they do not broadcast it stays, for its operator to say so.
    """
    own = call.stream.node.out.shape
    if len(shape) > len(own):
        return call.stream
    facing = (1,) * (len(own) - len(shape)) + shape
    factors = tuple(m if n == 1 else 1 for n, m in zip(own, facing, strict=True))
    return call.emit(Upsample(factors)) if max(factors, default=1) > 1 else call.stream


def _sizes(call: Call) -> tuple[int, ...]:
    """The ONNX shape of the result, from scales or sizes."""
    shape = call.stream.shape
    chosen = [a % len(shape) for a in call.attr("axes", list(range(len(shape))))]
    place = 1 if call.op == "Upsample" or call.opset < 11 else 2
    if call.has(3) and call.constant(3, "the sizes").array.size:
        if call.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise LutraError("Resize that keeps the aspect ratio is not supported", hint="state the sizes themselves")
        new = [float(n) for n in call.integers(3, "the sizes")]
        scales = None
    else:
        scales = call.numbers(place, "the scales").ravel() if call.has(place) else np.array(call.attr("scales", [1.0]))
        new = []
    given = new if scales is None else list(scales)
    if len(given) != len(chosen):
        raise LutraError(f"{len(given)} sizes or scales do not fit {len(chosen)} axes", hint="one for each axis")
    result = list(shape)
    for axis, value in zip(chosen, given, strict=True):
        size = value if scales is None else shape[axis] * value
        if not (size >= 1 and size == np.floor(size)):
            raise LutraError(f"axis {axis} of {shape[axis]} elements is resized to {size:g}",
                             hint="only integer factors are supported")
        result[axis] = int(size)
    return tuple(result)


def _check_repeats(shape: tuple[int, ...], sizes: tuple[int, ...], coordinates: str, nearest: str) -> None:
    """LutraError unless each element of the result is the one at its index over the factor."""
    if coordinates not in COORDINATES or nearest not in NEAREST:
        raise LutraError(f"Resize by {text(coordinates)} and {text(nearest)} is not supported",
                         hint="use asymmetric and floor")
    for n, m in zip(shape, sizes, strict=True):
        i = np.arange(m)
        found = np.clip(NEAREST[nearest](COORDINATES[coordinates](i, n, m)), 0, n - 1)
        if (found != i // (m // n)).any():
            raise LutraError(f"Resize of {n} elements to {m} by {text(coordinates)} and {text(nearest)} does not "
                             "repeat each element as often", hint="use asymmetric and floor, or half_pixel")


HANDLERS: dict[str, Callable[[Call], Stream]] = {"Resize": _resize, "Upsample": _resize}
