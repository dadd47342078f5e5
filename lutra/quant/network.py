"""Quantisation of a network in place, and the stages of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from lutra.errors import LutraError
from lutra.quant.casts import Casts, place
from lutra.quant.operators import Operators, folded
from lutra.quant.recipe import Recipe, base
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
        casts = self.lutra_casts
        if self.training and not torch.compiler.is_compiling() and not _finite(result):
            casts.locating = True
            try:
                self._run(*args, **kwargs)
            finally:
                casts.locating = False
            raise LutraError("a result is not finite", "the network", "training has diverged: lower the learning rate")
        return result

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        casts = self.lutra_casts
        casts.stack[:] = [("", self)]
        with Operators(casts, exact=not self.training):
            return super().forward(*args, **kwargs)

    def train(self, mode: bool = True) -> Any:
        """As of any module; normalisation's own formats follow its statistics until these are frozen."""
        super().train(mode)
        if not mode:
            fit_normalisation(self)
        return self


class QuantisedSequential(Quantised):
    """Of a plain sequence, whose members are those it had: the casts are not one of them."""

    def __iter__(self) -> Iterator[nn.Module]:
        return (m for m in self._modules.values() if m is not None and m is not self.lutra_casts)

    def __len__(self) -> int:
        return len(self._modules) - 1


def _finite(result: Any) -> bool:
    match result:
        case Tensor():
            return not result.is_floating_point() or bool(result.isfinite().all())
        case dict():
            return all(_finite(r) for r in result.values())
        case list() | tuple():
            return all(_finite(r) for r in result)
    return True


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
    own = type(net)
    first = QuantisedSequential if isinstance(net, nn.Sequential) else Quantised
    net.__class__ = type(own.__name__, (first, own), {
        "__module__": own.__module__, "__doc__": own.__doc__, "forward": _named_as(own.forward)})
    net.lutra_casts = casts.to(next((p.device for p in net.parameters()), "cpu"))
    net.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]
    return net


