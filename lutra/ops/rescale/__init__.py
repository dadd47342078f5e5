"""Rescale: the operator and its module."""

from lutra.ops.rescale.op import Rescale

__all__ = ["Rescale"]
