"""Small source graphs for tests, built by hand or drawn at random.

Scales are single-precision numbers, as in every ONNX file: their products with integers are exact in double
precision, so that ties are ties in any order of summation.
"""

from __future__ import annotations

import numpy as np

from lutra.ir import REAL, Constant, Graph, Input, Node, Tensor
from lutra.ops import source as s
from lutra.ops.source import real


def network(shape, *ops):
    """A chain of source operations on frames of `shape`."""
    first = node = Node(Input("x", Tensor(tuple(shape), REAL)))
    for k, op in enumerate(ops):
        node = Node(op, (node,), f"{op.kind} {k}")
    return Graph((first,), (node,))


def quant(scale, bits, signed=True, narrow=False, mode="ROUND", zero=0.0):
    """A quantiser."""
    return s.Quant(real(np.float32(scale)), real(zero), bits, signed, narrow, mode)


def weights(rng, shape, scale, bits):
    """Quantised weights: the real ones and their decomposition."""
    k = rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), shape)
    scale = np.float64(np.float32(scale))
    return real(k * scale), (Constant(k), real(scale))


def bipolar(rng, shape):
    """Weights of -1 and +1 without provenance."""
    return real(rng.choice([-1.0, 1.0], shape))


def batchnorm(rng, shape):
    """A normalisation with scales of both signs."""
    return s.BatchNorm(real(rng.normal(size=shape)), real(rng.normal(size=shape)), real(rng.normal(size=shape)),
                       real(rng.uniform(0.5, 2, size=shape)), 1e-5)
