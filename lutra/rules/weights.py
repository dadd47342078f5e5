"""Real weights as integers and scales, and the chain from a product of integers back to real numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, covering
from lutra.ops.source import Add, Mul, real
from lutra.rules.affine import one_where_equal
from lutra.rules.lattice import Lattice, lattice
from lutra.rules.view import Chain

WHOLE = 1e-9  # how far a zero point in double precision may be from its integer, as a part of it


@dataclass(frozen=True)
class Weights:
    """real weights (M, K) times what one of each input is worth = scale (M,) or () * first * integers (M, K).

    Where a quantiser made the weights, `first` is the inputs' scale and `scale` its own, in the order in which the
    source multiplies, so that not even a rounding of the last bit differs.
    """

    integers: Array
    scale: Array
    first: float = 1.0

    @property
    def chain(self) -> Chain:
        """From the product of integers to real numbers."""
        first = (Mul(real(self.first)),) if self.first != 1.0 else ()
        return (*first, Mul(real(one_where_equal(self.scale))))


def check_weights(weights: Array, quant: tuple[Array, Array] | None, loc: str) -> None:
    """LutraError for weights that nothing quantises."""
    decompose(weights.reshape(len(weights), -1), None if quant is None else (
        quant[0].reshape(len(weights), -1), quant[1].reshape(len(weights), -1)), np.ones(1), loc)


def decompose(weights: Array, quant: tuple[Array, Array] | None, inputs: Array, loc: str) -> Weights:
    """Integers and scales of weights (M, K) whose inputs are worth `inputs` (K,) each."""
    if quant is not None and (inputs == inputs[0]).all() and (quant[1] == quant[1][:, :1]).all():
        return Weights(quant[0], quant[1][:, 0], float(inputs[0]))
    whole = lattice(weights * inputs)
    if whole is not None:
        return _narrowest(whole)
    rows = [lattice(row * inputs) for row in weights]
    if any(row is None for row in rows):
        if quant is not None and (inputs != inputs[0]).any():
            raise LutraError("the channels of its input have scales without a common divisor", loc,
                             "quantise them with one scale, for instance behind the concatenation that brings them")
        raise LutraError(f"its weights of shape {weights.shape} are not quantised", loc,
                         "export the model with a Quant or BipolarQuant on every weight")
    found = [row for row in rows if isinstance(row, Lattice)]
    return Weights(np.stack([row.integers for row in found]), np.array([row.scale for row in found]))


def _narrowest(whole: Lattice) -> Weights:
    """Integers with one scale, or where that is narrower each row with a power of two of its own.

    Points of channels differ widely: a channel that hardly does anything has weights of 4 bits far below those of the
    others, which would all have to be stored in its units, in 12 bits.
    """
    powers = np.gcd.reduce(whole.integers, axis=1)
    powers &= -powers
    powers = np.where(powers == 0, 1, powers)
    rows = whole.integers // powers[:, None]
    if covering(rows).bits == covering(whole.integers).bits:
        return Weights(whole.integers, np.array(whole.scale))
    return Weights(rows, whole.scale * powers)


def shifted(weights: Weights, zeros: Array, rest: Array) -> Chain:
    """The chain behind a product whose inputs lie `zeros` (K,) integers away from what is proportional to the real
    numbers: the sum of those by the weights is an integer again. `rest` (M,): what it is worth, where they are none.
    """
    if not zeros.any():
        return weights.chain
    whole = np.rint(zeros)
    if (np.abs(zeros - whole) > WHOLE * np.maximum(1.0, np.abs(whole))).any():
        return (*weights.chain, Add(real(one_where_equal(rest))))
    return (Add(real(one_where_equal(weights.integers @ whole))), *weights.chain)
