"""Reorder: the elements of a frame in another order."""
