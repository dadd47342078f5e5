"""What a choice of bits takes. Every entry is a sum over layers, of any form in the bits: memories are steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from lutra.quant.search.layers import Layer


class Bits(NamedTuple):
    """A layer's choice: bits of its weights and of its input."""

    weights: int
    activations: int


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
