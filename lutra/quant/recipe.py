"""Which format goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lutra.quant.kinds import Fixed, Format, KHot, Scaled, at_least, shared
from lutra.quant.recurrent.formats import ROLES, Recurrent

# What a cast stands behind: the inputs of matrix products, weights, what elementwise layers multiply by, and all else,
# which is a result of an elementwise layer or what it adds.
RECURRENT = ("weight_ih", "weight_hh")
INPUTS, WEIGHTS = ("input", "other"), ("weight", "matrix", *RECURRENT)
MULTIPLIERS = ("factor", "slope", "multiplier")
NORMALISATION = ("factor", "term")
OPERAND = "operand"  # a stream that an elementwise layer reads, where scales are real
PARAMETERS = (*WEIGHTS, *MULTIPLIERS, "term", "constant", "peephole")
FOLDED = (*NORMALISATION, "output")  # of normalisation, which has no casts where scales are real


def base(role: str) -> str:
    """A role without its count."""
    return role.rstrip("0123456789").rstrip("_")


@dataclass(frozen=True)
class Recipe:
    """Formats of a network; None leaves numbers as they are, in floating point.

    Its fields:
        weights: of convolutions and linear layers.
        activations: inputs of matrix products, cast at the consumer.
        elementwise: results of normalisation, sums, products and means of streams, PReLU and other functions; also
            the parameters of such layers. With real scales the streams that they read are cast too, but normalisation
            has no cast: it is folded into the multiply-shift behind (HAWQ-V3).
        first_last: least bits of weights and activations of the first and the last convolution or linear layer, in the
            order in which the modules are registered; 0: no exception.
        multipliers: of normalisation's factor and PReLU's slope; None: as `elementwise`.
        recurrent: of what is inside LSTM and GRU layers, whose weights and inputs have the formats of any others, with
            one point for each matrix.
        normalise: divide a point's gradient by sqrt(elements * greatest integer), as LSQ does; for optimisers that are
            not scale-free. Learned scales always do.
        overrides: by patterns of module paths ("layer1.*"), the first that matches; a recipe that stands for this one
            there, without the exception for the first and last layer, or None for floating point.
    """

    weights: Format | None = None
    activations: Fixed | Scaled | None = None
    elementwise: Fixed | Scaled | None = None
    first_last: int = 8
    multipliers: Fixed | KHot | None = None
    recurrent: Recurrent = field(default=Recurrent())
    normalise: bool = False
    overrides: Mapping[str, Recipe | None] = field(default_factory=dict)

    def form(self, path: str, role: str, ends: tuple[str, ...] = ()) -> Format | None:
        """The format of the cast that stands in a role at a module; `ends`: paths of the first and last layer."""
        for pattern, other in self.overrides.items():
            if fnmatchcase(path, pattern):
                return other.form(path, role) if other else None
        inside = next((getattr(self.recurrent, name) for name, own in ROLES.items() if role == own), None)
        if inside is not None:
            return inside if self.weights and self.activations else None
        if role in MULTIPLIERS:
            return self.multipliers or self._of_streams(role)
        if role not in INPUTS + WEIGHTS:
            return self._of_streams(role)
        form = self.weights if role in WEIGHTS else self.activations
        if role in RECURRENT:
            return shared(form)
        return at_least(form, self.first_last) if self.first_last and path in ends else form

    def _of_streams(self, role: str) -> Fixed | Scaled | None:
        """Of an elementwise layer: with a real scale it is normalisation that has none, and operands that have one."""
        real = isinstance(self.elementwise, Scaled)
        return None if role in (FOLDED if real else (OPERAND,)) else self.elementwise
