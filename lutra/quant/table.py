"""The casts of a network as rows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from lutra.quant import modes
from lutra.quant.kinds import Fixed
from lutra.quant.network import sites


@dataclass(frozen=True)
class Row:
    """One cast. `fraction`: bits behind the binary point, the least of all channels; None for a scale that is no power
    of two. `saturated`: the share of saturated numbers among those of its calibration.
    """

    name: str
    form: str
    width: int
    fraction: int | None
    signed: bool
    rounding: str
    overflow: str
    saturated: float | None


def formats(net: nn.Module) -> list[Row]:
    """What each cast of a quantised, calibrated network is, in the order of the weights, then of the streams."""
    rows = []
    for site in sites(net):
        form = site.form
        fraction = int(modes.exponent(site.point.detach()).min()) if site.shift else None
        width = getattr(form, "width", getattr(form, "bits", 2 if site.limit == 1 else 1))
        rounding, overflow = (form.rounding, form.overflow) if isinstance(form, Fixed) else ("nearest", "SAT")
        rows.append(Row(site.name, type(form).__name__, width, fraction, site.signed, rounding, overflow,
                        site.saturated))
    return rows
