"""Operators of source graphs: what models are made of, in double precision."""
