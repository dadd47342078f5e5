"""The page of a plan of bits: what each layer loses, the whole trade-off, the choice beside uniform bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lutra.report.chart import chart
from lutra.report.html import rendered

METHODS = {"zeroq": "ZeroQ", "hawq": "HAWQ-V2"}
SCORES = {"zeroq": ("Divergence", "the Kullback-Leibler divergence of the network's answers from those in floating "
                                  "point, in nats"),
          "hawq": ("Ω", "the rise of the training loss that is expected, to second order (twice that)")}
COSTS = {"size": "Bytes of weights", "bitops": "Bit-operations", "lut": "LUTs", "ff": "Flip-flops",
         "bram": "Block RAMs", "uram": "UltraRAMs", "dsp": "Multipliers"}
MEASURES = {"accuracy": "Accuracy", "divergence": "Divergence measured"}
MOST = 12  # uniform choices that are shown whatever they are
DEEPEST = 50  # per cent of colour behind the greatest number, on which text is still easily read


def bits_page(plan: Mapping[str, Any]) -> str:
    """HTML of a plan as JSON has it (`BitPlan.data()`). No script, no request; every name is escaped.

    What the plan does not know, such as the trade-off of one written by hand, is left out.
    """
    name, what = SCORES.get(plan["method"], ("Score", "what is lost, as its method measures it"))
    known = bool(plan["cost"])
    rows = choices(plan) if known else []
    rival = min((r for r in rows if not (r["chosen"] or r["over"])), key=lambda r: r["score"], default=None)
    return rendered("bits.html", p=plan, method=METHODS.get(plan["method"], plan["method"]), score=name, what=what,
                    names=COSTS, costs={c: COSTS.get(c, c) for c in plan["cost"]}, known=known, heat=heat_map(plan),
                    choices=rows, rival=rival, measure=_measure(plan),
                    picture=_picture(plan), layers=_layers(plan), short=short, label=label,
                    axis=COSTS.get(plan["axis"], plan["axis"]), over=_over(plan["cost"], plan["limits"]))


def short(value: float) -> str:
    """Two digits at least, and a power of ten where that is shorter."""
    if 99.5 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    mantissa, _, power = f"{value:.2g}".partition("e")
    return f"{mantissa}e{int(power)}" if power else mantissa


def label(bits: Mapping[str, int]) -> str:
    """Weights of 4 bits and inputs of 8: W4A8."""
    return f"W{bits['weights']}A{bits['activations']}"


def heat_map(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What each layer alone loses by each choice of bits.

    `columns` has the choices of all layers, by bits of inputs and then of weights; `rows` each layer's cells, None
    where it lacks the choice: score, shade in per cent by the score's logarithm, whether it is chosen.
    """
    found = {path: {_pair(r["bits"]): r["score"] for r in rated} for path, rated in plan["layers"].items()}
    columns = sorted({pair for scores in found.values() for pair in scores}, key=lambda pair: pair[::-1])
    logs = [math.log(s) for scores in found.values() for s in scores.values() if s > 0]
    low, span = min(logs, default=0.0), (max(logs, default=0.0) - min(logs, default=0.0)) or 1.0

    def cell(path: str, pair: tuple[int, int]) -> dict[str, Any] | None:
        score = found[path].get(pair)
        if score is None:
            return None
        shade = 2 + (DEEPEST - 2) * (math.log(score) - low) / span if score > 0 else 0
        return {"score": score, "shade": round(shade, 1), "chosen": pair == _pair(plan["bits"][path])}

    return {"columns": [{"weights": w, "activations": a} for w, a in columns],
            "rows": [(path, [cell(path, pair) for pair in columns]) for path in found]}


def choices(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plan and the uniform choices, each with score, cost, what was measured of it, and whether it is within the
    limits. Of many uniform choices those that were measured, and those of as many bits of inputs as of weights.
    """
    found = plan.get("measured") or {"chosen": None, "uniform": ()}
    measured = {_pair(u["bits"]): u["value"] for u in found["uniform"]}
    own = {"name": "chosen", "chosen": True, "score": plan["score"], "cost": plan["cost"], "measured": found["chosen"]}
    axis = plan["axis"] or next(iter(plan["cost"]))
    shown = [u for u in plan["uniform"] if len(plan["uniform"]) <= MOST or _pair(u["bits"]) in measured
             or len(set(_pair(u["bits"]))) == 1]
    uniform = [{**u, "name": label(u["bits"]), "chosen": False, "measured": measured.get(_pair(u["bits"]))}
               for u in sorted(shown, key=lambda u: (u["cost"].get(axis, 0), u["score"]))]
    return [{**row, "over": _over(row["cost"], plan["limits"])} for row in (own, *uniform)]


def _measure(plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was measured of whole networks, with its name and how a figure is written."""
    found = plan.get("measured")
    if found is None:
        return None
    labelled = found["by"] == "accuracy"
    return {**found, "name": MEASURES[found["by"]], "labelled": labelled, "text": percent if labelled else short}


def percent(share: float) -> str:
    """Of 0.9173: 91.73 %."""
    return f"{100 * share:.2f} %"


def _over(cost: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    """Names of the limits that are not kept."""
    return [COSTS.get(name, name) for name, limit in limits.items() if cost.get(name, 0) > limit]


def _picture(plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """The trade-off, where it and the plan's own place on it are known."""
    axis = plan["axis"]
    if not plan["frontier"] or axis not in plan["cost"]:
        return None
    uniform = [(row["name"], row["cost"][axis], row["score"]) for row in choices(plan)[1:] if axis in row["cost"]]
    return chart([(c, s) for c, s in plan["frontier"]], uniform, (plan["cost"][axis], plan["score"]),
                 plan["limits"].get(axis))


def _layers(plan: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Each layer's bits, as bars of the most that one has, and what is known of them: score, share of all, costs."""
    most = max(max(_pair(bits)) for bits in plan["bits"].values())
    rows = []
    for path, bits in plan["bits"].items():
        own = next((r for r in plan["layers"].get(path, ()) if r["bits"] == bits), None)
        share = own["score"] / plan["score"] if own and plan["score"] > 0 else None
        rows.append({"path": path, "bits": bits, "own": own, "share": share,
                     "bars": [round(100 * b / most, 1) for b in _pair(bits)]})
    return rows


def _pair(bits: Mapping[str, int]) -> tuple[int, int]:
    return bits["weights"], bits["activations"]
