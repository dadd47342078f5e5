"""Operators of source graphs: what models are made of, in double precision."""

from inspect import isabstract

from lutra.ir import Op
from lutra.ops.reshape.op import Reshape
from lutra.ops.source.activation import Abs, Clip, LeakyRelu, LogSoftmax, Relu, Sigmoid, Sign, Softmax, Tanh
from lutra.ops.source.affine import Add, BatchNorm, Div, Mul, Neg, RSub, Sub
from lutra.ops.source.base import Elementwise, SourceOp, real
from lutra.ops.source.cast import Cast
from lutra.ops.source.choose import DepthToSpace, Slice, SpaceToDepth, Take, Upsample
from lutra.ops.source.curves import (
    Elu,
    Erf,
    Exp,
    Gelu,
    HardSwish,
    Log,
    Mish,
    Pow,
    Reciprocal,
    Round,
    Softplus,
    Softsign,
    Sqrt,
    Swish,
    ThresholdedRelu,
)
from lutra.ops.source.im2col import Im2Col
from lutra.ops.source.linear import Conv, MatMul, Quantised
from lutra.ops.source.pool import AveragePool, MaxPool
from lutra.ops.source.qdq import QuantizeLinear
from lutra.ops.source.quant import BipolarQuant, MultiThreshold, Quant, Trunc
from lutra.ops.source.recurrent import CtcCollapse, Gru, Last, Lstm, Recurrent, Sequence
from lutra.ops.source.select import ArgMax, TopK
from lutra.ops.source.shape import Pad, Permute
from lutra.ops.source.streams import AddStreams, Concat, MulStreams, Pairwise, SubStreams
from lutra.ops.source.transposed import ConvTranspose

__all__ = ["Abs", "Add", "AddStreams", "ArgMax", "AveragePool", "BatchNorm", "BipolarQuant", "Cast", "Clip", "Concat",
           "Conv", "ConvTranspose", "CtcCollapse", "DepthToSpace", "Div", "Elementwise", "Elu", "Erf", "Exp", "Gelu",
           "Gru", "HardSwish", "Im2Col", "Last", "LeakyRelu", "Log", "LogSoftmax", "Lstm", "MatMul", "MaxPool", "Mish",
           "Mul", "MulStreams", "MultiThreshold", "Neg", "Pad", "Pairwise", "Permute", "Pow", "Quant", "Quantised",
           "QuantizeLinear", "RSub", "Reciprocal", "Recurrent", "Relu", "Reshape", "Round", "Sequence", "Sigmoid",
           "Sign", "Slice", "Softmax", "Softplus", "Softsign", "SourceOp", "SpaceToDepth", "Sqrt", "Sub",
           "SubStreams", "Swish", "Take", "Tanh", "ThresholdedRelu", "TopK", "Trunc", "Upsample", "operators", "real"]


def operators() -> tuple[type[Op], ...]:
    """All operators of source graphs, Reshape among them, by name."""
    found = (globals()[name] for name in __all__)
    return tuple(c for c in found if isinstance(c, type) and issubclass(c, Op) and not isabstract(c))
