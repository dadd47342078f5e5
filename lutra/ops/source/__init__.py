"""Operators of source graphs: what models are made of, in double precision."""

from inspect import isabstract

from lutra.ir import Op
from lutra.ops.reshape.op import Reshape
from lutra.ops.source.activation import Abs, Clip, LeakyRelu, LogSoftmax, Relu, Sigmoid, Sign, Softmax, Tanh
from lutra.ops.source.affine import Add, BatchNorm, Div, Mul, Neg, RSub, Sub
from lutra.ops.source.base import Elementwise, SourceOp, real
from lutra.ops.source.linear import Conv, MatMul, Quantised
from lutra.ops.source.pool import MaxPool
from lutra.ops.source.quant import BipolarQuant, MultiThreshold, Quant, Trunc
from lutra.ops.source.select import ArgMax, TopK
from lutra.ops.source.shape import Pad, Permute

__all__ = ["Abs", "Add", "ArgMax", "BatchNorm", "BipolarQuant", "Clip", "Conv", "Div", "Elementwise", "LeakyRelu",
           "LogSoftmax", "MatMul", "MaxPool", "Mul", "MultiThreshold", "Neg", "Pad", "Permute", "Quant",
           "Quantised", "RSub", "Relu", "Reshape", "Sigmoid", "Sign", "Softmax", "SourceOp", "Sub",
           "Tanh", "TopK", "Trunc", "operators", "real"]


def operators() -> tuple[type[Op], ...]:
    """All operators of source graphs, Reshape among them, by name."""
    found = (globals()[name] for name in __all__)
    return tuple(c for c in found if isinstance(c, type) and issubclass(c, Op) and not isabstract(c))
