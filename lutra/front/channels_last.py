"""Import of QONNX's channels-last operators: the standard ones between two permutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lutra.front import layers, pooling
from lutra.front.values import Call, Const, Stream
from lutra.ops.source import Permute

HANDLERS = {name: {**layers.HANDLERS, **pooling.HANDLERS}[name] for name in ("Conv", "MaxPool", "BatchNormalization")}


def channels_last(call: Call) -> Stream:
    """An operator of QONNX's channels-last domain."""
    axes = len(call.stream.node.out.shape)
    first = call.emit(Permute((axes - 1, *range(axes - 1))))
    inputs = [first, *call.inputs[1:]]
    if call.op == "Conv":  # its weights are (M, *kernel, C)
        w = call.constant(1, "the weights")
        quant = w.quant and (np.moveaxis(w.quant[0], -1, 1), np.moveaxis(w.quant[1], -1, 1))
        inputs[1] = Const(np.moveaxis(w.array, -1, 1), quant)
    out = HANDLERS[call.op](replace(call, inputs=tuple(inputs)))
    return call.emit(Permute((*range(1, axes), 0)), out)
