"""Weights of one bit as `lutra_agree` has them in memory."""

from __future__ import annotations

from lutra.ir import Array


def with_parities(codes: Array) -> Array:
    """Codes (..., SIMD) of one bit as they are stored: of each G = SIMD // 3 lanes i, G + i, 2G + i the last holds the
    parity of the three, which `lutra_agree` counts with.
    """
    group = codes.shape[-1] // 3
    stored = codes.copy()
    stored[..., 2 * group : 3 * group] ^= codes[..., :group] ^ codes[..., group : 2 * group]
    return stored
