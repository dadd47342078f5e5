"""Frames of a model: how callers give them (arrays, PyTorch's tensors), and which input each array is for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array


def gather(x: Any, names: Sequence[str]) -> tuple[Array, ...]:
    """The arrays in the model's order. x: one array for a model of one input; a tuple or list of them, or a mapping by
    the inputs' names. LutraError for a wrong count, an unknown or missing name, or frames that differ in number.
    """
    if isinstance(x, Mapping):
        arrays = _named(x, names)
    elif len(names) == 1:
        arrays = (array(x),)
    else:
        arrays = _counted(x, names)
    with_frames = {name: len(a) for name, a in zip(names, arrays, strict=True) if a.ndim}
    if len(set(with_frames.values())) > 1:
        some = ", ".join(f"{name} {n}" for name, n in with_frames.items())
        raise LutraError(f"the inputs differ in how many frames they have: {some}", "input",
                         "give as many for each of them")
    return arrays


def array(x: Any) -> Array:
    """What the caller gives, as an array; a tensor of PyTorch wherever it lies."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def like(x: Any, values: tuple[Array, ...]) -> tuple[Any, ...]:
    """The results in the caller's own kind: for frames that are tensors of PyTorch, tensors where they lie. Real
    numbers stay in double precision: single would not hold every accumulator.
    """
    many = tuple(x.values()) if isinstance(x, Mapping) else x
    first: Any = many[0] if isinstance(many, (tuple, list)) and many else many
    if not hasattr(first, "detach"):
        return values
    torch = sys.modules["torch"]
    return tuple(torch.as_tensor(v, device=first.device) for v in values)


def _named(x: Mapping[str, Any], names: Sequence[str]) -> tuple[Array, ...]:
    unknown = next((name for name in x if name not in names), None)
    missing = next((name for name in names if name not in x), None)
    if unknown is not None:
        raise LutraError(f"the model has no input {unknown!r}", "input", f"its inputs are {', '.join(names)}")
    if missing is not None:
        raise LutraError(f"there are no frames for the input {missing!r}", "input", "give an array for each input")
    return tuple(array(x[name]) for name in names)


def _counted(x: Any, names: Sequence[str]) -> tuple[Array, ...]:
    given = len(x) if isinstance(x, (tuple, list)) else 1
    if not isinstance(x, (tuple, list)) or given != len(names):
        arrays = "array is" if given == 1 else "arrays are"
        raise LutraError(f"{given} {arrays} given, the model has {len(names)} inputs", "input",
                         f"give a tuple in the order {', '.join(names)}, or a mapping by these names")
    return tuple(array(a) for a in x)


@contextmanager
def of_input(name: str, several: bool) -> Iterator[None]:
    """Where there are several inputs, an error about one says which."""
    try:
        yield
    except LutraError as e:
        raise LutraError(e.what, f"input {name}" if several and e.at == "input" else e.at, e.hint) from e


def single(values: tuple[Array, ...]) -> Any:
    """The array of a model of one output, else the tuple."""
    return values[0] if len(values) == 1 else values
