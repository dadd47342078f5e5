"""Boards: vendor projects around a design, and the driver that a build folder takes along."""
