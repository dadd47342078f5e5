"""Fit the cost model to synthesis: `python bench/fit_cost.py [operator...]` rewrites `lutra/ops/cost.json`.

For each family and operator, Yosys synthesises drawn configurations (`cost_units.py`), and non-negative least squares
on relative errors finds what one unit of each structural feature costs in LUTs and in flip-flops. The table keeps the
figures of the fit. Results of synthesis are cached, so a second run takes seconds.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from cost_units import DRAWS, Sample, cache, measure
from scipy.optimize import nnls

from lutra.ops.base import FAMILIES
from lutra.ops.cost import TABLE, weighed

SEED = 1
COUNT = {"matmul": 40, "threshold": 16, "rescale": 14}
USUAL = 12
FLOOR = 20.0  # LUTs or FFs under which errors count as absolute


def fit(samples: list[Sample], family: str, resource: str) -> tuple[dict[str, float], dict[str, float]]:
    """Coefficients of the features of a resource, and how well they fit."""
    rows = [s.features(family) for s in samples]
    names = sorted({n for row in rows for n in row if weighed(n, resource)})
    a = np.array([[row.get(n, 0.0) for n in names] for row in rows])
    y = np.array([getattr(s.found, resource) for s in samples], dtype=float)
    weight = 1 / np.maximum(y, FLOOR)
    found, _ = nnls(a * weight[:, None], y * weight)
    error = np.abs(a @ found - y) / np.maximum(y, 1)
    figures = {"samples": len(samples), "median_error": float(np.median(error)), "p90_error": float(np.quantile(error, 0.9))}
    return dict(zip(names, np.round(found, 5).tolist(), strict=True)), figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operators", nargs="*", default=list(DRAWS), choices=[*DRAWS, []])
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    chosen = parser.parse_args()
    table = json.loads(TABLE.read_text())
    for family in chosen.families:
        for op in chosen.operators:
            samples = measure(op, family, SEED, COUNT.get(op, USUAL), cache())
            fits = {r: fit(samples, family, r) for r in ("lut", "ff")}
            table["coefficients"].setdefault(family, {})[op] = {r: f[0] for r, f in fits.items()}
            table.setdefault("fits", {}).setdefault(family, {})[op] = {r: f[1] for r, f in fits.items()}
            TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
            text = ", ".join(f"{r} median {f[1]['median_error']:.1%} p90 {f[1]['p90_error']:.1%}" for r, f in fits.items())
            print(f"{family} {op}: {text}", flush=True)


if __name__ == "__main__":
    main()
