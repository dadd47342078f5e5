"""Choices for each layer of a network: what they cost, which are best, and the plan that is written down."""
