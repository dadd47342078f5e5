"""Training of the zoo's networks: data, recipes, a loop in three stages with checkpoints, and what comes out of it."""
