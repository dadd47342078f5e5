"""Mul: the product of two streams."""
