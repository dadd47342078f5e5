"""The rounding modes of QONNX (IntQuant, version 1, table of rounding modes), exact at ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array


def up(x: Array) -> Array:
    """Away from zero."""
    return np.copysign(np.ceil(np.abs(x)), x)


def half_up(x: Array) -> Array:
    """To the nearest, ties away from zero. x less its whole part is exact, |x| + 0.5 would not be."""
    whole = np.trunc(x)
    return np.asarray(whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), 0.0))


def half_down(x: Array) -> Array:
    """To the nearest, ties towards zero."""
    whole = np.trunc(x)
    return np.asarray(whole + np.where(np.abs(x - whole) > 0.5, np.sign(x), 0.0))


MODES: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,  # ties to even
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": up,
    "DOWN": np.trunc,  # towards zero
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": half_up,
    "HALF_DOWN": half_down,
}


def check_mode(mode: str) -> None:
    """LutraError for a mode that QONNX does not define."""
    if mode not in MODES:
        raise LutraError(f"rounding mode {mode[:40]!r} is not known", hint=f"QONNX defines {', '.join(MODES)}")
