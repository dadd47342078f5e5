"""Depthwise: a filter for each channel."""
