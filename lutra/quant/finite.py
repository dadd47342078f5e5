"""A result that is not a number stops training, inside `torch.compile` too, with the name of the layer it came from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Protocol
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from lutra.errors import LutraError


class Locating(Protocol):
    """A network that can be run again to find where a number ceases to be one."""

    def locate(self, *args: Any, **kwargs: Any) -> None:
        """Raise LutraError with the first operator whose result is not finite, if there is one."""


_numbers = count()
_known: WeakValueDictionary[int, Any] = WeakValueDictionary()  # what compiled code, which holds no objects, refers to


def known(net: Locating, number: int) -> int:
    """The number under which `checked` finds a network; the one that it has, or a new one."""
    if _known.get(number) is not net:
        number = next(_numbers)
        _known[number] = net
    return number


def finite(result: Any) -> bool:
    """Whether all numbers of a result are finite: of a tensor, or of those in a mapping or sequence."""
    match result:
        case Tensor():
            return not result.is_floating_point() or bool(result.isfinite().all())
        case dict():
            return all(finite(r) for r in result.values())
        case list() | tuple():
            return all(finite(r) for r in result)
    return True


def diverged() -> LutraError:
    """What is said where no operator is found."""
    return LutraError("a result is not finite", "the network", "training has diverged: lower the learning rate")


@torch.library.custom_op("lutra::checked", mutates_args=())
def checked(result: Tensor, inputs: Sequence[Tensor], network: int) -> Tensor:
    """A copy of a network's result (any shape), after it was seen to be finite.

    inputs: what it was computed of, if the network takes nothing but tensors. network: see `known`.

    Raises LutraError: it is not finite; names the operator.
    """
    if not finite(result):
        net = _known.get(network)
        if net is not None and inputs:
            net.locate(*inputs)
        raise diverged()
    return result.clone()


@checked.register_fake
def _(result: Tensor, inputs: Sequence[Tensor], network: int) -> Tensor:
    return torch.empty_like(result)


def _save(ctx, inputs, output):  # type: ignore[no-untyped-def]
    ctx.count = len(inputs[1])


def _differentiate(ctx, g):  # type: ignore[no-untyped-def]
    return g, [None] * ctx.count, None


checked.register_autograd(_differentiate, setup_context=_save)
