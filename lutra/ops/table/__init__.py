"""Table: the operator and its module."""

from lutra.ops.table.op import Table

__all__ = ["Table"]
