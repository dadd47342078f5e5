"""How well the cost model knows what synthesis finds: `python bench/cost_model.py`.

Configurations that were not fitted (their seeds are others than `fit_cost.py`'s, and none of a fitted configuration is
taken), synthesised by Yosys for each family: every kind of unit in each of its forms. The bar, over all of a family: a
median error of LUTs of at most 10 %, a rank correlation of at least 0.95. Those of each kind are printed beside it.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from cost_units import DRAWS, Sample, cache, draws, measure
from fit_cost import COUNT, SEED, USUAL
from scipy.stats import spearmanr

from lutra.ops.base import FAMILIES

UNSEEN = 3
TESTED = {"matmul": 10, "matmul_pairs": 5, "matmul_dsp": 5, "matmul_adders": 4, "threshold": 5, "rescale": 4,
          "rescale_wide": 4, "table": 4, "pad": 3, "window": 4, "maxreduce": 3, "argmax": 3, "width": 4, "fifo": 4,
          "fork": 3, "upsample": 3, "slice": 4, "reorder": 4, "depthwise": 8, "add": 6, "mul": 5, "concat": 4,
          "fetch": 3}
MOST_ERROR, LEAST_RANK, LEAST_COUNT = 0.10, 0.95, 30


def unseen(family: str) -> list[Sample]:
    """Synthesised configurations of every operator that the fit has not seen."""
    found: list[Sample] = []
    for op, count in TESTED.items():
        fitted = set(draws(op, SEED, COUNT.get(op, USUAL))) if op in DRAWS else set()
        found += [s for s in measure(op, family, UNSEEN, count, cache()) if (s.unit, s.x, s.fold) not in fitted]
    return found


def judge(family: str, samples: list[Sample]) -> bool:
    """Print a line for each configuration, the figures of each kind and the family's; whether these meet the bar."""
    guess = np.array([s.unit.cost(s.fold, s.x, family).lut for s in samples])
    truth = np.array([s.found.lut for s in samples], dtype=float)
    error = np.abs(guess - truth) / np.maximum(truth, 1)
    for s, g, t, e in zip(samples, guess, truth, error, strict=True):
        print(f"  {s.op:<13} {s.x!s:<28} {s.fold!s:<18} LUT {t:6.0f} estimated {g:8.1f}  {e:6.1%}")
    for op in TESTED:
        mine = np.array([s.op == op for s in samples])
        rank = float(spearmanr(guess[mine], truth[mine]).statistic)
        print(f"  {op:<13} {mine.sum():3} configurations, median error {np.median(error[mine]):6.1%}, rank {rank:.2f}")
    rank = float(spearmanr(guess, truth).statistic)
    size = 4 if family == "ecp5" else 6
    figures = f"LUT{size} median error {np.median(error):.1%}, rank correlation {rank:.3f}"
    print(f"{family}: {len(samples)} configurations, {figures}", flush=True)
    return bool(np.median(error) <= MOST_ERROR and rank >= LEAST_RANK and len(samples) >= LEAST_COUNT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    good = [judge(family, unseen(family)) for family in parser.parse_args().families]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
