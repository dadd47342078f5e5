"""Reshape: the same stream under another shape."""
