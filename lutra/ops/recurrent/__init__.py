"""Recurrent cells: the operators and their engine."""
