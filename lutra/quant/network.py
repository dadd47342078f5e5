"""Quantisation of a network in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_map

from lutra.errors import LutraError
from lutra.quant.casts import Casts
from lutra.quant.finite import checked, diverged, finite, known
from lutra.quant.fitting import fit_normalisation, fit_weight
from lutra.quant.operators import Operators
from lutra.quant.recipe import NORMALISATION, Recipe, base
from lutra.quant.recurrent.native import in_any_precision
from lutra.quant.sites import Site

Net = TypeVar("Net", bound=nn.Module)
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


class Enter:
    """A hook before a module's forward: this module is now run."""

    def __init__(self, casts: Casts, path: str) -> None:
        self.casts, self.path = casts, path

    def __call__(self, module: nn.Module, args: Any) -> None:
        """Push the module."""
        self.casts.stack.append((self.path, module))


class Leave:
    """A hook behind a module's forward."""

    def __init__(self, casts: Casts) -> None:
        self.casts = casts

    def __call__(self, module: nn.Module, args: Any, result: Any) -> None:
        """Pop the module."""
        self.casts.stack.pop()


class Quantised(nn.Module):
    """What a quantised network's class has before its own: the casts around its forward."""

    lutra_casts: Casts

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The network's own forward, with casts; exact in evaluation.

        Raises LutraError: not calibrated; in training, a result that is not finite: names the first such operator.
        """
        result = self._run(*args, **kwargs)
        if not self.training:
            return result
        if torch.compiler.is_compiling():
            return result if torch.compiler.is_exporting() else self._checked(result, args, kwargs)
        if not finite(result):
            self.locate(*args, **kwargs)
            raise diverged()
        return result

    def _checked(self, result: Any, args: Any, kwargs: Any) -> Any:
        """The result, looked at by the compiled code itself."""
        inputs = [a for a in args if isinstance(a, Tensor)]
        inputs = inputs if len(inputs) == len(args) and not kwargs else []
        return tree_map(lambda r: checked(r, inputs, self.lutra_casts.network) if isinstance(
            r, Tensor) and r.is_floating_point() else r, result)

    def locate(self, *args: Any, **kwargs: Any) -> None:
        """Run the network again, up to the first operator whose result is not finite.

        Raises LutraError: there is one; names it.
        """
        casts = self.lutra_casts
        casts.locating = True
        try:
            self._run(*args, **kwargs)
        finally:
            casts.locating = False

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        casts = self.lutra_casts
        casts.stack[:] = [("", self)]
        try:
            with Operators(casts, exact=not self.training):
                return super().forward(*args, **kwargs)
        finally:
            casts.stack.clear()  # as before: compiled code depends on it

    def train(self, mode: bool = True) -> Any:
        """As of any module; normalisation's own formats follow its statistics until these are frozen."""
        super().train(mode)
        self.lutra_casts.network = known(self, self.lutra_casts.network)
        if not mode:
            fit_normalisation(self, self.lutra_casts)
        return self


class QuantisedSequential(Quantised):
    """Of a plain sequence, whose members are those it had: the casts are not one of them."""

    def __iter__(self) -> Iterator[nn.Module]:
        return (m for m in self._modules.values() if m is not None and m is not self.lutra_casts)

    def __len__(self) -> int:
        return len(self._modules) - 1


def quantize(net: Net, recipe: Recipe) -> Net:
    """Put casts into a network, in place: standard modules, and the user's own forward, are kept.

    Weights of convolutions and linear layers get a parametrization (`torch.nn.utils.parametrize`); the network's class
    becomes a subclass of its own whose forward casts at operators. Points of weights are fitted here, those of streams
    by `calibrate`.

    Returns the same network.

    Raises LutraError: it is quantised already.
    """
    if isinstance(net, Quantised):
        raise LutraError("the network is quantised already", hint="quantise a fresh one, or load its state dict")
    layers = {path: m for path, m in net.named_modules() if isinstance(m, WEIGHTED)}
    ends = (next(iter(layers)), next(reversed(layers))) if layers else ()
    for path, module in layers.items():
        form = recipe.form(path, "weight", ends)
        if form is None:
            continue
        site = Site(path, "weight", form, normalise=recipe.normalise)
        fit_weight(site, module, "max")
        parametrize.register_parametrization(module, "weight", site)
    casts = Casts(recipe, ends)
    for path, module in net.named_modules():
        if path and "parametrizations" not in path.split("."):
            module.register_forward_pre_hook(Enter(casts, path))
            module.register_forward_hook(Leave(casts))
        if isinstance(module, nn.RNNBase):
            in_any_precision(module)
    own = type(net)
    first = QuantisedSequential if isinstance(net, nn.Sequential) else Quantised
    net.__class__ = type(own.__name__, (first, own), {
        "__module__": own.__module__, "__doc__": own.__doc__, "forward": _named_as(own.forward)})
    casts.network = known(net, casts.network)  # type: ignore[arg-type]
    net.lutra_casts = casts.to(next((p.device for p in net.parameters()), "cpu"))
    net.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]
    return net


def _named_as(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`Quantised.forward` under the signature of the user's own: what exports the network names its inputs by it."""

    @wraps(forward)
    def run(self: Quantised, *args: Any, **kwargs: Any) -> Any:
        return Quantised.forward(self, *args, **kwargs)

    return run


def casts_of(net: nn.Module) -> Casts:
    """The casts of a quantised network's streams."""
    return inner(net).lutra_casts


def inner(net: nn.Module) -> Quantised:
    """The quantised network in its wrappers.

    Raises LutraError: there is none.
    """
    net = getattr(net, "module", net)  # as DistributedDataParallel wraps it
    net = getattr(net, "_orig_mod", net)  # as torch.compile does
    if not isinstance(net, Quantised):
        raise LutraError("the network is not quantised", hint="call lutra.quant.quantize(net, recipe) first")
    return net


def sites(net: nn.Module) -> list[Site]:
    """Every cast of a quantised network: those of weights, then those of streams."""
    weights = [m for m in net.modules() if isinstance(m, Site) and m.role == "weight"]
    streams = [s for s in casts_of(net).all() if s not in weights]
    return weights + streams


def _loaded(net: nn.Module, keys: Any) -> None:
    casts = casts_of(net)
    set_stage(net, casts.points_frozen, casts.statistics_frozen)
    if not net.training:
        fit_normalisation(net, casts)


def set_stage(net: nn.Module, points: bool, statistics: bool) -> None:
    """Which of a network's points and statistics are frozen."""
    casts = casts_of(net)
    casts.points_frozen, casts.statistics_frozen = points, statistics
    casts.stage[0], casts.stage[1] = points, statistics
    for site in sites(net):
        site.frozen = points
        late = base(site.role) in NORMALISATION
        site.point.requires_grad_(site.learned and not points and (statistics or not late))


