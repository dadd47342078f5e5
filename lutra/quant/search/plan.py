"""The bits of a network's layers, written down: JSON that a person reads, edits and hands back."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.quant.kinds import Fixed, Format, Scaled
from lutra.quant.recipe import Recipe
from lutra.quant.search.costs import Bits

VERSION = 1
MOST_BITS = 24
HINT = "bits of weights and activations are whole numbers from 1 to 24"


@dataclass(frozen=True)
class Rated:
    """Bits that every layer has, beside a plan: their score and costs."""

    bits: Bits
    score: float
    cost: Mapping[str, float]


@dataclass(frozen=True)
class BitPlan:
    """Bits for each layer, and what is known of that choice.

    Its fields:
        method: that chose it.
        bits: by path of the layer.
        score: what is lost by it, by the method's own measure; less is better. `cost`: what it takes, by name.
        limits: that it was chosen within, by the names of `cost`.
        uniform: the same bits everywhere, for comparison.
        axis, frontier: (cost, score) of all choices that no other beats, by rising cost of this name.
        seed: of what was drawn at random.
    """

    method: str
    bits: Mapping[str, Bits]
    score: float
    cost: Mapping[str, float]
    limits: Mapping[str, float] = field(default_factory=dict)
    uniform: tuple[Rated, ...] = ()
    axis: str = ""
    frontier: tuple[tuple[float, float], ...] = ()
    seed: int = 0

    def recipe(self, base: Recipe) -> Recipe:
        """The recipe in which each layer has its bits, and all else is the base's; the exception for first and last
        layers does not hold for layers of the plan.

        Raises LutraError: the base has no format whose bits can be chosen (Fixed or Scaled) for a layer's weights.
        """
        own = {glob.escape(path): layer_recipe(base, path, bits) for path, bits in self.bits.items()}
        return replace(base, overrides={**own, **base.overrides})

    def to_json(self) -> str:
        """All of it as text, ending in a newline."""
        return json.dumps({"version": VERSION, **asdict(self), "bits": {p: b._asdict() for p, b in self.bits.items()},
                           "uniform": [{**asdict(u), "bits": u.bits._asdict()} for u in self.uniform]}, indent=1) + "\n"

    @staticmethod
    def from_json(text: str, at: str = "the plan") -> BitPlan:
        """What `to_json` gave, perhaps edited. `method` and `bits` are all that must be there.

        Raises LutraError: it is not JSON, a field is missing, unknown or of another kind.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise LutraError(f"it is not JSON: {e}", at, "write the plan again") from e
        if not isinstance(data, dict) or not isinstance(data.get("bits"), dict) or not data["bits"]:
            raise LutraError("it has no bits", at, '"bits" is an object of layers by path')
        known = {"version", *(f for f in BitPlan.__dataclass_fields__)}
        if unknown := sorted(set(data) - known):
            raise LutraError(f"unknown field {unknown[0]!r}", at, f"one of {', '.join(sorted(known))}")
        if data.get("version", VERSION) != VERSION:
            raise LutraError(f"version {data['version']!r}", at, f"this release reads version {VERSION}")
        try:
            return _built(data, at)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise LutraError(f"a field is missing or of another kind: {e}", at, "see docs/tutorial/bits.md") from e

    @staticmethod
    def read(path: Path) -> BitPlan:
        """The plan in a file. Raises LutraError: no such file, or no plan in it."""
        try:
            return BitPlan.from_json(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as e:
            raise LutraError(f"it cannot be read: {e}", str(path), "check the path") from e

    def check(self, paths: Mapping[str, Any]) -> None:
        """Refuse a plan of another network; `paths`: its layers by path.

        Raises LutraError: names the first layer that only one of both has.
        """
        if extra := sorted(set(self.bits) - set(paths)):
            raise LutraError(f"the network has no layer {extra[0]!r}", "the plan", "make a plan for this network")
        if missing := sorted(set(paths) - set(self.bits)):
            raise LutraError(f"it has no bits for the layer {missing[0]!r}", "the plan", HINT)


def _built(data: Mapping[str, Any], at: str) -> BitPlan:
    bits = {path: _bits(value, f"{at}, {path}") for path, value in data["bits"].items()}
    uniform = tuple(Rated(_bits(u["bits"], at), _number(u["score"]), _numbers(u["cost"]))
                    for u in data.get("uniform", ()))
    points = tuple((_number(c), _number(s)) for c, s in data.get("frontier", ()))
    score, cost, limits = (data.get(name, empty) for name, empty in (("score", 0), ("cost", {}), ("limits", {})))
    return BitPlan(str(data["method"]), bits, _number(score), _numbers(cost), _numbers(limits), uniform,
                   str(data.get("axis", "")), points, int(data.get("seed", 0)))


def _bits(value: Any, at: str) -> Bits:
    found = Bits(value["weights"], value["activations"])
    for bits in found:
        if type(bits) is not int or not 1 <= bits <= MOST_BITS:
            raise LutraError(f"{bits!r} bits", at, HINT)
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _numbers(value: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _number(v) for name, v in value.items()}


def layer_recipe(base: Recipe, path: str, bits: Bits) -> Recipe:
    """The recipe for one layer alone: the base's formats there, with these bits.

    Raises LutraError: the base leaves the weights as they are, or gives them a format without bits to choose.
    """
    for pattern, other in base.overrides.items():
        if fnmatchcase(path, pattern):
            if other is None:
                raise LutraError("the recipe leaves it in floating point", path, "leave it out of the search")
            return layer_recipe(other, path, bits)
    weights = with_bits(base.weights, bits.weights, path)
    activations = base.activations and with_bits(base.activations, bits.activations, path)
    assert activations is None or isinstance(activations, Fixed | Scaled)
    return replace(base, weights=weights, activations=activations, first_last=0, overrides={})


def with_bits(form: Format | None, bits: int, path: str) -> Fixed | Scaled:
    """A format with another number of bits. Raises LutraError: it has none that can be chosen."""
    match form:
        case Fixed():
            return replace(form, width=bits)
        case Scaled():
            return replace(form, bits=bits)
    raise LutraError(f"bits of {form} cannot be chosen", path, "take a recipe with Fixed or Scaled weights")
