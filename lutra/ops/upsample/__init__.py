"""Upsample: nearest neighbour, by whole factors."""
