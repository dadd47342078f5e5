"""A mode that follows channels through one run of a network, whichever functions its forward calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lutra.quant.search.axes import FIXED, Axis, Part, probe, read
from lutra.quant.search.sets import Sets

MOVES = {
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "swapaxes",
    "movedim", "moveaxis", "t", "get", "getitem", "pad", "cat", "concat", "concatenate", "stack", "chunk",
    "split", "tensor_split", "unbind", "narrow", "select", "index_select", "roll", "repeat", "repeat_interleave",
    "expand", "view_as", "expand_as", "reshape_as", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"}
REDUCES = {"mean": torch.mean, "sum": torch.mean, "amax": torch.amax, "amin": torch.amin}
MEETS = {
    "add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "multiply", "div", "rdiv", "truediv",
    "rtruediv", "idiv", "itruediv", "maximum", "minimum", "where", "lerp", "addcmul", "addcdiv", "pow", "hypot",
    "subtract", "divide", "true_divide"}


class Following(TorchFunctionMode):
    """The mode; it is entered around one run.

    Its fields:
        sets: the groups of channels.
        axes: where the channels of each tensor lie, by its identity, for which it is kept.
        inside: whether a module is being run whose rule is known as a whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sets = Sets()
        self.axes: dict[int, tuple[Tensor, Axis]] = {}
        self.inside = False

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (),
                           kwargs: dict[str, Any] | None = None) -> Any:
        """Run an operator, and say where the channels lie in its result."""
        kwargs = kwargs or {}
        operands = [t for t in tensors((args, kwargs)) if t.ndim]
        shapes = [tuple(t.shape) for t in operands]
        axes = [self.axis(t) for t in operands]
        result = func(*args, **kwargs)
        known = [a for a in axes if a is not None]
        outs = list(tensors(result))
        if self.inside or not known:
            return result
        full = getattr(func, "__name__", "")
        name = full.strip("_")
        real = bool(outs) and all(o.is_floating_point() for o in outs)
        if real and (name in MOVES or name in REDUCES) and not (full.endswith("_") and not full.endswith("__")):
            self.moved(name, REDUCES.get(name, func), args, kwargs, outs)
        elif name in MEETS and len(outs) == 1:
            self.met(list(zip(shapes, axes, strict=True)), outs[0])
        elif len(operands) == 1 and all(kept(known[0], shapes[0], o) for o in outs):
            for out in outs:
                self.note(out, known[0])
        elif outs or name == "setitem":
            self.hold(known, f"channels are not followed through {name}")
        return result

    def axis(self, x: Tensor) -> Axis | None:
        """Where a tensor's channels lie; None if they are no layer's."""
        known = self.axes.get(id(x))
        return known[1] if known else None

    def note(self, x: Tensor, axis: Axis | None) -> None:
        """Say where a tensor's channels lie."""
        self.axes.pop(id(x), None)
        if axis is not None and any(p.group != FIXED for p in axis.parts):
            self.axes[id(x)] = (x, axis)

    def hold(self, axes: Iterable[Axis], why: str) -> None:
        """These channels have to stay as many as they are."""
        for axis in axes:
            self.sets.hold(axis.parts, why)

    def moved(self, name: str, func: Any, args: Any, kwargs: Any, outs: list[Tensor]) -> None:
        """An operator that only moves numbers, or takes means of equal ones: read off probes."""
        sources: list[Part] = []
        axes: list[Axis] = []

        def replaced(x: Any) -> Any:
            match x:
                case Tensor() if x.is_floating_point():
                    axis = self.axis(x)
                    if axis is None:
                        return torch.zeros_like(x, dtype=torch.float64)
                    made = probe(x, axis, 1 + sum(p.width for p in sources if p.group != FIXED))
                    axes.append(axis)
                    sources.extend(axis.parts)
                    return made
                case list() | tuple():
                    return type(x)([replaced(i) for i in x])
                case dict():
                    return {k: replaced(v) for k, v in x.items()}
            return x

        found = list(tensors(func(*replaced(args), **replaced(kwargs))))
        for out, numbers in zip(outs, found, strict=True):
            axis = read(numbers, sources)
            gone = name in REDUCES and sum(p.width for p in sources) > 1 and constant(numbers)
            if axis is None and not gone:
                self.hold(axes, f"{name} takes them apart")
            self.note(out, axis)

    def met(self, operands: list[tuple[tuple[int, ...], Axis | None]], out: Tensor) -> None:
        """Streams that meet element by element: as many channels in each. Operands are shapes and axes."""
        axes = [a for _, a in operands if a is not None]
        places = {len(shape) - a.dim for shape, a in operands if a is not None}
        place = max(places)
        if len(places) > 1 or any(len(shape) >= place and shape[len(shape) - place] not in (1, out.shape[-place])
                                  for shape, _ in operands):
            self.hold(axes, "streams meet whose channels lie along different axes")
            return
        for shape, axis in operands:
            size = shape[len(shape) - place] if len(shape) >= place else 1
            if axis is None and size != 1:
                self.hold(axes, "they meet numbers that are no layer's")
            if axis is not None and size != out.shape[-place]:
                self.hold([axis], "one channel meets many")
        whole = [a.parts for shape, a in operands if a is not None and shape[a.dim] == out.shape[-place]]
        parts: tuple[Part, ...] = ()
        for other in whole:
            parts = self.sets.meet(parts, other) if parts else other
        self.note(out, Axis(out.ndim - place, parts))


def kept(axis: Axis, shape: tuple[int, ...], out: Tensor) -> bool:
    """Whether a function of one stream left the channels where they were, as ReLU, pooling and casts do."""
    return out.ndim == len(shape) and out.shape[axis.dim] == shape[axis.dim]


def constant(x: Tensor) -> bool:
    """Whether all elements are equal, as behind a mean over the channels, of which nothing then remains."""
    return bool((x == x.flatten()[:1]).all())


def tensors(x: Any) -> Iterator[Tensor]:
    """All tensors in lists, tuples and dictionaries."""
    match x:
        case Tensor():
            yield x
        case dict():
            for value in x.values():
                yield from tensors(value)
        case list() | tuple():
            for value in x:
                yield from tensors(value)
