"""Last: the last column of a sequence."""
