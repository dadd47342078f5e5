"""What the networks are written with: layers with seeded random weights, as nodes of a QONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lutra.zoo.moments import Moments

if TYPE_CHECKING:
    import onnx

QONNX = "qonnx.custom_op.general"
OPSET = 13
OUTER_BITS = 8  # of the input and of the weights of the first and last layers


@dataclass(frozen=True)
class Value:
    """A tensor of the network: its name, its shape without batch axis, what its values are like.

    scale: what one integer is worth, behind a quantiser.
    """

    name: str
    shape: tuple[int, ...]
    moments: Moments
    scale: float = 0.0

    @property
    def channels(self) -> int:
        """Length of the channel axis."""
        return self.shape[0]


@dataclass
class Maker:
    """Collects nodes and constants. bits: of weights and of activations, each 1 to 8; 1 is bipolar."""

    bits: tuple[int, int]
    rng: np.random.Generator
    width: float = 1.0
    inputs: list[Value] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def wide(self, channels: int) -> int:
        """A number of channels, scaled by the width multiplier; even, and at least 2."""
        return max(2, 2 * round(channels * self.width / 2))

    def emit(self, op: str, name: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """A node of one output, which has its name."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """A constant in single precision."""
        self.constants[name] = np.asarray(values, np.float32)
        return name

    # -- quantisers

    def quantised(self, source: str, scale: float, bits: int, signed: bool, narrow: bool = False) -> str:
        """`source` behind a quantiser; bipolar for 1 bit."""
        name = f"{source}_quant"
        inputs = [source, self.constant(f"{name}_scale", scale)]
        if bits == 1:
            return self.emit("BipolarQuant", name, inputs, QONNX)
        inputs += [self.constant(f"{name}_zero", 0.0), self.constant(f"{name}_bits", bits)]
        return self.emit("Quant", name, inputs, QONNX, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND")

    def quant(self, x: Value, *, signed: bool = True, bits: int = 0, scale: float = 0.0) -> Value:
        """Activations of `bits`, by default the network's; one integer is worth `scale`, by default what covers x."""
        bits = bits or self.bits[1]
        deviations = min(3.0, 1 + bits / 2)
        if not scale and bits == 1:
            scale = x.moments.size
        elif not scale:
            scale = (deviations * x.moments.size / (2 ** (bits - 1) - 0.5) if signed
                     else x.moments.top(deviations) / (2**bits - 1))
        signs = Moments(np.zeros(x.moments.mean.shape), np.full(x.moments.mean.shape, scale**2))
        name = self.quantised(x.name, scale, bits, signed)
        return replace(x, name=name, scale=scale, moments=signs if bits == 1 else x.moments)

    def weights(self, name: str, shape: tuple[int, ...], fan_in: int, bits: int) -> tuple[str, npt.NDArray[np.float32]]:
        """He-normal weights (He et al. 2015), quantised per tensor: the quantiser's output, and its values."""
        deviation = float(np.sqrt(2 / fan_in))
        drawn = self.rng.standard_normal(shape, np.float32)
        drawn *= deviation
        most = max(1, 2 ** (bits - 1) - 1)
        scale = np.float32(deviation * (0.8, 1.3, 2.2)[bits - 1] / most if bits < 4 else deviation * 3 / most)
        self.constant(name, drawn)
        integers = np.where(drawn >= 0, 1, -1) if bits == 1 else np.clip(np.rint(drawn / scale), -most, most)
        values = (integers * scale).astype(np.float32)
        return self.quantised(name, float(scale), bits, signed=True, narrow=True), values

    # -- layers

    def start(self, shape: tuple[int, ...], signed: bool = False) -> Value:
        """The network's input, 8 bits: 0..1 in steps of 1/255, or with `signed` -1..1 in steps of 1/128."""
        level = np.full(shape[0], 0.0 if signed else 0.5)
        given = Value("image", shape, Moments(level, np.full(shape[0], 0.1)))
        self.inputs.append(given)
        return self.quant(given, signed=signed, bits=OUTER_BITS, scale=1 / 128 if signed else 1 / 255)

    def conv(self, name: str, x: Value, channels: int, kernel: int, stride: int = 1, groups: int = 1, bits: int = 0,
             ) -> Value:
        """Convolution over one or two axes, padded by half the kernel. groups: 1, or x's channels for depthwise."""
        axes = len(x.shape) - 1
        each = x.channels // groups
        w, values = self.weights(f"{name}.weight", (channels, each, *[kernel] * axes), each * kernel**axes,
                                 bits or self.bits[0])
        pad = kernel // 2
        self.emit("Conv", name, (x.name, w), kernel_shape=[kernel] * axes, strides=[stride] * axes, group=groups,
                  pads=[pad] * 2 * axes)
        taps = values.reshape(channels, each, -1) if groups == 1 else values.reshape(channels, -1)
        size = tuple((n + 2 * pad - kernel) // stride + 1 for n in x.shape[1:])
        return Value(name, (channels, *size), x.moments.linear(taps.sum(-1), (taps**2).sum(-1)))

    def upconv(self, name: str, x: Value, channels: int) -> Value:
        """Transposed convolution of kernel 2 and stride 2: twice the size."""
        w, values = self.weights(f"{name}.weight", (x.channels, channels, 2, 2), x.channels, self.bits[0])
        self.emit("ConvTranspose", name, (x.name, w), kernel_shape=[2, 2], strides=[2, 2])
        one = values[:, :, 0, 0].T
        return Value(name, (channels, *(2 * n for n in x.shape[1:])), x.moments.linear(one, one**2))

    def linear(self, name: str, x: Value, channels: int, bits: int = 0, bias: bool = False) -> Value:
        """Fully connected layer."""
        w, values = self.weights(f"{name}.weight", (channels, x.channels), x.channels, bits or self.bits[0])
        more = [self.constant(f"{name}.bias", 0.1 * self.rng.standard_normal(channels))] if bias else []
        self.emit("Gemm", name, (x.name, w, *more), transB=1)
        return Value(name, (channels,), x.moments.linear(values, values**2))

    def norm(self, name: str, x: Value) -> Value:
        """Batch normalisation (Ioffe and Szegedy 2015) whose statistics are x's own, nearly."""
        def drawn(lo: float, hi: float) -> npt.NDArray[np.float64]:
            return self.rng.uniform(lo, hi, x.channels)

        gain, bias = drawn(0.7, 1.3), drawn(-0.4, 0.4)
        mean = x.moments.mean + np.sqrt(x.moments.var) * drawn(-0.1, 0.1)
        parameters = {"gamma": gain, "beta": bias, "mean": mean, "var": x.moments.var * drawn(0.9, 1.1)}
        inputs = [self.constant(f"{name}.{key}", values) for key, values in parameters.items()]
        self.emit("BatchNormalization", name, (x.name, *inputs), epsilon=1e-5)
        return Value(name, x.shape, Moments(bias, gain**2))

    def relu(self, x: Value, scale: float = 0.0, least: int = 1) -> Value:
        """ReLU and its quantiser, of `least` bits or more; of 1 bit the sign alone, as binary networks have it."""
        bits = max(least, self.bits[1])
        if bits == 1:
            return self.quant(x, scale=scale)
        name = self.emit("Relu", f"{x.name}_relu", (x.name,))
        return self.quant(replace(x, name=name, moments=x.moments.rectified()), signed=False, bits=bits, scale=scale)

    def relu6(self, x: Value) -> Value:
        """min(max(x, 0), 6) and its quantiser; of 1 bit the sign alone."""
        if self.bits[1] == 1:
            return self.quant(x)
        bounds = (self.constant(f"{x.name}_low", 0.0), self.constant(f"{x.name}_high", 6.0))
        name = self.emit("Clip", f"{x.name}_relu6", (x.name, *bounds))
        return self.quant(replace(x, name=name, moments=x.moments.rectified()), signed=False)

    def add(self, name: str, x: Value, y: Value) -> Value:
        """The sum of two tensors."""
        return Value(self.emit("Add", name, (x.name, y.name)), x.shape, x.moments + y.moments)

    def concat(self, name: str, *xs: Value) -> Value:
        """Channels side by side."""
        moments = xs[0].moments
        for x in xs[1:]:
            moments = moments.joined(x.moments)
        self.emit("Concat", name, [x.name for x in xs], axis=1)
        return Value(name, (sum(x.channels for x in xs), *xs[0].shape[1:]), moments, xs[0].scale)

    def maxpool(self, name: str, x: Value, kernel: int, stride: int, pad: int = 0) -> Value:
        """Maximum pooling."""
        axes = len(x.shape) - 1
        self.emit("MaxPool", name, (x.name,), kernel_shape=[kernel] * axes, strides=[stride] * axes,
                  pads=[pad] * 2 * axes)
        size = tuple((n + 2 * pad - kernel) // stride + 1 for n in x.shape[1:])
        return Value(name, (x.channels, *size), x.moments.largest(kernel**axes), x.scale)

    def pooled(self, name: str, x: Value) -> Value:
        """The mean over all places, 8 bits, as a vector."""
        self.emit("GlobalAveragePool", name, (x.name,))
        mean = replace(x, name=name, shape=(x.channels, *[1] * (len(x.shape) - 1)),
                       moments=x.moments.averaged(int(np.prod(x.shape[1:]))))
        flat = self.flat(f"{name}_flat", mean)
        return self.quant(flat, signed=self.bits[1] == 1, bits=OUTER_BITS)

    def flat(self, name: str, x: Value) -> Value:
        """All elements as a vector, channels slowest."""
        self.emit("Flatten", name, (x.name,))
        places = int(np.prod(x.shape[1:]))
        moments = Moments(np.repeat(x.moments.mean, places), np.repeat(x.moments.var, places))
        return Value(name, (x.channels * places,), moments, x.scale)
