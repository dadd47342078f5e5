"""Front."""
