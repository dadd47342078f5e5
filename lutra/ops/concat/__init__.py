"""Concat: two streams one after the other."""
