"""Requant: the operator and its module."""

from lutra.ops.requant.op import Requant

__all__ = ["Requant"]
