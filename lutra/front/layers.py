"""Import of matrix products, convolutions and normalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lutra.errors import LutraError
from lutra.front.geometry import geometry
from lutra.front.values import Call, Const, Stream, check_finite
from lutra.ir import Array, Constant
from lutra.ops.source import Add, BatchNorm, Conv, MatMul, Mul, Quantised, real


def weights(
    call: Call, index: int, rank: int, move: Callable[[Array], Array] = lambda a: a
) -> tuple[Constant, Quantised | None]:
    """Constant weights of `rank` axes after `move`, with the integers and scales that they come from."""
    value = call.constant(index, "the weights")
    array = value.array.astype(np.float64, copy=False)
    if array.ndim != rank:
        raise LutraError(f"weights of shape {array.shape} have {array.ndim} axes instead of {rank}",
                         hint="export the model again")
    check_finite(array, "the weights")
    if value.quant is None:
        return real(move(array)), None
    integers, scale = (move(a) for a in value.quant)
    return real(move(array)), (Constant(integers), real(_narrowed(scale)))


def _narrowed(scale: Array) -> Array:
    """The same scales with length 1 along every axis on which they do not differ."""
    scale = scale[tuple(slice(0, 1) if step == 0 else slice(None) for step in scale.strides)]  # of a broadcast view
    for axis in range(scale.ndim):
        first = scale.take([0], axis=axis)
        if (scale == first).all():
            scale = first
    return scale


def matmul(call: Call) -> Stream:
    """MatMul of the data by constant weights."""
    if call.inputs and isinstance(call.inputs[0], Const):
        raise LutraError("the weights stand to the left of the network's data",
                         hint="transpose the product so that the weights are the second input")
    return call.emit(MatMul(*weights(call, 1, 2)))


def gemm(call: Call) -> Stream:
    """Y = alpha A B + beta C, each factor an operator of its own, so that the order is ONNX's."""
    if call.attr("transA", 0):
        raise LutraError("Gemm with transA=1 is not supported", hint="it would mix the frames of a batch")
    if len(call.stream.shape) != 2 and call.stream.batch:
        raise LutraError(f"Gemm of a tensor of shape {call.stream.shape}", hint="flatten it first")
    move = (lambda a: a.T) if call.attr("transB", 0) else (lambda a: a)
    out = call.emit(MatMul(*weights(call, 1, 2, move)))
    alpha, beta = float(call.attr("alpha", 1.0)), float(call.attr("beta", 1.0))
    check_finite(np.array([alpha, beta]), "alpha or beta")
    if alpha != 1.0:
        out = call.emit(Mul(real(alpha)), out)
    if call.has(2) and beta != 0.0:
        bias = replace(call, inputs=(out, call.inputs[2])).param(1, "the bias")
        out = call.emit(Add(real(bias.array * beta)), out)
    return out


def conv(call: Call) -> Stream:
    """Conv, the bias an operator of its own."""
    spatial = len(call.stream.node.out.shape) - 1
    if spatial not in (1, 2):
        raise LutraError(f"a convolution over {spatial} axes is not supported", hint="use Conv1d or Conv2d")
    kernel, quant = weights(call, 1, spatial + 2)
    stated = tuple(call.attr("kernel_shape", list(kernel.shape[2:])))
    if stated != kernel.shape[2:]:
        raise LutraError(f"kernel_shape {stated} differs from the weights' {kernel.shape[2:]}", hint="export it again")
    g = geometry(call, call.stream.node.out.shape[1:], kernel.shape[2:])
    op = Conv(kernel, g.stride, g.before, g.after, g.dilation, call.attr("group", 1), quant)
    return biased(call, call.emit(op))


def biased(call: Call, out: Stream) -> Stream:
    """The result of a convolution with the bias of its third input, where there is one."""
    if not call.has(2):
        return out
    bias = call.numbers(2, "the bias")
    channels, *spatial = out.node.out.shape
    check_channels(bias, channels, "the bias")
    return call.emit(Add(real(bias.reshape(-1, *(1,) * len(spatial)))), out)


def check_channels(values: Array, channels: int, what: str) -> None:
    """LutraError unless a parameter is a vector of `channels`."""
    if values.shape != (channels,):
        raise LutraError(f"{what} has shape {values.shape}, not ({channels},)", hint="one value for each channel")


def _batchnorm(call: Call) -> Stream:
    if call.attr("training_mode", 0) or call.attr("is_test", 1) == 0 or not call.attr("spatial", 1):
        raise LutraError("BatchNormalization in training mode or with spatial=0 is not supported",
                         hint="export the model in evaluation mode: model.eval()")
    frame = call.stream.node.out.shape
    names = ("the scale", "the bias", "the mean", "the variance")
    values = [call.numbers(i + 1, n) for i, n in enumerate(names)]
    for name, v in zip(names, values, strict=True):
        check_channels(v, frame[0], name)
    epsilon = float(call.attr("epsilon", 1e-5))
    if (values[3] + epsilon <= 0).any():
        raise LutraError(f"variance {values[3].min():g} plus epsilon {epsilon:g} is not positive",
                         hint="check the training")
    scale, bias, mean, var = (real(v.reshape(-1, *(1,) * (len(frame) - 1))) for v in values)
    return call.emit(BatchNorm(scale, bias, mean, var, epsilon))


HANDLERS: dict[str, Callable[[Call], Stream]] = {
    "MatMul": matmul, "Gemm": gemm, "Conv": conv, "BatchNormalization": _batchnorm,
}
