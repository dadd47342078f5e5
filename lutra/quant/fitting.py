"""Points of what needs no data: weights, and normalisation's own numbers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lutra.quant.casts import Casts, place
from lutra.quant.recipe import NORMALISATION
from lutra.quant.rules import folded
from lutra.quant.sites import Site


def fit_weight(site: Site, module: nn.Module, method: str) -> None:
    """Set a weight's point from the weight in floating point."""
    own = getattr(module, "parametrizations", None)
    weight = module.weight if own is None else own["weight"].original
    assert isinstance(weight, Tensor)
    rows = 1 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 0
    if not getattr(site.form, "per_channel", False):
        return site.fit(weight.detach().reshape(1, -1), method)
    shape = [1] * weight.ndim
    shape[rows] = weight.shape[rows]
    site.fit(weight.detach().transpose(0, rows).reshape(shape[rows], -1), method, tuple(shape))


def weight_cast(module: nn.Module) -> Site | None:
    """The cast of a module's weight, if it has one as a parametrization."""
    own = getattr(module, "parametrizations", None)
    last = own["weight"][-1] if own is not None and "weight" in own else None
    return last if isinstance(last, Site) else None


def fit_normalisation(net: nn.Module, casts: Casts) -> None:
    """Set the points of normalisation's factor and term from its statistics as they are, unless they are frozen."""
    if casts.statistics_frozen:
        return
    for path, module in net.named_modules():
        factor, term = (casts._modules.get(place(path, role, 0)) for role in NORMALISATION)
        if isinstance(module, _BatchNorm) and isinstance(factor, Site) and isinstance(term, Site):
            assert module.running_mean is not None and module.running_var is not None
            values = folded(module.running_mean, module.running_var, module.weight, module.bias, module.eps)
            for site, value in zip((factor, term), values, strict=True):
                site.fit(value.detach().reshape(max(site.point.numel(), 1), -1), "mse")


