"""The bits of a network's layers, written down: JSON that a person reads, edits and hands back."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.quant.kinds import Fixed, Format, Scaled
from lutra.quant.recipe import Recipe
from lutra.quant.search.costs import MOST_BITS, Bits
from lutra.quant.search.lines import lines
from lutra.quant.search.measured import Measured

VERSION = 3  # 2 added `layers`, 3 `measured`
READABLE = (1, 2, 3)
MOST = 1e100  # of a score or cost
HINT = "bits of weights and activations are whole numbers from 1 to 24"


@dataclass(frozen=True)
class Rated:
    """Bits, of every layer or of one alone, with their score and costs."""

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
        layers: by path, what each choice of bits takes and loses in that layer alone; sums of these are `score` and
            `cost`.
        seed: of what was drawn at random.
        measured: what whole networks did; None: not known.
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
    layers: Mapping[str, tuple[Rated, ...]] = field(default_factory=dict)
    measured: Measured | None = None

    def rated(self) -> BitPlan:
        """The plan with score and costs of its bits as they are now, which may have been edited.

        Where `layers` does not have those of each layer, they are not known: the score is 0 and `cost` is empty. What
        was measured was measured of other bits, perhaps.
        """
        own = [next((r for r in self.layers.get(path, ()) if r.bits == bits), None) for path, bits in self.bits.items()]
        known = [r for r in own if r is not None]
        if len(known) < len(own):
            return replace(self, score=0.0, cost={}, measured=None)
        return replace(self, score=sum(r.score for r in known), measured=None,
                       cost={name: sum(r.cost.get(name, 0.0) for r in known) for name in known[0].cost})

    def recipe(self, base: Recipe) -> Recipe:
        """The recipe in which each layer has its bits, and all else is the base's; the exception for first and last
        layers does not hold for layers of the plan.

        Raises LutraError: the base has no format whose bits can be chosen (Fixed or Scaled) for a layer's weights.
        """
        own = {glob.escape(path): layer_recipe(base, path, bits) for path, bits in self.bits.items()}
        rest = {pattern: other for pattern, other in base.overrides.items() if pattern not in own}
        return replace(base, overrides={**own, **rest})

    def to_json(self) -> str:
        """All of it as text, ending in a newline."""
        return lines(self.data()) + "\n"

    def data(self) -> dict[str, Any]:
        """All of it as JSON has it: dicts, lists, strings and numbers."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"version": VERSION, **own, "bits": {path: bits._asdict() for path, bits in self.bits.items()},
                "cost": dict(self.cost), "limits": dict(self.limits), "uniform": _plain(self.uniform),
                "frontier": [list(point) for point in self.frontier],
                "layers": {path: _plain(choices) for path, choices in self.layers.items()},
                "measured": None if self.measured is None else self.measured.data()}

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
        if data.get("version", VERSION) not in READABLE:
            raise LutraError(f"version {data['version']!r}", at, f"this release reads versions up to {VERSION}")
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
    layers = {path: _rated(choices, f"{at}, {path}") for path, choices in data.get("layers", {}).items()}
    if unknown := sorted(set(layers) - set(bits)):
        raise LutraError(f"no bits for the layer {unknown[0]!r}, which is one of its layers", at, HINT)
    measured = None if data.get("measured") is None else Measured.of(data["measured"])
    points = tuple((_number(c), _number(s)) for c, s in data.get("frontier", ()))
    score, cost, limits = (data.get(name, empty) for name, empty in (("score", 0), ("cost", {}), ("limits", {})))
    return BitPlan(str(data["method"]), bits, _number(score), _numbers(cost), _numbers(limits),
                   _rated(data.get("uniform", ()), at), str(data.get("axis", "")), points, int(data.get("seed", 0)),
                   layers, measured)


def _rated(values: Sequence[Any], at: str) -> tuple[Rated, ...]:
    return tuple(Rated(_bits(v["bits"], at), _number(v["score"]), _numbers(v["cost"])) for v in values)


def _plain(rated: Sequence[Rated]) -> list[dict[str, Any]]:
    return [{"bits": r.bits._asdict(), "score": r.score, "cost": dict(r.cost)} for r in rated]


def _bits(value: Any, at: str) -> Bits:
    found = Bits(value["weights"], value["activations"])
    for bits in found:
        if type(bits) is not int or not 1 <= bits <= MOST_BITS:
            raise LutraError(f"{bits!r} bits", at, HINT)
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
        raise ValueError(f"{value!r} is not a number below {MOST:g}")
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
