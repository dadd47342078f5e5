"""Netlists and the printers that turn them into text."""