def _named_as(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`Quantised.forward` under the signature of the user's own: what exports the network names its inputs by it."""

    @wraps(forward)
    def run(self: Quantised, *args: Any, **kwargs: Any) -> Any:
        return Quantised.forward(self, *args, **kwargs)

    return run


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


def _casts(net: nn.Module) -> Casts:
    return _inner(net).lutra_casts


def _inner(net: nn.Module) -> Quantised:
    inner = getattr(net, "module", net)  # as DistributedDataParallel wraps it
    inner = getattr(inner, "_orig_mod", inner)  # as torch.compile does
    if not isinstance(inner, Quantised):
        raise LutraError("the network is not quantised", hint="call lutra.quant.quantize(net, recipe) first")
    return inner


def sites(net: nn.Module) -> list[Site]:
    """Every cast of a quantised network: those of weights, then those of streams."""
    weights = [m for m in net.modules() if isinstance(m, Site) and m.role == "weight"]
    streams = [s for s in _casts(net).all() if s not in weights]
    return weights + streams


@contextmanager
def _observing(net: nn.Module, casts: Casts) -> Iterator[None]:
    training = {m: m.training for m in net.modules()}
    casts.observers = {}
    nn.Module.train(net, False)
    for site in sites(net):
        site.bypass = True
    try:
        with torch.no_grad():
            yield
    finally:
        casts.observers = None
        for site in sites(net):
            site.bypass = False
        for module, was in training.items():
            module.training = was


def calibrate(net: nn.Module, loader: Iterable[Any], method: str = "max", batches: int = 4) -> None:
    """Run some batches in floating point and set the point of every cast from the numbers seen.

    What it takes:
        net: quantised.
        loader: of batches; of a tuple or list the first is the network's input.
        method: "max" magnitude, its 99.9th "percentile", or "mse", the least squared error about that.
        batches: how many are taken.

    Raises LutraError: no batch, no such method, or a number that is not finite, with the layer's name.
    """
    casts = _casts(net)
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    seen = 0
    with _observing(net, casts):
        for _, batch in zip(range(batches), loader, strict=False):
            x = batch[0] if isinstance(batch, tuple | list) else batch
            net(x.to(device))
            seen += 1
        assert casts.observers is not None
        if not seen:
            raise LutraError("the loader has no batch", hint="pass an iterable of inputs, or of (input, label)")
        for observer in casts.observers.values():
            observer.fit(method)
            observer.site.to(device)
    casts.method = method
    for module in net.modules():
        if isinstance(module, WEIGHTED) and isinstance(site := _weight_cast(module), Site):
            fit_weight(site, module, method)


def _weight_cast(module: nn.Module) -> nn.Module | None:
    own = getattr(module, "parametrizations", None)
    return own["weight"][-1] if own is not None and "weight" in own else None


def fit_normalisation(net: Quantised) -> None:
    """Set the points of normalisation's factor and term from its statistics as they are, unless they are frozen."""
    casts = net.lutra_casts
    if casts.statistics_frozen:
        return
    for path, module in net.named_modules():
        factor, term = (casts._modules.get(place(path, role, 0)) for role in ("factor", "term"))
        if isinstance(module, _BatchNorm) and isinstance(factor, Site) and isinstance(term, Site):
            assert module.running_mean is not None and module.running_var is not None
            values = folded(module.running_mean, module.running_var, module.weight, module.bias, module.eps)
            for site, value in zip((factor, term), values, strict=True):
                site.fit(value.detach().reshape(max(site.point.numel(), 1), -1), casts.method)


def _loaded(net: nn.Module, keys: Any) -> None:
    casts = _casts(net)
    _set_stage(net, casts.points_frozen, casts.statistics_frozen)
    if not net.training:
        assert isinstance(net, Quantised)
        fit_normalisation(net)


def freeze(net: nn.Module, points: bool = True, statistics: bool = True) -> None:
    """The last stage of training: points are no longer learned, and normalisation takes its inference form, with its
    statistics as they are, in training too. With `points=False` the points of its factor and term are learned as well.
    """
    casts = _casts(net)
    if statistics:
        fit_normalisation(_inner(net))
    _set_stage(net, casts.points_frozen or points, casts.statistics_frozen or statistics)


def _set_stage(net: nn.Module, points: bool, statistics: bool) -> None:
    casts = _casts(net)
    casts.points_frozen, casts.statistics_frozen = points, statistics
    casts.stage[0], casts.stage[1] = points, statistics
    for site in sites(net):
        site.frozen = points
        late = base(site.role) in ("factor", "term")
        site.point.requires_grad_(site.learned and not points and (statistics or not late))


def parameters(net: nn.Module, lr: float = 1e-2) -> list[dict[str, Any]]:
    """Groups for an optimiser: the network's own parameters, with the optimiser's own settings, and the points, with a
    rate of their own and no weight decay.

    >>> torch.optim.Adam(parameters(net, lr=1e-2), lr=1e-3)                  # doctest: +SKIP
    """
    points = [s.point for s in sites(net)]
    own = {id(p) for p in points}
    return [{"params": [p for p in net.parameters() if id(p) not in own]},
            {"params": points, "lr": lr, "weight_decay": 0.0}]


class Schedule:
    """Freezes a network for the last part of its training, so that points stop swinging between neighbours.

    What it takes:
        net: quantised.
        steps: of the optimiser in all.
        last: the share of them that is run frozen, 0.1 to 0.2 as a rule.
    """

    def __init__(self, net: nn.Module, steps: int, last: float = 0.15) -> None:
        if not 0 <= last <= 1:
            raise LutraError(f"a share of {last}", hint="0 to 1")
        self.net, self.at, self.done = net, round(steps * (1 - last)), 0

    def step(self) -> None:
        """Call it after each step of the optimiser."""
        self.done += 1
        if self.done == self.at:
            freeze(self.net)

    def state_dict(self) -> dict[str, int]:
        """How far training has come, for a checkpoint."""
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a checkpoint; the frozen stage itself is in the network's state dict."""
        self.done = state["done"]
