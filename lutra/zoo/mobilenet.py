"""MobileNets: V1 (Howard et al. 2017, arXiv:1704.04861, table 1) and V2 (Sandler et al. 2018, 1801.04381, table 2)."""

from __future__ import annotations

from lutra.zoo.maker import OUTER_BITS, Maker, Value

V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _layer(m: Maker, name: str, x: Value, channels: int, kernel: int, stride: int = 1, groups: int = 1, bits: int = 0,
           ) -> Value:
    """Convolution, batch normalisation, ReLU6."""
    return m.relu6(m.norm(f"{name}.norm", m.conv(f"{name}.conv", x, channels, kernel, stride, groups, bits)))


def _head(m: Maker, x: Value, classes: int) -> Value:
    return m.linear("classifier", m.pooled("pool", x), classes, OUTER_BITS, bias=True)


def mobilenet_v1(m: Maker, size: int, classes: int) -> Value:
    """Depthwise separable convolutions: a depthwise and a pointwise one, each normalised."""
    x = _layer(m, "stem", m.start((3, size, size)), m.wide(32), 3, 2, bits=OUTER_BITS)
    for i, (channels, stride) in enumerate(V1):
        x = _layer(m, f"block{i}.depthwise", x, x.channels, 3, stride, groups=x.channels)
        x = _layer(m, f"block{i}.pointwise", x, m.wide(channels), 1)
    return _head(m, x, classes)


def _inverted(m: Maker, name: str, x: Value, expansion: int, channels: int, stride: int) -> Value:
    """Inverted residual: widen, depthwise, narrow without activation; a sum where shapes agree."""
    inner = x.channels * expansion
    y = _layer(m, f"{name}.expand", x, inner, 1) if expansion > 1 else x
    y = _layer(m, f"{name}.depthwise", y, inner, 3, stride, groups=inner)
    y = m.norm(f"{name}.project.norm", m.conv(f"{name}.project.conv", y, channels, 1))
    bits = max(2, m.bits[1])  # signs of sums of signs would drift to +1
    if y.shape != x.shape:
        return m.quant(y, bits=bits)
    return m.quant(m.add(f"{name}.add", m.quant(y, scale=x.scale, bits=bits), x), bits=bits)


def mobilenet_v2(m: Maker, size: int, classes: int) -> Value:
    """Inverted residuals with linear bottlenecks; the branches of a sum share their scale."""
    x = _layer(m, "stem", m.start((3, size, size)), m.wide(32), 3, 2, bits=OUTER_BITS)
    for stage, (expansion, channels, repeats, stride) in enumerate(V2):
        for i in range(repeats):
            x = _inverted(m, f"stage{stage}.{i}", x, expansion, m.wide(channels), stride if i == 0 else 1)
    return _head(m, _layer(m, "last", x, m.wide(1280), 1), classes)
