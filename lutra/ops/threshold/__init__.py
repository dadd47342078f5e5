"""Threshold: the operator and its module."""

from lutra.ops.threshold.op import Threshold

__all__ = ["Threshold"]
