"""Networks that concatenate: U-Net (Ronneberger et al. 2015, arXiv:1505.04597, figure 1) and an Inception network of
the size of CIFAR with the modules of GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842, figure 2b).
"""

from __future__ import annotations

from lutra.zoo.maker import OUTER_BITS, Maker, Value

DEPTH = 4  # of the U: how often its size is halved
MODULES = ((16, 24, 32, 4, 8, 8), (32, 32, 48, 8, 24, 16), (48, 24, 52, 4, 12, 16), (64, 40, 80, 8, 32, 32))


def _layer(m: Maker, name: str, x: Value, channels: int, kernel: int, bits: int = 0, scale: float = 0.0) -> Value:
    """Convolution, batch normalisation, ReLU."""
    return m.relu(m.norm(f"{name}.norm", m.conv(f"{name}.conv", x, channels, kernel, bits=bits)), scale)


def _double(m: Maker, name: str, x: Value, channels: int, bits: int = 0) -> Value:
    return _layer(m, f"{name}.1", _layer(m, f"{name}.0", x, channels, 3, bits), channels, 3)


def unet(m: Maker, size: int, classes: int) -> Value:
    """U-Net with half the channels of the paper's and padded convolutions, so that the output has the input's size.

    Gives (classes, size, size) scores. A skip and what it meets share their scale.
    """
    x, skips = m.start((3, size, size)), []
    for level in range(DEPTH):
        x = _double(m, f"down{level}", x, m.wide(32 * 2**level), 0 if level else OUTER_BITS)
        skips.append(x)
        x = m.maxpool(f"pool{level}", x, 2, 2)
    x = _double(m, "bottom", x, m.wide(32 * 2**DEPTH))
    for level in reversed(range(DEPTH)):
        skip = skips[level]
        up = m.norm(f"up{level}.norm", m.upconv(f"up{level}", x, skip.channels))
        x = _double(m, f"out{level}", m.concat(f"join{level}", skip, m.relu(up, skip.scale)), skip.channels)
    return m.conv("classifier", x, classes, 1, bits=OUTER_BITS)


def _module(m: Maker, name: str, x: Value, widths: tuple[int, ...]) -> Value:
    """1x1, 3x3 and 5x5 convolutions and pooling, side by side in one scale."""
    one, small, three, tiny, five, pool = (m.wide(w) for w in widths)
    a = _layer(m, f"{name}.one", x, one, 1)
    b = _layer(m, f"{name}.three", _layer(m, f"{name}.reduce3", x, small, 1), three, 3, scale=a.scale)
    c = _layer(m, f"{name}.five", _layer(m, f"{name}.reduce5", x, tiny, 1), five, 5, scale=a.scale)
    d = _layer(m, f"{name}.project", m.maxpool(f"{name}.pool", x, 3, 1, 1), pool, 1, scale=a.scale)
    return m.concat(f"{name}.join", a, b, c, d)


def inception(m: Maker, size: int, classes: int) -> Value:
    """Four modules with a quarter of the channels of GoogLeNet's 3a to 4b, more or less, and two poolings."""
    x = m.maxpool("pool0", _layer(m, "stem", m.start((3, size, size)), m.wide(32), 3, OUTER_BITS), 3, 2, 1)
    for i, widths in enumerate(MODULES):
        x = _module(m, f"module{i}", x, widths)
        if i == 1:
            x = m.maxpool("pool1", x, 3, 2, 1)
    return m.linear("classifier", m.pooled("pool", x), classes, OUTER_BITS, bias=True)
