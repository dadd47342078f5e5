"""NNCF's estimator of Hessian traces beside `lutra.quant.hawq`: the same network, images, probes and batches.

Both are unbiased, so few probes of either differ by chance: what another seed changes of ours is shown beside it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from shared import Array, Board
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lutra.quant import hawq
from lutra.quant.search.layers import layers
from lutra.train.by_data import BATCH


def compare(board: Board, net: nn.Module, x: Tensor, labels: Tensor, args: argparse.Namespace) -> None:
    """Mean eigenvalues of each layer's weights by both, their ranks, and the processor time of both."""
    modules = {layer.path: net.get_submodule(layer.path) for layer in layers(net, x[:1])}
    batches = list(zip(torch.split(x, BATCH), torch.split(labels, BATCH), strict=True))
    begin = time.process_time()
    ours = hawq.weight_traces(net, modules, batches, F.cross_entropy, args.probes, 0, args.seed)
    seconds = time.process_time() - begin
    again = hawq.weight_traces(net, modules, batches, F.cross_entropy, args.probes, 0, args.seed + 1)
    begin = time.process_time()
    theirs = nncf_traces(net, modules, x, labels, args.probes, args.seed)
    other = time.process_time() - begin
    mine, second = (np.array([t[path].trace / t[path].elements for path in modules]) for t in (ours, again))
    errors = np.array([ours[path].error / ours[path].elements for path in modules])
    for path, a, e, b in zip(modules, mine, errors, theirs, strict=True):
        board.show(f"{path}: mean eigenvalue, its standard error, NNCF's", f"{a:.3g} {e:.2g} {b:.3g}")
    board.show("the last layer's, exactly", exact_of_last(net, list(modules), x))
    board.show("Spearman of both", spearman(mine, theirs))
    board.show("  of ours with ours by another seed", spearman(mine, second))
    board.bar("greatest difference, in our standard errors", float(np.abs((mine - theirs) / errors).max()), most=5)
    board.show("  of ours with ours by another seed", float(np.abs((mine - second) / errors).max()))
    board.show(f"processor time, {args.probes} probes of {len(x)} images", seconds, "s")
    board.bar("NNCF's over ours", other / seconds, least=1)


def spearman(a: Array, b: Array) -> float:
    """Correlation of ranks."""
    return float(np.corrcoef(*(np.argsort(np.argsort(v)) for v in (a, b)))[0, 1])


@torch.no_grad()
def exact_of_last(net: nn.Module, paths: list[str], x: Tensor) -> float:
    """The mean eigenvalue for a linear layer before softmax: mean over images of sum p (1 - p) |x|^2, by elements."""
    last, read = net.get_submodule(paths[-1]), []
    hook = last.register_forward_pre_hook(lambda _, args: read.append(args[0].double().square().sum(1)))
    try:
        p = net(x).double().softmax(1)
    finally:
        hook.remove()
    return float(((p * (1 - p)).sum(1) * read[0]).mean()) / last.weight.numel()


def nncf_traces(net: nn.Module, modules: dict[str, nn.Module], x: Tensor, labels: Tensor, probes: int, seed: int,
                ) -> Array:
    """The mean eigenvalue of each module's weight as NNCF estimates it, with as many probes."""
    from nncf.torch.quantization.hessian_trace import HessianTraceEstimator

    learned = {p: p.requires_grad for p in net.parameters()}
    weights = [m.weight for m in modules.values()]
    for p in learned:
        p.requires_grad_(any(p is w for w in weights))
    try:
        torch.manual_seed(seed)
        found = HessianTraceEstimator(net, lambda out, wanted, loss: loss(out, wanted), nn.CrossEntropyLoss(), "cpu",
                                      DataLoader(TensorDataset(x, labels), BATCH), len(x))
        means = found.get_average_traces(probes, 0).tolist()
    finally:
        for p, was in learned.items():
            p.requires_grad_(was)
    order = [p for p in net.parameters() if any(p is w for w in weights)]
    by = {id(p): mean for p, mean in zip(order, means, strict=True)}
    return np.array([by[id(w)] for w in weights])
