"""MatMul: the operator and its module."""

from lutra.ops.matmul.op import MatMul

__all__ = ["MatMul"]
