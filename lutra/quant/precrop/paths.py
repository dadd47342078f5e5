"""Densities that maximise the expected synaptic flow of a network with branches, where it is a sum over paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from lutra.quant.precrop.closed import filled
from lutra.quant.precrop.scores import Flow

ROUNDS = 200
TINY = 1e-12  # part of the flow that a layer has which none passes
STILL = 1e-6  # change of the densities, as a share, at which no more rounds are made


def pathsum(net: nn.Module, weights: Mapping[str, float], example: Any, budget: float) -> dict[str, float]:
    """Densities p for which E[R], the flow that a random mask of these densities leaves, is greatest near SynExp's.

    weights: elements of each layer, by path; budget: how many of them are kept.

    Each path through the network passes a layer once, so E[R] is R with each layer's weights times its density: a sum
    of products, one for each path. By Jensen's inequality log E[R] is bounded from below by sum(e * log p) and a
    constant, with equality at the present p, where e is the part of R that passes the layer. SynExp's closed form
    maximises that bound, so no round makes E[R] less; the rounds end where weights * p / e is equal for all p within
    their limits. In a chain all e are 1 and the first round is the last.

    The logarithm of a sum over paths is convex, so under a small budget the best is to leave whole blocks out, which
    a shortcut carries the flow around: a density is no less than one weight of the layer.

    Raises LutraError: as `synexp` and `synflow`.
    """
    paths, sizes = list(weights), [float(w) for w in weights.values()]
    least = [1 / a for a in sizes]
    found = filled(sizes, budget, [1.0] * len(sizes), least)
    flow = Flow(net, paths, example)
    flow.scale(dict(zip(paths, found, strict=True)))
    for _ in range(ROUNDS):
        whole, scores = flow.scores()
        parts = [max(float(scores[path].sum() / whole), TINY) for path in paths]
        new = filled(sizes, budget, parts, least)
        factors = [a / b for a, b in zip(new, found, strict=True)]
        flow.scale(dict(zip(paths, factors, strict=True)))
        found = new
        if all(abs(f - 1) < STILL for f in factors):
            break
    return dict(zip(paths, found, strict=True))
