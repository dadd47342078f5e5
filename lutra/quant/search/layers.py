"""The convolutions and linear layers of a network, as a search sees them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.network import WEIGHTED, Quantised
from lutra.quant.still import still


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer.

    Its fields:
        path: of the module.
        parameters: elements of the weight; a bias is no part of it, as no choice changes it.
        macs: multiply-accumulates of one frame, of all calls.
        reads: the path of the first layer that reads the same tensor, which is this one's own if no other does.
    """

    path: str
    parameters: int
    macs: int
    reads: str


def layers(net: nn.Module, example: Any) -> list[Layer]:
    """The layers that a network calls, in the order of their first call, found by running it once in evaluation.

    example: its input, or a tuple of them, with a batch axis. A module that is called twice is one layer.

    Raises LutraError: no such layer, one quantised already, two that share a weight.
    """
    if isinstance(net, Quantised):
        raise LutraError("the network is quantised already", hint="choose its bits before lutra.quant.quantize")
    paths: dict[nn.Module, str] = {m: path for path, m in net.named_modules() if isinstance(m, WEIGHTED)}
    _refuse_shared(paths)
    found: dict[str, Layer] = {}
    inputs: list[tuple[Tensor, str]] = []  # they are held, so that no two have the same identity

    def see(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        path, x = paths[module], args[0]
        reads = next((p for t, p in inputs if t is x), path)
        inputs.append((x, reads))
        macs = _macs(module, x, out)
        assert isinstance(module.weight, Tensor)
        before = found.get(path, Layer(path, module.weight.numel(), 0, reads))
        found[path] = replace(before, macs=before.macs + macs)

    hooks = [m.register_forward_hook(see) for m in paths]
    try:
        with still(net), torch.no_grad():
            net(*example) if isinstance(example, tuple) else net(example)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise LutraError("the network calls no convolution and no linear layer", hint="there are no bits to choose")
    return list(found.values())


def _refuse_shared(paths: Mapping[nn.Module, str]) -> None:
    """Two modules with one weight would each give it a format."""
    owners: dict[int, str] = {}
    for module, path in paths.items():
        other = owners.setdefault(id(module.weight), path)
        if other != path:
            raise LutraError(f"{other!r} and {path!r} share one weight", path, "call one module twice instead")


def _macs(module: nn.Module, x: Tensor, out: Tensor) -> int:
    """Products of one frame: each weight element once for every place of the stream that it slides over."""
    assert isinstance(module.weight, Tensor)
    weight = module.weight
    match module:
        case nn.Linear():
            return weight.numel() * math.prod(out.shape[1:-1])
        case nn.modules.conv._ConvTransposeNd():
            return weight.numel() * math.prod(x.shape[2:])
    return weight.numel() * math.prod(out.shape[2:])


def same_input(found: Sequence[Layer]) -> list[tuple[str, ...]]:
    """Groups of two layers or more that read one tensor."""
    groups: dict[str, list[str]] = {}
    for layer in found:
        groups.setdefault(layer.reads, []).append(layer.path)
    return [tuple(g) for g in groups.values() if len(g) > 1]
