"""What a choice of bits takes. Every entry is a sum over layers, of any form in the bits: memories are steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


Cost: TypeAlias = Callable[[Layer, Bits], Mapping[str, float]]


def size(layer: Layer, bits: Bits) -> dict[str, float]:
    """`size`: bytes of the weights."""
    return {"size": layer.parameters * bits.weights / 8}


def bitops(layer: Layer, bits: Bits) -> dict[str, float]:
    """`bitops`: multiply-accumulates of a frame, each times the bits of both factors (HAWQ-V3, arXiv 2011.10680)."""
    return {"bitops": float(layer.macs * bits.weights * bits.activations)}


def together(*costs: Cost) -> Cost:
    """Several costs as one, for limits on each."""
    return lambda layer, bits: {name: value for cost in costs for name, value in cost(layer, bits).items()}
