"""The networks that bench/precrop.py trains: ResNet-20 with other widths, with a part of its weights, or as the peer
leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lutra.quant import precrop
from lutra.quant.precrop import scores
from lutra.zoo.nets.resnet import Block, ResNet

EXAMPLE = torch.zeros(1, 3, 32, 32)
PEER, ROUNDS = "torch-pruning", 400
MASKED = ("unstructured", "shuffled")


class Projected(Block):
    """A block whose shortcut is a 1x1 convolution where shapes change (option B)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__(c_in, c_out, stride)
        self.short = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        """ReLU of the sum of both."""
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.short(x))


def drawn(net: nn.Module) -> None:
    """The initialisation of the zoo's ResNet."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)


def whole(seed: int, projection: bool = False) -> ResNet:
    """ResNet-20 as its initialisation leaves it; its shortcuts pad channels, or are projections."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ResNet(3)
        if projection:
            net.layer2[0], net.layer3[0] = Projected(16, 32, 2), Projected(32, 64, 2)
            drawn(net)
    return net


class Masked(nn.Module):
    """A weight of which a part stays zero."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """The part that is left."""
        return weight * self.mask


def masked(seed: int, share: float, projection: bool, shuffled: bool) -> nn.Module:
    """The whole network with SynFlow's mask, of which so many weights remain as a cropped network would have; or with
    each layer's mask in an order drawn anew.
    """
    net = whole(seed, projection)
    paths = [path for path, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    every, few = (sum(p.numel() for p in part) for part in (
        net.parameters(), (net.get_parameter(f"{path}.weight") for path in paths)))
    keep = (share * every - (every - few)) / few
    draw = torch.Generator().manual_seed(seed)
    for path, mask in scores.masks(scores.synflow(net, paths, EXAMPLE, keep), keep).items():
        if shuffled:
            mask = mask.flatten()[torch.randperm(mask.numel(), generator=draw)].view_as(mask)
        parametrize.register_parametrization(net.get_submodule(path), "weight", Masked(mask))
    return net


@dataclass(frozen=True)
class Pruned:
    """What the peer leaves: its network, why that does not run (empty if it does), and the widths of its layers."""

    net: nn.Module
    broken: str
    widths: Mapping[str, int]


def peer(seed: int, share: float, projection: bool) -> Pruned:
    """Torch-Pruning's DepGraph on the untrained network: groups of channels of least magnitude in all layers go, in
    multiples of 4, until the network is within the budget.
    """
    import torch_pruning

    net = whole(seed, projection)
    most = int(share * sum(p.numel() for p in net.parameters()))
    pruner = torch_pruning.pruner.BasePruner(
        net, EXAMPLE, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), global_pruning=True,
        pruning_ratio=1.0, iterative_steps=ROUNDS, ignored_layers=[net.linear], round_to=4, max_pruning_ratio=0.95)
    for _ in range(ROUNDS):
        pruner.step()
        left = {path: m.out_channels for path, m in net.named_modules() if isinstance(m, nn.Conv2d)}
        if (sum(p.numel() for p in net.parameters()) <= most
                and precrop.given(whole(seed, projection), EXAMPLE, left).parameters.after <= most):
            break
    try:
        net.eval()(EXAMPLE)
    except RuntimeError as e:
        return Pruned(net, str(e).splitlines()[0], left)
    return Pruned(net.train(), "", left)
