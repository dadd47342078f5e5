"""Random quantised networks: chains, residuals, branches; random bits, scales, kernels.

Scales are single-precision numbers, as in every ONNX file: their products with integers are exact in double
precision, so that ties are ties in any order of summation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lutra.ir import REAL, Constant, Graph, Input, Node, Range, Tensor
from lutra.ops import source as s
from lutra.ops.source import real
from lutra.rules.entry import InputFormat

LARGEST = 600  # elements of a frame: simulation is quick
MODES = ("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO")


@dataclass
class Drawn:
    """A network in the making: `made` are quantised images (C, H, W) that anything may read."""

    rng: np.random.Generator
    made: list[Node] = field(default_factory=list)
    count: int = 0

    def on(self, op, *args: Node) -> Node:
        self.count += 1
        return Node(op, args, f"{op.kind} {self.count}")

    def pick(self, *values):
        return values[self.rng.integers(len(values))]

    def scale(self) -> float:
        """A power of two as often as not: then sums and ties are frequent."""
        if self.rng.random() < 0.4:
            return float(2.0 ** -self.rng.integers(0, 5))
        return float(np.float32(np.exp(self.rng.uniform(-3, 0))))

    def quantised(self, x: Node, spread: float | None = None) -> Node:
        """A quantiser of any kind, its scale chosen so that many levels are met."""
        bits = int(self.pick(1, 2, 2, 3, 4, 4, 5, 6, 8))
        fine = np.float32((spread or 0.0) / 2 ** (bits - 1) * self.rng.uniform(0.5, 2))
        step = self.scale() if spread is None else float(fine)
        kind = self.rng.random()
        if kind < 0.1 or bits == 1:
            return self.on(s.BipolarQuant(real(np.float32(step))), x)
        if kind < 0.35:
            lo, hi = self.pick((0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
            zero = real(float(self.rng.integers(lo, hi + 1)))
            codes = self.on(s.QuantizeLinear(real(np.float32(step)), zero, lo, hi), x)
            return self.on(s.Mul(real(np.float32(step))), self.on(s.Sub(zero), codes))
        signed = bool(self.rng.random() < 0.6)
        narrow = bool(signed and self.rng.random() < 0.3)
        return self.on(s.Quant(real(np.float32(step)), real(0.0), bits, signed, narrow, self.pick(*MODES)), x)

    def weights(self, shape: tuple[int, ...]):
        """Of 1 to 8 bits, with one scale or one for each result."""
        bits = int(self.pick(1, 2, 3, 4, 4, 8))
        half = 2 ** (bits - 1)
        k = self.rng.choice([-1, 1], shape) if bits == 1 else self.rng.integers(-half, half, shape)
        many = self.rng.random() < 0.3
        size = (shape[0], *(1,) * (len(shape) - 1)) if many else (1,) * len(shape)
        scale = np.array([np.float32(self.scale()) for _ in range(int(np.prod(size)))], np.float64).reshape(size)
        return real(k * scale), (Constant(k), real(scale))

    def activated(self, x: Node) -> Node:
        """Perhaps a normalisation or bias, perhaps an activation; then a quantiser that suits."""
        shape = (x.out.shape[0], *(1,) * (len(x.out.shape) - 1))
        match self.rng.integers(4):
            case 0:
                values = [real(self.rng.normal(size=shape)) for _ in range(3)]
                x = self.on(s.BatchNorm(*values, real(self.rng.uniform(0.5, 2, size=shape)), 1e-5), x)
            case 1:
                x = self.on(s.Add(real(self.rng.normal(size=shape))), x)
        match self.rng.integers(5):
            case 0:
                x = self.on(s.Relu(), x)
            case 1:
                x = self.on(s.LeakyRelu(real(0.1)), x)
        return self.quantised(x, spread=float(self.rng.uniform(1, 6)))

    def keep(self, x: Node) -> None:
        self.made.append(x)

    def any(self, least: int = 1) -> Node:
        """Something made, rather a late one; at least so large."""
        fit = [n for n in self.made if min(n.out.shape[1:]) >= least]
        return fit[-1 - min(int(self.rng.geometric(0.5)) - 1, len(fit) - 1)] if fit else self.made[0]

    # -- layers

    def conv(self) -> None:
        x = self.any()
        c, h, w = x.out.shape
        size = int(self.pick(1, 2, 3, 3)) if min(h, w) > 2 else 1
        dilation = 2 if size == 2 and min(h, w) > 4 and self.rng.random() < 0.3 else 1
        pad, stride = int(self.rng.integers(0, size)), int(self.pick(1, 1, 2))
        groups = int(self.pick(1, 1, c, 2 if c % 2 == 0 else 1))
        m = c if groups in (c, 6) and groups > 1 else groups * int(self.rng.integers(1, 1 + max(1, 6 // groups)))
        weights, quant = self.weights((m, c // groups, size, size))
        both = (stride, stride), (pad, pad), (pad, pad), (dilation, dilation)
        self.keep(self.activated(self.on(s.Conv(weights, *both, groups, quant), x)))

    def transposed(self) -> None:
        x = self.any()
        c, h, w = x.out.shape
        if c * h * w * 4 > LARGEST:
            return
        size, m = int(self.pick(2, 3)), int(self.rng.integers(1, 5))
        weights, quant = self.weights((c, m, size, size))
        pad = int(self.rng.integers(0, size - 1))
        self.keep(self.activated(self.on(
            s.ConvTranspose(weights, (2, 2), (pad, pad), (pad, pad), (1, 1), 1, quant), x)))

    def pool(self) -> None:
        x = self.any(least=2)
        if min(x.out.shape[1:]) < 2:
            return
        size, stride = int(self.pick(2, 2, 3 if min(x.out.shape[1:]) > 2 else 2)), int(self.pick(1, 2))
        pad = int(self.rng.integers(0, size - 1))
        both = (size, size), (stride, stride), (pad, pad), (pad, pad), (1, 1)
        if self.rng.random() < 0.5:
            self.keep(self.on(s.MaxPool(*both), x))
        else:
            counted = pad * int(self.rng.integers(0, 2))
            self.keep(self.activated(self.on(s.AveragePool(*both, (counted,) * 2, (counted,) * 2), x)))

    def meet(self) -> None:
        """Two results of one shape, added, subtracted or multiplied; a second one is made where there is none."""
        x = self.any()
        twins = [n for n in self.made if n.out.shape == x.out.shape and n is not x]
        if twins and self.rng.random() < 0.7:
            other = twins[self.rng.integers(len(twins))]
        else:
            c = x.out.shape[0]
            weights, quant = self.weights((c, c, 1, 1))
            other = self.activated(self.on(s.Conv(weights, (1, 1), (0, 0), (0, 0), (1, 1), 1, quant), x))
        op = self.pick(s.AddStreams, s.AddStreams, s.SubStreams, s.MulStreams)()
        self.keep(self.activated(self.on(op, x, other)))

    def diamond(self) -> None:
        """Two elementwise paths of one tensor."""
        x = self.any()
        gate = self.pick(s.Sigmoid(), s.Tanh(), s.Relu(), s.Clip(real(-0.5), real(0.7)))
        y = self.on(self.pick(s.MulStreams, s.AddStreams)(), x, self.on(gate, x))
        self.keep(self.quantised(y, spread=1.0))

    def concat(self) -> None:
        x = self.any()
        twins = [n for n in self.made if n.out.shape[1:] == x.out.shape[1:]]
        y = self.on(s.Concat(0), x, twins[self.rng.integers(len(twins))])
        if y.out.size <= LARGEST:
            self.keep(self.quantised(y, spread=2.0) if self.rng.random() < 0.7 else y)

    def moved(self) -> None:
        """Upsampling, slices, blocks, shuffles."""
        x = self.any()
        c, h, w = x.out.shape
        match self.rng.integers(4):
            case 0 if c * h * w * 4 <= LARGEST:
                self.keep(self.on(s.Upsample((1, 2, int(self.pick(1, 2)))), x))
            case 1:
                start = tuple(int(self.rng.integers(0, n)) for n in x.out.shape)
                stop = tuple(int(self.rng.integers(a + 1, n + 1)) for a, n in zip(start, x.out.shape, strict=True))
                self.keep(self.on(s.Slice(start, stop), x))
            case 2 if c % 4 == 0:
                self.keep(self.on(s.DepthToSpace(2, self.pick("DCR", "CRD")), x))
            case 3:
                self.keep(self.on(s.Take(0, Constant(self.rng.permutation(c))), x))

    def layers(self) -> tuple[Callable[[], None], ...]:
        return (self.conv, self.conv, self.conv, self.meet, self.meet, self.concat, self.pool, self.diamond, self.moved,
                self.transposed)


def network(seed: int) -> tuple[Graph, InputFormat]:
    """A network of up to ten layers, and what its hardware is fed."""
    d = Drawn(np.random.default_rng(seed))
    shape = tuple(int(d.rng.integers(*ends)) for ends in ((1, 5), (3, 9), (3, 9)))
    bits = int(d.pick(1, 2, 4, 8))
    span = Range(*d.pick((0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)))
    x = Node(Input("x", Tensor(shape, REAL)))
    d.made.append(x)
    d.conv()
    d.made.pop(0)
    for _ in range(int(d.rng.integers(1, 9))):
        d.layers()[d.rng.integers(len(d.layers()))]()
    last = d.made[-1]
    if d.rng.random() < 0.4:
        flat = d.on(s.Reshape((last.out.size,)), last)
        weights, quant = d.weights((last.out.size, int(d.rng.integers(1, 5))))
        if quant[1].array.size > 1:  # a scale for each result, not for each input
            weights = real(quant[0].array * quant[1].array.flat[0])
            quant = quant[0], real(quant[1].array.flat[:1].reshape(1, 1))
        last = d.on(s.MatMul(weights, quant), flat)
    outputs = (last, d.made[0]) if d.rng.random() < 0.2 and d.made[0] is not last else (last,)
    return Graph((x,), outputs), InputFormat(span, d.scale())
