"""Import of comparisons of the network's data with constants: 1 where they hold, else 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lutra.front.resizing import spread
from lutra.front.values import Call, Const, Stream
from lutra.ir import Array
from lutra.ops.source import MultiThreshold, Neg, real

TURNED = {"Greater": "Less", "GreaterOrEqual": "LessOrEqual", "Less": "Greater", "LessOrEqual": "GreaterOrEqual"}


def reached(call: Call, limit: Array, strictly: bool) -> Stream:
    """Whether x >= limit, or x > limit, which is x >= the next number above it. limit: without batch axis."""
    limit = np.nextafter(limit, np.inf) if strictly else limit
    return call.emit(MultiThreshold(real(limit[None]), 1.0, 0.0), spread(call, limit.shape))


def _compared(call: Call) -> Stream:
    if isinstance(call.inputs[0], Const):
        return _compared(replace(call, op=TURNED[call.op], inputs=call.inputs[::-1]))
    limit, strictly = call.param(1, "the constant").array, not call.op.endswith("OrEqual")
    if call.op.startswith("Less"):  # x < c where -x > -c
        call, limit = replace(call, inputs=(call.emit(Neg()),)), -limit
    return reached(call, limit, strictly)


HANDLERS: dict[str, Callable[[Call], Stream]] = dict.fromkeys(TURNED, _compared)
