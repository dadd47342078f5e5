"""Recurrent layers in fixed point: every number inside has a format of its own (FINN-L, arXiv 1807.04093)."""
