"""The three ways to a plan: a frame rate, a budget, or folds given by hand."""

from lutra.plan.goals import BUDGET, for_budget, for_fps
from lutra.plan.hand import by_hand

__all__ = ["BUDGET", "by_hand", "for_budget", "for_fps"]
