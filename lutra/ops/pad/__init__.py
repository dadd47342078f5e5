"""Pad: a border around each frame."""
