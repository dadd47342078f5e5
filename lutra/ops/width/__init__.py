"""Width: a stream in words of another size."""
