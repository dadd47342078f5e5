"""What quantising a layer costs in loss, to second order (HAWQ-V2, arXiv 1911.03852, section 3.2).

Omega of a layer = mean eigenvalue of its weights' block * |Q(W) - W|^2, and the same for its inputs, of one image. The
block is the Hessian's, or that of its Gauss-Newton part (`gauss_newton`), as the traces are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.fitting import fit_weight
from lutra.quant.hawq.products import Batch, weight
from lutra.quant.hawq.traces import Trace
from lutra.quant.recipe import Recipe
from lutra.quant.search.costs import Bits
from lutra.quant.search.layers import Layer
from lutra.quant.search.plan import layer_recipe
from lutra.quant.sites import Site
from lutra.quant.still import still

METHOD = "mse"  # of points, as `calibrate` has it
Errors = Mapping[str, Mapping[int, float]]  # by path and bits


@dataclass(frozen=True)
class Omega:
    """A score for `lutra.quant.search`: of a layer's weights and of its inputs, each by their bits.

    Its fields:
        weights, inputs: traces by path; `inputs` is empty where those are not looked at.
        weight_errors, input_errors: squared errors of casts; of inputs, of one image.
    """

    weights: Mapping[str, Trace]
    inputs: Mapping[str, Trace]
    weight_errors: Errors
    input_errors: Errors

    def __call__(self, layer: Layer, bits: Bits) -> float:
        """The loss expected (twice that, as HAWQ leaves the half out)."""
        path = layer.path
        own = self.weights[path].eigenvalue * self.weight_errors[path][bits.weights]
        if not self.inputs:
            return own
        return own + self.inputs[path].eigenvalue * self.input_errors[path][bits.activations]

    @property
    def negative(self) -> tuple[str, ...]:
        """Layers with an estimate below 0, which counts as 0: training has not converged there."""
        return tuple(p for p in self.weights if min(t[p].trace for t in (self.weights, self.inputs) if t) < 0)


def weight_errors(modules: Mapping[str, nn.Module], base: Recipe, widths: Iterable[int]) -> Errors:
    """|Q(W) - W|^2 of each module's weights, cast to so many bits by the recipe's formats."""
    wanted = sorted(set(widths))
    return {path: {k: _weight_error(path, m, base, k) for k in wanted} for path, m in modules.items()}


def _weight_error(path: str, module: nn.Module, base: Recipe, width: int) -> float:
    form = layer_recipe(base, path, Bits(width, width)).weights
    assert form is not None
    site = Site(path, "weight", form)
    fit_weight(site, module, METHOD)
    own = weight(path, module).detach()
    return float((site(own).detach() - own).double().square().sum())


def input_errors(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], base: Recipe,
                 widths: Iterable[int]) -> Errors:
    """|Q(a) - a|^2 of what each module reads first, the mean over images; points are fitted to all of them."""
    wanted = sorted(set(widths))
    with still(net), torch.no_grad():
        seen = _inputs(net, modules, batches)
    return {path: {k: _input_error(path, seen[path], base, k) for k in wanted} for path in modules}


def _inputs(net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch]) -> dict[str, Tensor]:
    seen: dict[str, list[Tensor]] = {path: [] for path in modules}
    now: set[str] = set()  # a module that is called again is known by its first call
    paths = {m: path for path, m in modules.items()}

    def keep(module: nn.Module, args: tuple[Any, ...]) -> None:
        if paths[module] not in now:
            now.add(paths[module])
            seen[paths[module]].append(args[0].detach())

    hooks = [m.register_forward_pre_hook(keep) for m in modules.values()]
    try:
        for x, _ in batches:
            now.clear()
            net(x)
    finally:
        for hook in hooks:
            hook.remove()
    if missing := next((p for p, parts in seen.items() if not parts), None):
        raise LutraError("the network does not call it", missing, "leave it out of the search")
    return {path: torch.cat(parts) for path, parts in seen.items()}


def _input_error(path: str, x: Tensor, base: Recipe, width: int) -> float:
    form = layer_recipe(base, path, Bits(width, width)).activations
    if form is None:
        return 0.0
    site = Site(path, "input", form)
    site.set_sign(bool((x < 0).any()))
    site.fit(x.reshape(1, -1), METHOD)
    return float((site(x).detach() - x).double().square().sum() / len(x))
