"""What a unit costs: features that an operator derives from its structure, weighed by coefficients fitted to synthesis.

`bench/fit_cost.py` writes `cost.json`; `bench/cost_model.py` measures the estimate on configurations that were not
fitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.ops.base import Cost

TABLE = Path(__file__).with_name("cost.json")
EXACT = ("bram", "dsp")  # closed formulas of the operator: taken as they are


@cache
def coefficients() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Family -> operator -> resource ("lut", "ff") -> feature -> resources for each unit of the feature."""
    table: dict[str, dict[str, dict[str, dict[str, float]]]] = json.loads(TABLE.read_text())["coefficients"]
    return table


def weighed(feature: str, resource: str) -> bool:
    """Whether a feature takes part in a resource: "lut.tree" only in LUTs, "ff.tree" only in FFs, "tree" in both."""
    head, dot, _ = feature.partition(".")
    return feature not in EXACT and (not dot or head == resource)


def estimate(family: str, op: str, features: Mapping[str, float]) -> Cost:
    """Resources of a unit `op` (the operator's kind, such as "matmul") on a family ("xc7", "xcup", "ecp5").

    Features are structural terms, each proportional to what it costs (comparator bits, adder bits, words of
    memory...). "bram" and "dsp" are exact counts. LutraError where the family or the operator was never fitted.
    """
    fitted = coefficients().get(family)
    if fitted is None:
        raise LutraError(f"no cost model for family {family!r}", hint=f"there are {', '.join(sorted(coefficients()))}")
    if op not in fitted:
        raise LutraError(f"no cost model for {op!r} on {family}", hint="run bench/fit_cost.py")
    parts = {r: _weigh(fitted[op].get(r, {}), r, features) for r in ("lut", "ff")}
    return Cost(parts["lut"], parts["ff"], features.get("bram", 0.0), features.get("dsp", 0.0))


def _weigh(weights: Mapping[str, float], resource: str, features: Mapping[str, float]) -> float:
    total = 0.0
    for name, value in features.items():
        if weighed(name, resource):
            assert name in weights, f"feature {name!r} was not fitted for {resource}"
            total += weights[name] * value
    return total
