"""Fetch: constants streamed from off-chip memory."""
