"""The casts of a network's streams: one for each place, found at calibration or in a state dict."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.recipe import NORMALISATION, Recipe, base
from lutra.quant.sites import Site

SAMPLES = 1 << 16  # of each batch that a cast is calibrated with, besides the extremes


class Observer:
    """Numbers that pass a place: (groups, samples), a group for each channel or one for all."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.samples: list[Tensor] = []
        self.shape: tuple[int, ...] = ()
        self.pick = torch.Generator().manual_seed(0)

    def see(self, x: Tensor) -> None:
        """Keep the extremes and a random part of what else passes.

        Raises LutraError: a number is not finite.
        """
        x = x.detach()
        groups = x.reshape(1, -1)
        if getattr(self.site.form, "per_channel", False) and x.ndim > 1:
            axis = 0 if base(self.site.role) == "weight" else 1
            groups = x.transpose(0, axis).reshape(x.shape[axis], -1)
            self.shape = (x.shape[axis], *[1] * (x.ndim - axis - 1))
        ends = torch.stack(groups.aminmax(dim=1), 1)
        if not bool(ends.isfinite().all()):
            raise LutraError("a number is not finite", self.site.name, "the parameters or the data have diverged")
        count = max(SAMPLES // len(groups), 1)
        if groups.shape[1] > count:
            groups = groups[:, torch.randint(groups.shape[1], (count,), generator=self.pick).to(groups.device)]
        self.samples += [ends, groups]

    def fit(self, method: str) -> None:
        """Set the cast's point; normalisation's numbers, which are few and may change, always by least squares."""
        method = "mse" if base(self.site.role) in NORMALISATION else method
        self.site.fit(torch.cat(self.samples, 1), method, self.shape)


class Casts(nn.ModuleDict):
    """Casts by place, and what they share.

    Its fields:
        recipe, ends: which format stands where.
        stack: modules that are being run, as (path, module), innermost last.
        observers: while the network is calibrated, what passes each place; else None.
        statistics_frozen: normalisation has its inference form in training too.
        locating: look at the result of each operation, to name the first that is not finite.
        network: the number by which compiled code knows the network (`finite.known`).
    """

    def __init__(self, recipe: Recipe, ends: tuple[str, ...]) -> None:
        super().__init__()
        self.recipe, self.ends = recipe, ends
        self.stack: list[tuple[str, nn.Module]] = []
        self.observers: dict[str, Observer] | None = None
        self.statistics_frozen, self.points_frozen, self.locating = False, False, False
        self.network = -1
        self.stage: Tensor
        self.register_buffer("stage", torch.zeros(2, dtype=torch.bool))  # points frozen, statistics frozen

    def site(self, path: str, role: str, count: int) -> Site | None:
        """The cast at a module in a role, `count` such before it in this run; None where numbers stay as they are.

        Raises LutraError: the network was not calibrated, or never came here when it was.
        """
        key = place(path, role, count)
        site = self._modules.get(key)
        if site is not None:
            assert isinstance(site, Site)
            return site
        if self.recipe.form(path, role, self.ends) is None:
            return None
        if self.observers is None:
            raise LutraError(f"nothing is known of the cast for {key!r}", path or "the network",
                             "call lutra.quant.calibrate(net, loader), or load a state dict of the calibrated network")
        return self.add(key)

    def add(self, key: str) -> Site:
        """A new cast at a place, without its point."""
        path, role = key.replace("/", ".").rpartition(":")[::2]
        form = self.recipe.form(path, base(role), self.ends)
        if form is None:
            raise LutraError(f"a cast for {key!r}, which the recipe leaves in floating point", path,
                             "take the recipe that the state dict was saved with")
        site = Site(path, role, form, self.recipe.normalise)
        site.point.requires_grad_(site.learned and base(role) not in NORMALISATION)
        self[key] = site
        return site

    def all(self) -> list[Site]:
        """Every cast of a stream, in the order of first use."""
        return [s for s in self.values() if isinstance(s, Site)]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        keys = [k[len(prefix):].removesuffix(".point") for k in state_dict
                if k.startswith(prefix) and k.endswith(".point")]
        for key in keys:
            if key not in self:
                self.add(key).to(state_dict[prefix + key + ".point"].dtype)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.points_frozen, self.statistics_frozen = bool(self.stage[0]), bool(self.stage[1])


def place(path: str, role: str, count: int) -> str:
    """A name for a cast that a module dict takes: no dots."""
    return f"{path.replace('.', '/')}:{role}" + (f"_{count}" if count else "")
