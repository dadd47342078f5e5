"""The facts of one accelerator for the report: its plan, what verbs have measured, what was proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutra import __version__
from lutra.ops.base import Cost
from lutra.plan.devices import device
from lutra.report.collect import collect, use
from lutra.report.model import Check, Facts, Host, Model, Timing, Use, Window
from lutra.rules.integers import Proof

if TYPE_CHECKING:
    from lutra.accelerator import Accelerator


def summarise(acc: Accelerator) -> Facts:
    """All facts of the build; what no verb has measured yet is absent, never guessed."""
    found, cycles = acc.measured, acc.measured.get("cycles")
    mine = found.get("synthesised", {}).get(acc.plan.device.name, {"units": {}})
    return collect(
        version=__version__,
        model=Model(acc.facts.name, acc.facts.sha256, acc.facts.size),
        plan=acc.plan,
        target=found.get("target", ""),
        checks=_checks(acc),
        host=_host(acc),
        synthesised={name: Cost(**data) for name, data in mine["units"].items()},
        uses=_uses(acc),
        timing=_timing(acc),
        measured=(cycles["interval"], cycles["latency"]) if cycles else None,
        tools=_tools(acc),
        windows=_windows(acc),
    )


def _windows(acc: Accelerator) -> list[Window]:
    return [Window(w["layer"], w["address"], w["bytes"], w["words"], w["word_bits"], w["in"], w["blank"])
            for w in acc.address_map()]


def _uses(acc: Accelerator) -> list[Use]:
    found = [use("synthesised", device(name), Cost(**data["total"]))
             for name, data in acc.measured.get("synthesised", {}).items()]
    placed = acc.measured.get("placed")
    return [*found, use("placed", acc.plan.device, Cost(**placed["used"]))] if placed else found


def _checks(acc: Accelerator) -> list[Check]:
    """Every chain's proof, and what simulation compared."""
    checks = [Check(f"{' + '.join(p.operations)} at {p.at} = {p.form}", _how(p), p.checked, "values", 0, p.ties)
              for p in acc.lowered.proofs]
    done = acc.measured.get("verified")
    if done:
        how = f"{done['frames']} frames in Verilator, stalls {done['stalls']:g}"
        checks.append(Check("RTL = integer graph", how, done["words"], "output integers"))
    return checks


def _how(proof: Proof) -> str:
    """How a chain was shown equal; and where the user allowed a rounding that is not the model's, how large it is."""
    walked = "every integer of the range" if proof.walked else "both sides of every step"
    allowed = f"; its fixed point lies beside the model's real number by at most {proof.error:g}, as allowed"
    return walked + (allowed if proof.error else "")


def _host(acc: Accelerator) -> Host:
    before = [n.op.kind for end in acc.lowered.inputs if end.host for n in end.host.nodes if n.args]
    after: list[str] = []
    for end in acc.lowered.outputs:
        plain = (end.scale.array == 1).all() and not end.offset.array.any()
        after += [*([] if plain else ["scale and offset"]), *end.operations]
    return Host(tuple(before), tuple(after))


def _timing(acc: Accelerator) -> Timing | None:
    placed = acc.measured.get("placed")
    if not placed:
        return None
    return Timing(acc.plan.device.name, placed["fmax_mhz"], placed["fmax_mhz"] >= acc.plan.clock_mhz,
                  "design.bit", placed["bitstream_bytes"], " -> ".join(placed["critical"]))


def _tools(acc: Accelerator) -> dict[str, str]:
    """Which tool gave which figure."""
    synthesised = {f"synthesis for {name}": data["tool"] for name, data in acc.measured.get("synthesised", {}).items()}
    placed = acc.measured.get("placed")
    return {**synthesised, "place and route": placed["tool"]} if placed else synthesised
