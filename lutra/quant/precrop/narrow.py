"""A network with other widths: the same modules and the same forward, with parameters of other shapes, made anew."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from lutra.errors import LutraError
from lutra.quant.precrop.sizes import Layer, Sizes, size, sizes
from lutra.quant.search.groups import Group, Member, streams

Net = TypeVar("Net", bound=nn.Module)
HINT = "take it from the tensors, as in F.pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))"


def narrowed(net: Net, example: Any, widths: Mapping[str, int], seed: int = 0,
             init: Callable[[nn.Module], object] | None = None) -> Net:
    """A copy whose convolutions and linear layers have so many channels out, with fresh parameters.

    widths: by path; layers that are not named stay as wide as they are. seed: of all parameters, as each module's own
    `reset_parameters` draws them; init: what to do with the copy after that. The network given is left as it is.

    Raises LutraError: no such layer; a width that the streams do not allow; a forward that has a number of channels
    written into it.
    """
    found = sizes(net, example)
    chosen = by_group(found, widths)
    made = copy.deepcopy(net)
    for path, layer in found.layers.items():
        _resize(made.get_submodule(path), layer, chosen)
    with torch.random.fork_rng({p.device.index for p in made.parameters() if p.device.type == "cuda"}):
        torch.manual_seed(seed)
        for module in made.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        if init is not None:
            init(made)
    _check(made, example, found, chosen)
    assert sum(p.numel() for p in made.parameters()) == found.parameters(chosen)
    return made


def by_group(found: Sizes, widths: Mapping[str, int]) -> list[int]:
    """The width of each group, from those of layers.

    Raises LutraError: as `narrowed`.
    """
    chosen: dict[int, tuple[int, str]] = {}
    for path, width in widths.items():
        layer = found.products.get(path)
        if layer is None:
            raise LutraError("there is no convolution or linear layer of this name", path,
                             f"they are {', '.join(found.products)}")
        if type(width) is not int or width < 1:
            raise LutraError(f"a width of {width!r}", path, "give a whole number of at least 1")
        if not layer.deep and layer.member.writes:
            index = layer.member.writes[0].group
            _allowed(found.streams.groups[index], path, width)
            before, other = chosen.setdefault(index, (width, path))
            if before != width:
                raise LutraError(f"a width of {width}, but {other} writes into the same stream with {before}", path,
                                 "give both the same")
    result = [chosen[i][0] if i in chosen else now for i, now in enumerate(found.now)]
    for path, width in widths.items():
        if (follows := found.products[path].wide(result)[1]) != width:
            raise LutraError(f"a width of {width}, where what it reads makes it {follows}", path,
                             "a depthwise layer is as wide as its input")
    return result


def _allowed(group: Group, path: str, width: int) -> None:
    """Raises LutraError where a group cannot have this width."""
    if group.held and width != group.width:
        raise LutraError(f"a width of {width}, but it has to stay at {group.width}: {group.held}", path)
    if width % group.multiple:
        raise LutraError(f"a width of {width}", path, f"take a multiple of {group.multiple}, for grouped convolutions")


def _resize(module: nn.Module, layer: Layer, widths: Sequence[int]) -> None:
    """Give a module other channels in place, so that it keeps its class and all of its other attributes."""
    c_in, c_out = layer.wide(widths)
    if (c_in, c_out) == (layer.c_in, layer.c_out):
        return
    shape: tuple[int, ...] = (c_out,)
    match module:
        case nn.Linear():
            module.in_features, module.out_features = c_in, c_out
            shape = (c_out, c_in)
        case nn.modules.conv._ConvNd():
            module.in_channels, module.out_channels = c_in, c_out
            module.groups = c_in if layer.deep else module.groups
            first, second = (c_in, c_out) if module.transposed else (c_out, c_in)
            shape = (first, second // module.groups, *module.kernel_size)
        case nn.GroupNorm():
            module.num_channels = c_out
        case nn.LayerNorm():
            module.normalized_shape = shape
        case nn.PReLU():
            module.num_parameters = c_out
        case _:  # normalisation by batch or by instance
            setattr(module, "num_features", c_out)  # noqa: B010
    for name, old in module.named_parameters(recurse=False):
        size = shape if name == "weight" else (c_out,)
        setattr(module, name, nn.Parameter(old.new_ones(size), old.requires_grad))
    for name, buffer in module.named_buffers(recurse=False):
        if buffer.ndim:
            setattr(module, name, buffer.new_ones(c_out))


def _check(made: nn.Module, example: Any, found: Sizes, widths: Sequence[int]) -> None:
    """Run the network, and see that each layer reads and writes what it was made for."""
    try:
        now = streams(made, example)
    except LutraError:
        raise
    except Exception as e:  # the user's own forward, with other shapes than it was written for
        raise LutraError(f"a number of channels is written into the forward, so that other widths do not run: {e}",
                         _place(e), HINT) from e
    for path, layer in found.layers.items():
        member = now.layers.get(path)
        own = [g.width for g in now.groups]
        if member is None or _wide(member, own) != tuple(
                size(parts, widths, 0) for parts in (layer.member.reads, layer.member.writes)):
            raise LutraError("with other widths it reads or writes other channels than before", path, HINT)


def _wide(member: Member, widths: Sequence[int]) -> tuple[int, int]:
    return size(member.reads, widths, 0), size(member.writes, widths, 0)


def _place(error: BaseException) -> str:
    """The last line of the user's own on the way to an error."""
    roots = (Path(torch.__file__).parent, Path(__file__).parents[2])
    own = [f for f in traceback.extract_tb(error.__traceback__)
           if not any(Path(f.filename).is_relative_to(r) for r in roots)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "the forward"
