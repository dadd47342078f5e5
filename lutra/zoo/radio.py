"""VGG10 for the modulation of radio signals (O'Shea, Roy and Clancy 2018, arXiv:1712.04578, table III)."""

from __future__ import annotations

from lutra.zoo.maker import OUTER_BITS, Maker, Value


def vgg10_1d(m: Maker, size: int, classes: int) -> Value:
    """Seven 1-D convolutions, each pooled, and three fully connected layers; (2, size) samples in, I and Q.

    Batch normalisation and ReLU where the paper has SELU, as its FPGA versions do.
    """
    x = m.start((2, size), signed=True)
    for i in range(7):
        y = m.norm(f"norm{i}", m.conv(f"conv{i}", x, m.wide(64), 3, bits=0 if i else OUTER_BITS))
        x = m.maxpool(f"pool{i}", m.relu(y), 2, 2)
    x = m.flat("flat", x)
    for i in range(2):
        x = m.relu(m.norm(f"norm{7 + i}", m.linear(f"dense{i}", x, m.wide(128))))
    return m.linear("classifier", x, classes, OUTER_BITS, bias=True)
