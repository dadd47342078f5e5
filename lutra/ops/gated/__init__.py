"""Gated: the product of binary weights with two bit planes, the second where the first is large."""

from lutra.ops.gated.op import Gated

__all__ = ["Gated"]
