"""Fit the cost model to synthesis: `python bench/fit_cost.py [operator...]` rewrites `lutra/ops/cost.json`.

For each family and operator, Yosys synthesises drawn configurations (`cost_units.py`), and non-negative least squares
on relative errors finds what one unit of each structural feature costs in LUTs and in flip-flops. The table keeps the
figures of the fit. Results of synthesis are cached, so a second run takes seconds.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from cost_units import DRAWS, Sample, cache, measure
from scipy.optimize import nnls

from lutra.ops.base import FAMILIES
from lutra.ops.cost import TABLE, weighed

SEED = 1
COUNT = {"matmul": 40, "matmul_pairs": 16, "matmul_shifts": 16, "threshold": 16, "rescale": 20, "depthwise": 24,
         "add": 20, "mul": 14, "fetch": 8, "requant": 16, "lstm": 10, "gru": 10, "turn": 6, "unturn": 6, "mark": 6,
         "last": 8, "collapse": 6}
USUAL = 12
ALIKE = 3  # configurations that two families are compared on
FABRIC = {"xcup": "xc7"}  # the same six-input LUTs and memories
# memories in LUTs are fitted there
SHARED = dict.fromkeys(("matmul_pairs", "matmul_dsp", "matmul_shifts", "depthwise", "lstm", "gru"), "matmul")
MEMORY = "lut.weights"
FLOOR = 20.0  # LUTs or FFs under which errors count as absolute


def fit(samples: list[Sample], family: str, resource: str, known: dict[str, float],
        ) -> tuple[dict[str, float], dict[str, float]]:
    """Coefficients of the features of a resource, but for those that are known, and how well they fit."""
    rows = [s.features(family) for s in samples]
    names = sorted({n for row in rows for n in row if weighed(n, resource)})
    a = np.array([[row.get(n, 0.0) for n in names] for row in rows])
    y = np.array([getattr(s.found, resource) for s in samples], dtype=float)
    weight = 1 / np.maximum(y, FLOOR)
    fixed = np.array([known.get(n, 0.0) for n in names])
    free = np.array([n not in known for n in names])
    found = fixed.copy()
    found[free], _ = nnls(a[:, free] * weight[:, None], (y - a @ fixed) * weight)
    error = np.abs(a @ found - y) / np.maximum(y, 1)
    figures = {"samples": len(samples), "median_error": round(float(np.median(error)), 4),
               "p90_error": round(float(np.quantile(error, 0.9)), 4)}
    return dict(zip(names, np.round(found, 5).tolist(), strict=True)), figures


def same(op: str, family: str, other: str) -> bool:
    """Whether synthesis finds the very same LUTs and flip-flops on both families for the first configurations."""
    found = [[(s.found.lut, s.found.ff) for s in measure(op, f, SEED, ALIKE, cache())] for f in (family, other)]
    return found[0] == found[1]


def entry(op: str, family: str, table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Coefficients and figures of an operator on a family: fitted, or another family's where the fabric is the same."""
    other = FABRIC.get(family)
    if other and same(op, family, other):
        return table["coefficients"][other][op], {"same_as": other, "compared": ALIKE}
    samples = measure(op, family, SEED, COUNT.get(op, USUAL), cache())
    base = table["coefficients"][family][SHARED[op]]["lut"] if op in SHARED else {}
    known = {MEMORY: base[MEMORY]} if base else {}
    fits = {r: fit(samples, family, r, known if r == "lut" else {}) for r in ("lut", "ff")}
    return {r: f[0] for r, f in fits.items()}, {r: f[1] for r, f in fits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operators", nargs="*", metavar="operator", help=f"of {', '.join(DRAWS)}; all by default")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    chosen = parser.parse_args()
    table = json.loads(TABLE.read_text())
    for family in chosen.families:
        for op in chosen.operators or DRAWS:
            found, figures = entry(op, family, table)
            table["coefficients"].setdefault(family, {})[op] = found
            table.setdefault("fits", {}).setdefault(family, {})[op] = figures
            TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
            print(f"{family} {op}: {figures}", flush=True)


if __name__ == "__main__":
    main()
