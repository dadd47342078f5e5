"""One cast for an input that several layers cast for themselves: of few bits, and none of them sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lutra.ops.source import Cast, real
from lutra.ops.source.quant import MAX_BITS

POINTS = {"TRN": 0, "RND": 1}  # rounding whose steps are at x >= t: binary places of t beyond those of the result

CLIPS = ("SAT", "SAT_SYM")


def finest(casts: Sequence[Cast]) -> Cast | None:
    """A cast F with c(F(x)) = c(x) for every real x and each c; None where there is no such of few bits.

    F rounds down to places of which every step of each cast is a multiple, so x and F(x) lie on the same side of it,
    and holds all their results, so what saturates does so behind it.
    """
    if len(set(casts)) == 1:
        return casts[0]
    if not all(c.rounding in POINTS and c.overflow in CLIPS and c.fraction.array.size == 1 for c in casts):
        return None
    own = [int(c.fraction.array.reshape(-1)[0]) for c in casts]
    places = max(f + POINTS[c.rounding] for f, c in zip(own, casts, strict=True))
    low, high = (at(getattr(c.codes, end) << (places - f) for f, c in zip(own, casts, strict=True))
                 for at, end in ((min, "lo"), (max, "hi")))
    signed = low < 0
    width = max(high.bit_length(), (-low - 1).bit_length() if signed else 0) + signed
    return Cast(real(np.array(float(places))), width, signed, "TRN", "SAT") if width <= MAX_BITS else None
