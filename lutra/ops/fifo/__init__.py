"""Fifo: words wait in order."""
