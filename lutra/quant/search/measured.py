"""What whole networks were found to do with bits that a plan compares: beside sums over layers, which only rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lutra.quant.search.costs import Bits

ACCURACY, DIVERGENCE = "accuracy", "divergence"
MEASURES = (ACCURACY, DIVERGENCE)


@dataclass(frozen=True)
class Measured:
    """One figure of a network in floating point, with a plan's bits, and with the same bits everywhere.

    Its fields:
        by: "accuracy", the share of labelled images that are right, or "divergence", the Kullback-Leibler divergence of
            the answers from those in floating point, in nats, which needs no labels and is 0 there.
        count: images that it is of.
        floating, chosen: of the network as it was, and with the plan's bits.
        uniform: with others.
        trained: with the plan's bits, after training in fixed point; None: there was none.
    """

    by: str
    count: int
    floating: float
    chosen: float
    uniform: tuple[tuple[Bits, float], ...]
    trained: float | None = None

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"by": self.by, "count": self.count, "floating": self.floating, "chosen": self.chosen,
                "uniform": [{"bits": bits._asdict(), "value": value} for bits, value in self.uniform],
                "trained": self.trained}

    @staticmethod
    def of(data: Mapping[str, Any]) -> Measured:
        """What `data` gave. Raises KeyError, TypeError or ValueError: it is something else."""
        if data["by"] not in MEASURES or type(data["count"]) is not int:
            raise ValueError(f"measured by {data['by']!r} on {data['count']!r} images")
        uniform = tuple((Bits(u["bits"]["weights"], u["bits"]["activations"]), float(u["value"]))
                        for u in data["uniform"])
        trained = None if data["trained"] is None else float(data["trained"])
        return Measured(data["by"], data["count"], float(data["floating"]), float(data["chosen"]), uniform, trained)
