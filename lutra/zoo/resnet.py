"""Residual networks (He et al. 2016, arXiv:1512.03385): ResNet-18 and -50 (table 1), ResNet-20 for CIFAR (section 4.2).

Shortcuts that change shape are 1x1 convolutions (option B). ResNet-50 strides in its 3x3 convolutions, as the usual
implementations do. The branches of a sum share their scale, and have at least 2 bits: signs of sums of signs would
drift to +1.
"""

from __future__ import annotations

from lutra.zoo.maker import OUTER_BITS, Maker, Value

LEAST = 2  # bits of what is summed


def _normed(m: Maker, name: str, x: Value, channels: int, kernel: int, stride: int = 1, bits: int = 0) -> Value:
    return m.norm(f"{name}.norm", m.conv(f"{name}.conv", x, channels, kernel, stride, bits=bits))


def _summed(m: Maker, name: str, x: Value, y: Value, stride: int) -> Value:
    """ReLU of the sum of a branch and its shortcut, both in signed integers of one scale."""
    bits = max(LEAST, m.bits[1])
    short = x
    if x.shape != y.shape:
        short = m.quant(_normed(m, f"{name}.short", x, y.channels, 1, stride), bits=bits)
    return m.relu(m.add(f"{name}.add", m.quant(y, scale=short.scale, bits=bits), short), least=LEAST)


def _basic(m: Maker, name: str, x: Value, channels: int, stride: int) -> Value:
    """Two 3x3 convolutions."""
    y = m.relu(_normed(m, f"{name}.0", x, channels, 3, stride))
    return _summed(m, name, x, _normed(m, f"{name}.1", y, channels, 3), stride)


def _bottleneck(m: Maker, name: str, x: Value, channels: int, stride: int) -> Value:
    """1x1, 3x3 and 1x1 convolutions, the last one four times as wide."""
    y = m.relu(_normed(m, f"{name}.0", x, channels, 1))
    y = m.relu(_normed(m, f"{name}.1", y, channels, 3, stride))
    return _summed(m, name, x, _normed(m, f"{name}.2", y, 4 * channels, 1), stride)


def _imagenet(m: Maker, size: int, classes: int, repeats: tuple[int, ...], deep: bool) -> Value:
    block = _bottleneck if deep else _basic
    x = m.relu(_normed(m, "stem", m.start((3, size, size)), m.wide(64), 7, 2, OUTER_BITS), least=LEAST)
    x = m.maxpool("pool1", x, 3, 2, 1)
    for stage, count in enumerate(repeats):
        for i in range(count):
            x = block(m, f"stage{stage}.{i}", x, m.wide(64 * 2**stage), 2 if stage and i == 0 else 1)
    return m.linear("classifier", m.pooled("pool", x), classes, OUTER_BITS, bias=True)


def resnet18(m: Maker, size: int, classes: int) -> Value:
    """18 layers of basic blocks."""
    return _imagenet(m, size, classes, (2, 2, 2, 2), deep=False)


def resnet50(m: Maker, size: int, classes: int) -> Value:
    """50 layers of bottleneck blocks."""
    return _imagenet(m, size, classes, (3, 4, 6, 3), deep=True)


def resnet20(m: Maker, size: int, classes: int) -> Value:
    """20 layers of basic blocks, of 16, 32 and 64 channels."""
    x = m.relu(_normed(m, "stem", m.start((3, size, size)), m.wide(16), 3, bits=OUTER_BITS), least=LEAST)
    for stage in range(3):
        for i in range(3):
            x = _basic(m, f"stage{stage}.{i}", x, m.wide(16 * 2**stage), 2 if stage and i == 0 else 1)
    return m.linear("classifier", m.pooled("pool", x), classes, OUTER_BITS, bias=True)
