"""The lanes of streams as discrete variables: what ties the choices of layers together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutra.ir import Array
from lutra.plan.eliminate import Scope, Step, order

if TYPE_CHECKING:
    from lutra.plan.candidates import Joint, Layer


@dataclass(frozen=True, eq=False)
class Spot:
    """Where the candidates of a layer lie in its table: `scope` and `shape` of that, `cells` (n,) its flat index for
    each candidate. ports: for each stream, the output's last, the variable that says its lanes, and for each of that
    variable's values which ones (the index in `Layer.values`).
    """

    scope: Scope
    shape: tuple[int, ...]
    cells: Array
    ports: tuple[tuple[int, Array], ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """The tables of a network, those of its layers first, then those of its joints; and how they are eliminated."""

    spots: tuple[Spot, ...]
    scopes: tuple[Scope, ...]
    steps: tuple[Step, ...]


def structure(layers: tuple[Layer, ...], joints: tuple[Joint, ...]) -> Structure:
    """A unit has a variable for the lanes of each of its two streams; a join, whose streams are tied, one for all."""
    sizes: list[int] = []
    spots = tuple(_spot(layer, sizes) for layer in layers)
    ends = [(spots[j.source].ports[-1][0], spots[j.sink].ports[j.port][0]) for j in joints]
    scopes = (*(s.scope for s in spots), *ends)
    return Structure(spots, scopes, order(sizes, scopes))


def _spot(layer: Layer, sizes: list[int]) -> Spot:
    first = len(sizes)
    if layer.lanes.shape[1] <= 2:
        shape = tuple(len(v) for v in layer.values)
        sizes += shape
        cells = np.ravel_multi_index(tuple(layer.places.T), shape)
        scope = tuple(range(first, len(sizes)))
        return Spot(scope, shape, cells, tuple((v, np.arange(n)) for v, n in zip(scope, shape, strict=True)))
    tuples, cells = np.unique(layer.places, axis=0, return_inverse=True)
    sizes.append(len(tuples))
    return Spot((first,), (len(tuples),), cells.reshape(-1), tuple((first, column) for column in tuples.T))
