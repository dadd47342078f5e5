"""Traces of the blocks of a loss's Hessian by random probes (HAWQ-V2, arXiv 1911.03852, section 3.1).

Hutchinson: for z of independent +1 and -1, E[z' H z] = Tr H. All layers are probed with one product: cross terms of two
blocks have mean 0, so that every block's estimate stays unbiased. Or of its Gauss-Newton part, see `gauss_newton`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.hawq.gauss_newton import GaussNewton
from lutra.quant.hawq.products import Batch, Curvature, Loss, Ran, input_runs, weight_runs
from lutra.quant.search.kept import Kept
from lutra.quant.still import still

FEWEST = 4  # probes before it is looked whether they are enough
Watch = Callable[[int, int], None]
Probed = Curvature | GaussNewton
CURVATURES: Mapping[str, Callable[[Ran], Probed]] = {"hessian": Curvature.of, "gauss-newton": GaussNewton.of}
KEPT = {"hessian": "", "gauss-newton": "gauss-newton "}  # before the names of numbers that are kept


@dataclass(frozen=True)
class Trace:
    """Of one layer's block.

    Its fields:
        elements: rows of the block; for inputs, of one image's.
        trace: the estimate; for inputs the mean over images.
        error: its standard error over the probes.
        probes: that it was made of.
    """

    elements: int
    trace: float
    error: float
    probes: int

    @property
    def eigenvalue(self) -> float:
        """The mean eigenvalue, 0 where the estimate is negative, as it may be where training has not converged."""
        return max(self.trace, 0.0) / self.elements


def curvature_of(loss: Loss) -> str:
    """What is taken where nothing is said: "gauss-newton" of torch.nn.functional.cross_entropy, else "hessian"."""
    return "gauss-newton" if loss is F.cross_entropy else "hessian"


def weight_traces(
    net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss, probes: int = 50,
    tolerance: float = 1e-3, seed: int = 0, watch: Watch = lambda done, of: None, kept: Kept | None = None,
    curvature: str = "hessian",
) -> dict[str, Trace]:
    """Traces of the Hessian of the mean loss over all batches, for the weights of each module.

    probes: at most; fewer where the last one changed no layer's estimate by more than this share. watch: is told how
    many estimates are done, of how many at most. kept: what each probe gave, taken up again. curvature: "hessian",
    the paper's, or "gauss-newton", its part that is the whole of it where a network is piecewise linear.

    Raises LutraError: a loss that is not finite, a module without weights, fewer than two probes, a curvature that
    there is not, "gauss-newton" of a loss other than torch.nn.functional.cross_entropy.
    """
    of = _curvature(curvature, loss)

    def curvatures() -> list[Probed]:
        return [of(ran) for ran in weight_runs(net, modules, batches, loss)]

    with still(net, gradients=True):
        return _Probes(f"{KEPT[curvature]}weight", list(modules), curvatures, True, seed, watch,
                       kept).traces(probes, tolerance)


def input_traces(
    net: nn.Module, modules: Mapping[str, nn.Module], batches: Iterable[Batch], loss: Loss, probes: int = 50,
    tolerance: float = 1e-3, seed: int = 0, watch: Watch = lambda done, of: None, kept: Kept | None = None,
    curvature: str = "hessian",
) -> dict[str, Trace]:
    """The same for what each module reads, of one image's loss and inputs, the mean over images."""
    of = _curvature(curvature, loss)

    def curvatures() -> list[Probed]:
        return [of(ran) for ran in input_runs(net, modules, batches, loss)]

    with still(net, gradients=True):
        return _Probes(f"{KEPT[curvature]}input", list(modules), curvatures, False, seed, watch,
                       kept).traces(probes, tolerance)


def _curvature(name: str, loss: Loss) -> Callable[[Ran], Probed]:
    if name not in CURVATURES:
        raise LutraError(f"no curvature is called {name!r}", "the traces", f"one of {', '.join(CURVATURES)}")
    if name == "gauss-newton" and loss is not F.cross_entropy:
        raise LutraError(f"a root of the curvature of {getattr(loss, '__qualname__', loss)!r} is not known",
                         "the traces", 'take torch.nn.functional.cross_entropy, or curvature="hessian"')
    return CURVATURES[name]


class _Probes:
    """Estimates of every layer's trace, one after the other; the graphs are built when the first is not kept.

    mean: whether a curvature is of the mean over its batch, or of the sum.
    """

    def __init__(self, what: str, paths: list[str], curvatures: Callable[[], list[Probed]], mean: bool, seed: int,
                 watch: Watch, kept: Kept | None) -> None:
        self.what, self.paths, self.mean, self.seed, self.watch = what, paths, mean, seed, watch
        self.curvatures = functools.cache(curvatures)
        self.kept = kept or Kept(None, "")

    def traces(self, probes: int, tolerance: float) -> dict[str, Trace]:
        """At most so many probes, fewer where the last one changed no estimate by more than a share."""
        if probes < 2:
            raise LutraError(f"{probes} probes", "the traces", "a standard error needs two at least")
        elements = self._kept("elements", self._elements)
        found: list[list[float]] = []  # of each probe (layers,)
        for count in range(probes):
            found.append(self._kept(f"probe {count}", functools.partial(self._probe, count, probes)))
            if count >= FEWEST and _settled(torch.tensor(found, dtype=torch.float64), tolerance):
                break
        values = torch.tensor(found, dtype=torch.float64)
        errors = values.std(0) / math.sqrt(len(values))
        return {path: Trace(int(n), float(t), float(e), len(values))
                for path, n, t, e in zip(self.paths, elements, values.mean(0), errors, strict=True)}

    def _kept(self, name: str, find: Callable[[], list[float]]) -> list[float]:
        return self.kept.all([f"{self.what} {name} {path}" for path in self.paths], find)

    def _elements(self) -> list[float]:
        """Rows of each block. LutraError: there is no batch."""
        if not self.curvatures():
            raise LutraError("there is no batch", "the traces", "pass (images, labels)")
        return [t.numel() if self.mean else t[0].numel() for t in self.curvatures()[0].tensors]

    def _probe(self, count: int, probes: int) -> list[float]:
        """One estimate of each layer's trace over all batches, by numbers that depend on seed and count alone."""
        curvatures = self.curvatures()
        images = sum(c.weight for c in curvatures)
        random = torch.Generator().manual_seed((self.seed << 12) + count)  # it looks at 32 bits
        parts = torch.zeros(len(self.paths), dtype=torch.float64)
        for k, c in enumerate(curvatures, 1):
            parts += (c.weight / images if self.mean else 1 / images) * c.estimate(random)
            self.watch(count * len(curvatures) + k, probes * len(curvatures))
        found: list[float] = parts.tolist()
        return found


def _settled(values: Tensor, tolerance: float) -> bool:
    now, before = values.mean(0), values[:-1].mean(0)
    return bool(((now - before).abs() <= tolerance * before.abs()).all())
