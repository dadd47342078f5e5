"""Collapse: labels without repeats and blanks."""
