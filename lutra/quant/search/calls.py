"""What the layers of a network read and write in one run of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lutra.quant.network import WEIGHTED
from lutra.quant.search.axes import Axis, Part
from lutra.quant.search.following import Following, tensors
from lutra.quant.search.sets import Sets
from lutra.quant.still import still

NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm)
BY_CHANNEL = (*NORMS, nn.LayerNorm, nn.PReLU)


@dataclass
class Called:
    """One layer: the parts of its input and its output, and how often each weight is multiplied in one frame."""

    reads: tuple[Part, ...]
    writes: tuple[Part, ...]
    positions: int = 0


@dataclass
class Calls:
    """Its fields: the mode; paths of modules; each layer that was called, by its path; the groups that were made, with
    the path of the layer that did.
    """

    mode: Following
    paths: dict[nn.Module, str]
    called: dict[str, Called] = field(default_factory=dict)
    writers: dict[int, str] = field(default_factory=dict)

    @property
    def sets(self) -> Sets:
        """The groups."""
        return self.mode.sets

    def enter(self, *_: Any) -> None:
        """A layer begins: what happens inside is known."""
        self.mode.inside = True

    def leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> None:
        """A layer ends."""
        self.mode.inside = False
        x = next(tensors((args, kwargs)))
        dim = channel_axis(module, x)
        axis = self.mode.axis(x)
        if axis is not None and axis.dim != dim:
            self.mode.hold([axis], "a layer reads across them")
            axis = None
        reads = axis.parts if axis else ()
        writes = reads if isinstance(module, BY_CHANNEL) else self.written(module, reads)
        if isinstance(module, nn.GroupNorm):
            self.sets.divide(reads, module.num_groups)
        self.mode.note(out, Axis(dim, writes) if writes else None)
        slides = x if isinstance(module, nn.modules.conv._ConvTransposeNd) else out
        self.record(self.paths[module], reads, writes, slides, dim)

    def written(self, module: nn.Module, reads: tuple[Part, ...]) -> tuple[Part, ...]:
        """The channels that a convolution or linear layer makes: its own, or of a depthwise one those that it reads."""
        path = self.paths[module]
        _, c_out, groups = channels(module)
        if depthwise(module):
            times = c_out // groups
            return tuple(Part(p.group, p.width, p.inner * times) for p in reads)
        if path in self.called:
            return self.called[path].writes
        own = (Part(self.sets.new(c_out), c_out),)
        self.writers[own[0].group] = path
        self.sets.divide((*reads, *own), groups)
        return own

    def record(self, path: str, reads: tuple[Part, ...], writes: tuple[Part, ...], slides: Tensor, dim: int) -> None:
        """Add a call; all that one layer reads has the same groups. `slides`: what weights slide over."""
        known = self.called.setdefault(path, Called(reads, writes))
        if known.reads and reads:
            self.sets.meet(known.reads, reads)
        elif known.reads or reads:
            self.sets.hold((*known.reads, *reads), "a layer reads them that also reads what is no layer's")
        known.positions += slides.numel() // (slides.shape[dim] * (slides.shape[0] if dim else 1))


def channels(module: nn.Module) -> tuple[int, int, int]:
    """Those in, those out, and the groups of a convolution or linear layer."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features, 1
    assert isinstance(module, nn.modules.conv._ConvNd)
    return module.in_channels, module.out_channels, module.groups


def depthwise(module: nn.Module) -> bool:
    """Whether each channel is filtered alone."""
    return isinstance(module, nn.modules.conv._ConvNd) and 1 < module.groups == module.in_channels


def channel_axis(module: nn.Module, x: Tensor) -> int:
    """The dimension of its input that a layer takes for the channels."""
    match module:
        case nn.Linear() | nn.LayerNorm():
            return x.ndim - 1
        case nn.modules.conv._ConvNd():
            return x.ndim - len(module.kernel_size) - 1
    return 1


def layers(net: nn.Module) -> dict[nn.Module, str]:
    """The modules that have parameters by channel, and their paths."""
    return {m: path for path, m in net.named_modules() if isinstance(m, (*WEIGHTED, *BY_CHANNEL))
            and not (isinstance(m, nn.PReLU) and m.num_parameters == 1)
            and not (isinstance(m, nn.LayerNorm) and len(m.normalized_shape) != 1)}


def run(net: nn.Module, example: Any) -> Calls:
    """The network once, in evaluation, without gradients; it is left as it was."""
    calls = Calls(Following(), layers(net))
    hooks: list[Callable[[], None]] = []
    for module in calls.paths:
        hooks.append(module.register_forward_pre_hook(calls.enter).remove)
        hooks.append(module.register_forward_hook(calls.leave, with_kwargs=True).remove)
    try:
        with still(net), torch.no_grad(), calls.mode:
            out = net(*example) if isinstance(example, tuple) else net(example)
    finally:
        for remove in hooks:
            remove()
    calls.mode.hold([a for t in tensors(out) if (a := calls.mode.axis(t))], "they are the network's output")
    return calls
