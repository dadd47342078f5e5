"""Minimum of a sum of tables over discrete variables, exactly: variable elimination.

R. Dechter, "Bucket elimination: a unifying framework for reasoning", Artificial Intelligence 113, 1999. The order is
found once, greedily by the least table (min-weight); on a chain it is the shortest path's dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from lutra.ir import Array

Scope = tuple[int, ...]  # variables of a table's axes


@dataclass(frozen=True)
class Step:
    """One elimination: the variable, the variables of the table that is left, and which tables go into it."""

    variable: int
    scope: Scope
    tables: tuple[int, ...]


def order(sizes: Sequence[int], scopes: Sequence[Scope]) -> tuple[Step, ...]:
    """Steps that eliminate all variables. sizes: values of each; scopes: variables of each table. The table that step k
    leaves has the number len(scopes) + k.
    """
    live = dict(enumerate(scopes))
    neighbours: list[set[int]] = [set() for _ in sizes]
    for scope in scopes:
        for v in scope:
            neighbours[v] |= set(scope) - {v}
    steps: list[Step] = []
    left = set(range(len(sizes)))
    while left:
        variable = min(left, key=lambda v: (prod(sizes[u] for u in neighbours[v]), v))
        scope = tuple(sorted(neighbours[variable]))
        inside = tuple(t for t, s in live.items() if variable in s)
        for table in inside:
            del live[table]
        live[len(scopes) + len(steps)] = scope
        for u in scope:
            neighbours[u] = (neighbours[u] | set(scope)) - {u, variable}
        left.remove(variable)
        steps.append(Step(variable, scope, inside))
    return tuple(steps)


def minimum(steps: Sequence[Step], scopes: Sequence[Scope], tables: Sequence[Array]) -> tuple[float, list[int]]:
    """The least sum of one entry of each table, and a value of each variable that gives it (infinite: there is none,
    the values mean nothing).
    """
    known, places = list(tables), list(scopes)
    choices: list[Array] = []
    for step in steps:
        axes = (step.variable, *step.scope)
        total: Array = np.zeros((1,) * len(axes))
        for t in step.tables:
            total = total + _aligned(known[t], places[t], axes)
        choices.append(total.argmin(0))
        known.append(total.min(0))
        places.append(step.scope)
    roots = [k for k, step in enumerate(steps) if not step.scope]
    values = [0] * len(steps)
    for step, choice in zip(reversed(steps), reversed(choices), strict=True):
        values[step.variable] = int(choice[tuple(values[v] for v in step.scope)])
    return float(sum(known[len(scopes) + k] for k in roots)), values


def _aligned(table: Array, scope: Scope, axes: Scope) -> Array:
    """A table with its axes in the order of `axes`, of length 1 where it lacks one."""
    place = [scope.index(v) for v in axes if v in scope]
    return table.transpose(place).reshape([table.shape[scope.index(v)] if v in scope else 1 for v in axes])
