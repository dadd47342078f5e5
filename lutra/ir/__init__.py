"""Graph, Tensor, Range, Op: the forms that every room speaks."""

from lutra.ir.node import REAL, Constant, Graph, Input, Node, Op, Real, Tensor
from lutra.ir.range import Array, Range, covering
from lutra.ir.rewrite import Rule, rewrite

__all__ = ["REAL", "Array", "Constant", "Graph", "Input", "Node", "Op", "Range", "Real", "Rule", "Tensor", "covering",
           "rewrite"]
