"""Constants of an exported graph: computed by PyTorch's own operators, quantised weights with their integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lutra.front.module.quant import PARTS
from lutra.front.values import Const, Stream
from lutra.ir import Array

KEEPING = ("view", "reshape", "permute", "transpose", "t", "clone", "detach", "contiguous", "alias", "unsqueeze",
           "squeeze", "flatten", "_to_copy", "to", "expand")  # what holds for weights holds for their integers


def array(tensor: Any) -> Array:
    """A tensor as float64, int64 or bool."""
    import torch

    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bool:
        return np.asarray(tensor.numpy())
    return np.asarray(tensor.to(torch.float64 if tensor.is_floating_point() else torch.int64).numpy())


def is_tensor(value: Any) -> bool:
    """Whether it is PyTorch's, and no plain number or list."""
    return hasattr(value, "detach")


def computed(target: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """What an operator makes of constants."""
    import torch

    with torch.no_grad():
        return target(*args, **kwargs)


def empty(shape: tuple[int, ...]) -> Any:
    """A tensor of which only the shape matters."""
    import torch

    return torch.empty(shape)


class Quantised:
    """Of constants that a quantiser made: their integers and scales, tensors of their shape, by node."""

    def __init__(self) -> None:
        self._parts: dict[Any, tuple[Any, Any]] = {}

    def note(self, node: Any, name: str, given: Mapping[str, Any], rest: tuple[Any, Any]) -> None:
        """Remember what one more constant comes from. given: the call's arguments by name; rest: all but its first."""
        import torch

        kind, base = name, name.split("::")[-1]
        source = node.args[0] if node.args else None
        if kind in PARTS:
            integers, scale = PARTS[kind]({k: array(v) if is_tensor(v) else v for k, v in given.items()})
            spread = np.broadcast_to(scale, integers.shape).copy()
            self._parts[node] = torch.from_numpy(integers), torch.from_numpy(spread)
        elif source in self._parts and base in KEEPING:
            first, second = self._parts[source]
            args, kwargs = rest
            self._parts[node] = tuple(computed(node.target, (p, *args), kwargs) for p in (first, second))

    def const(self, value: Any, node: Any) -> Any:
        """Tensors, in lists too, as constants; all else as it is. node: where it comes from, of the same structure."""
        if isinstance(value, (list, tuple)):
            nodes = node if isinstance(node, (list, tuple)) else [None] * len(value)
            return [self.const(v, n) for v, n in zip(value, nodes, strict=True)]
        if isinstance(value, Stream) or not is_tensor(value):
            return value
        parts = self._parts.get(node) if node is not None else None
        return Const(array(value), None if parts is None else (array(parts[0]).astype(np.int64), array(parts[1])))
