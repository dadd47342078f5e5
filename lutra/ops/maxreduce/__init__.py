"""MaxReduce: the largest of a window."""
