"""Add: the weighed sum of two streams."""
