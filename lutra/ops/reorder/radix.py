"""Orders that counters give: k written in mixed radix, each digit worth a step of its own (strided transpositions)."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array

MOST = 4  # counters that the hardware has

Digits = tuple[tuple[int, int], ...]


def digits(order: Array) -> Digits | None:
    """(count, step) of each digit, the fastest first, up to MOST of them, such that
    order[k] = order[0] + sum of digit * step; None where there are none.
    """
    found: list[tuple[int, int]] = []
    while len(order) > 1:
        step = int(order[1] - order[0])
        count = _run(order, step)
        rounds = order.reshape(-1, count) if len(order) % count == 0 else order[None]
        if len(found) == MOST or not np.array_equal(rounds, rounds[:, :1] + step * np.arange(rounds.shape[1])):
            return None
        found.append((count, step))
        order = rounds[:, 0]
    return tuple(found)


def _run(order: Array, step: int) -> int:
    """How many from the first on are a step apart. A round of the fastest digit is just as long, as the next digit's
    step goes on otherwise: if it did not, both were one digit.
    """
    breaks = np.flatnonzero(np.diff(order) != step)
    return int(breaks[0]) + 1 if len(breaks) else len(order)


def distances(found: Digits, modulo: int) -> tuple[int, ...]:
    """For each digit, how far it is (modulo) from the last word of a round of the faster ones to the next."""
    back, far = 0, []
    for count, step in found:
        far.append((step - back) % modulo)
        back += (count - 1) * step
    return tuple(far)
