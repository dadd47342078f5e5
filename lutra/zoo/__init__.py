"""Networks of the literature as QONNX models with seeded random weights: to measure a compiler, and to test it.

Shapes and operators are the papers'; the weights are random and the scales fit them, so that every layer works in its
range. Such a network recognises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.zoo.branches import inception, unet
from lutra.zoo.maker import OPSET, QONNX, Maker, Value
from lutra.zoo.mobilenet import mobilenet_v1, mobilenet_v2
from lutra.zoo.radio import vgg10_1d
from lutra.zoo.resnet import resnet18, resnet20, resnet50

if TYPE_CHECKING:
    import onnx

MOST_BITS = 8


@dataclass(frozen=True)
class Network:
    """A network of the zoo: how it is made, the length of its input's sides, and its classes."""

    make: Callable[[Maker, int, int], Value]
    size: int
    classes: int

    @property
    def about(self) -> str:
        """One line that says what it is."""
        return (self.make.__doc__ or "").split("\n")[0]


NETWORKS = {
    "mobilenet_v1": Network(mobilenet_v1, 224, 1000),
    "mobilenet_v2": Network(mobilenet_v2, 224, 1000),
    "resnet18": Network(resnet18, 224, 1000),
    "resnet50": Network(resnet50, 224, 1000),
    "resnet20": Network(resnet20, 32, 10),
    "unet": Network(unet, 128, 2),
    "vgg10_1d": Network(vgg10_1d, 1024, 24),
    "inception": Network(inception, 32, 10),
}


def build(
    name: str, bits: tuple[int, int] = (4, 4), seed: int = 0, *, size: int | None = None, width: float = 1.0,
    classes: int | None = None,
) -> onnx.ModelProto:
    """The network of a name of `NETWORKS` as a QONNX model, (1, channels, ...) in.

    bits: of weights and of activations, 1 to 8 each; 1 is bipolar. The input and the weights of the first and last
    layers have 8. size: the length of the input's sides, by default the paper's; width: multiplies all channels;
    classes: outputs. The same arguments give the same model. LutraError names an argument that does not fit.
    """
    network = NETWORKS.get(name)
    if network is None:
        raise LutraError(f"there is no network {name!r}", "zoo", f"choose one of {', '.join(NETWORKS)}")
    if not all(1 <= b <= MOST_BITS for b in bits):
        raise LutraError(f"{bits[0]}-bit weights and {bits[1]}-bit activations", "zoo", f"use 1 to {MOST_BITS} bits")
    side, outputs = size or network.size, classes or network.classes
    if side < network.size // 8 or side % 16:
        raise LutraError(f"size {side} does not suit {name}", "zoo",
                         f"use a multiple of 16 from {network.size // 8} up")
    if not 0 < width <= 4:
        raise LutraError(f"width {width:g} does not suit {name}", "zoo", "use more than 0, at most 4")
    maker = Maker(bits, np.random.default_rng(seed), width)
    return _model(name, maker, network.make(maker, side, outputs))


def _model(name: str, maker: Maker, out: Value) -> onnx.ModelProto:
    """What was collected, as a model with one input and one output."""
    from onnx import TensorProto, helper, numpy_helper

    given, result = (helper.make_tensor_value_info(v.name, TensorProto.FLOAT, (1, *v.shape))
                     for v in (maker.inputs[0], out))
    constants = [numpy_helper.from_array(a, n) for n, a in maker.constants.items()]
    graph = helper.make_graph(maker.nodes, name, [given], [result], constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="lutra.zoo")
