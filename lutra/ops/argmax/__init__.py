"""ArgMax: index of the largest channel."""
