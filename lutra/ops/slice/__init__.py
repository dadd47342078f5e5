"""Slice: a box of each frame."""
