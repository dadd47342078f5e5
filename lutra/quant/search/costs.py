"""What a choice of bits takes. Every entry is a sum over layers, of any form in the bits: memories are steps.

A layer may be built in several ways that no other beats, multipliers or LUTs, memories or LUTs; which is best is
decided by what the whole runs short of, so a cost may name all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple, TypeAlias

from lutra.errors import LutraError
from lutra.quant.search.layers import Layer

MOST_BITS = 24


class Bits(NamedTuple):
    """A layer's choice: bits of its weights and of its input."""

    weights: int
    activations: int


def pairs(weights: Sequence[int], activations: Sequence[int]) -> list[Bits]:
    """All choices of both. LutraError: none of one, the same number twice, or one that is not from 1 to 24."""
    for name, bits in (("weights", weights), ("activations", activations)):
        if not bits or len(set(bits)) < len(bits) or not all(1 <= k <= MOST_BITS for k in bits):
            raise LutraError(f"{name}: {tuple(bits)}", "search", f"different numbers of bits from 1 to {MOST_BITS}")
    return [Bits(w, a) for a in activations for w in weights]


Way: TypeAlias = Mapping[str, float]  # by the names of what is limited
Cost: TypeAlias = Callable[[Layer, Bits], Way | Sequence[Way]]


def ways(cost: Cost, layer: Layer, bits: Bits) -> tuple[Way, ...]:
    """What a layer takes, in each way that it can be built; the first is the one where nothing is short."""
    found = cost(layer, bits)
    return (found,) if isinstance(found, Mapping) else tuple(found)


def size(layer: Layer, bits: Bits) -> dict[str, float]:
    """`size`: bytes of the weights."""
    return {"size": layer.parameters * bits.weights / 8}


def bitops(layer: Layer, bits: Bits) -> dict[str, float]:
    """`bitops`: multiply-accumulates of a frame, each times the bits of both factors (HAWQ-V3, arXiv 2011.10680)."""
    return {"bitops": float(layer.macs * bits.weights * bits.activations)}


def together(*costs: Cost) -> Cost:
    """Several costs as one, for limits on each."""
    def every(layer: Layer, bits: Bits) -> list[Way]:
        return [{name: value for way in some for name, value in way.items()}
                for some in product(*(ways(cost, layer, bits) for cost in costs))]

    return every
