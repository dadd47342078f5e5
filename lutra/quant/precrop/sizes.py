"""How many parameters and operations a network has if its groups of channels have other widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from lutra.errors import LutraError
from lutra.quant.search.calls import BY_CHANNEL, channels, depthwise
from lutra.quant.search.calls import layers as modules
from lutra.quant.search.groups import FIXED, Member, Part, Streams, streams


@dataclass(frozen=True)
class Layer:
    """One module with parameters by channel.

    Its fields:
        member: what it reads and writes.
        c_in, c_out: channels that it has now.
        weight: elements of the weight of a convolution or linear layer, 0 of others.
        deep: whether that is depthwise, and has no channels in of its own.
        other: its other parameters, so many for each channel out.
    """

    member: Member
    c_in: int
    c_out: int
    weight: int
    deep: bool
    other: int

    def wide(self, widths: Sequence[int]) -> tuple[int, int]:
        """Channels in and out under these widths."""
        return size(self.member.reads, widths, self.c_in), size(self.member.writes, widths, self.c_out)

    def weights(self, widths: Sequence[int]) -> int:
        """Elements of the weight under these widths."""
        c_in, c_out = self.wide(widths)
        return self.weight * c_out * (1 if self.deep else c_in) // (self.c_out * (1 if self.deep else self.c_in))

    def parameters(self, widths: Sequence[int]) -> int:
        """All of its parameters under these widths."""
        return self.weights(widths) + self.other * self.wide(widths)[1] // self.c_out

    def operations(self, widths: Sequence[int]) -> int:
        """Multiply-accumulates of one frame."""
        return self.weights(widths) * self.member.positions


def size(parts: Sequence[Part], widths: Sequence[int], otherwise: int) -> int:
    """Channels of an axis under these widths; `otherwise` if they are no layer's."""
    return sum(p.size if p.group == FIXED else widths[p.group] * p.inner for p in parts) if parts else otherwise


@dataclass(frozen=True)
class Sizes:
    """A network's layers and streams.

    Its fields:
        layers: by path; streams: what they read and write; rest: parameters that no width changes.
    """

    layers: Mapping[str, Layer]
    streams: Streams
    rest: int

    @property
    def now(self) -> list[int]:
        """The widths that the network has."""
        return [g.width for g in self.streams.groups]

    def parameters(self, widths: Sequence[int]) -> int:
        """Of the whole network."""
        return self.rest + sum(layer.parameters(widths) for layer in self.layers.values())

    def operations(self, widths: Sequence[int]) -> int:
        """Multiply-accumulates of convolutions and linear layers in one frame."""
        return sum(layer.operations(widths) for layer in self.layers.values())

    @property
    def products(self) -> dict[str, Layer]:
        """Convolutions and linear layers."""
        return {path: layer for path, layer in self.layers.items() if layer.weight}


def sizes(net: nn.Module, example: Any) -> Sizes:
    """Of a network, followed through one run.

    Raises LutraError: a layer is lazy, is frozen, has a weight that is computed, shares it, or is not called; nothing
        is free to be cropped.
    """
    if not any(True for _ in net.parameters()):
        raise LutraError("the network has no parameters", hint="there is nothing to crop")
    if lazy := [name for name, p in net.named_parameters() if is_lazy(p)]:
        raise LutraError("it has no shape before its first call", lazy[0], "run the network on its example once")
    found = streams(net, example)
    if unseen := [path for module, path in modules(net).items() if path not in found.layers]:
        raise LutraError("it is not called in evaluation, so what it reads is not known", unseen[0],
                         "leave it out, also where it is a second output for training")
    layers = {path: _layer(path, net.get_submodule(path), member) for path, member in found.layers.items()}
    if all(g.held for g in found.groups):
        reasons = "; ".join(f"{g.writers[0]}: {g.held}" for g in found.groups[:3])
        raise LutraError(f"no layer's channels are free to be fewer: {reasons}", "the network")
    now = [g.width for g in found.groups]
    total = sum(p.numel() for p in net.parameters())
    return Sizes(layers, found, total - sum(layer.parameters(now) for layer in layers.values()))


def _layer(path: str, module: nn.Module, member: Member) -> Layer:
    """Its parameters, by what they depend on."""
    plain = isinstance(module, BY_CHANNEL)
    if parametrize.is_parametrized(module) or not (plain or "weight" in module._parameters):
        raise LutraError("its weight is computed from other parameters", path, "crop the plain network first")
    own = dict(module.named_parameters(recurse=False))
    if frozen := [name for name, p in own.items() if not p.requires_grad]:
        raise LutraError(f"its {frozen[0]} is frozen (requires_grad is False), and a cropped layer is made anew", path,
                         "call requires_grad_(True), or crop the part of the network that is trained")
    every = sum(p.numel() for p in own.values())
    if plain:
        wide = sum(p.size for p in member.writes) or 1
        return Layer(member, wide, wide, 0, False, every)
    c_in, c_out, _ = channels(module)
    weight = own["weight"].numel()
    return Layer(member, c_in, c_out, weight, depthwise(module), every - weight)
