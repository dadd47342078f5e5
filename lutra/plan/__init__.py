"""Plan: what is chosen for a graph, and how the choice is found."""
