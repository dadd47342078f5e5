"""Turn and Unturn: sequences in both directions, and back."""
