"""Which layers write into one stream: the ties of bits and of widths.

A network is run once, and its channels are followed from layer to layer. Layers whose results are added (or otherwise
meet element by element) have as many channels as each other: they are a group. What is not understood holds the
channels that meet it at the width that they have, so that a group that is free can be given any width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from lutra.errors import LutraError
from lutra.quant.search.axes import FIXED, Part
from lutra.quant.search.calls import Called, Calls, run

__all__ = ["FIXED", "Group", "Member", "Part", "Streams", "streams"]


@dataclass(frozen=True)
class Group:
    """Channels that are as many as each other in every tensor that holds them.

    Its fields:
        width: how many.
        writers: paths of the layers that make them, in the order of their first call; depthwise layers, which pass
            on as many as they read, are not among them.
        multiple: what the width has to be a multiple of, for grouped convolutions.
        held: why they are not free to be more or fewer; empty if they are.
    """

    width: int
    writers: tuple[str, ...]
    multiple: int = 1
    held: str = ""


@dataclass(frozen=True)
class Member:
    """A layer with channels.

    Its fields:
        path: of the module.
        reads, writes: the parts of its input's and its output's channels, in order; empty where they are no layer's.
            `Part.group` counts in `Streams.groups`. Depthwise layers write the group that they read, and so do
            normalisation and PReLU.
        positions: how often each of its weights is multiplied in one frame, in all calls.
    """

    path: str
    reads: tuple[Part, ...]
    writes: tuple[Part, ...]
    positions: int


@dataclass(frozen=True)
class Streams:
    """What was found: each layer by its path, in the order of their first call, and the groups."""

    layers: Mapping[str, Member]
    groups: tuple[Group, ...]

    def ties(self) -> list[tuple[str, ...]]:
        """The convolutions and linear layers that write into one stream, where they are two or more."""
        return [g.writers for g in self.groups if len(g.writers) > 1]


def streams(net: nn.Module, example: Any) -> Streams:
    """Follow the channels of a network through one run in evaluation; nothing of the network is changed.

    example: its input, or a tuple of them, with a batch axis. The network's own inputs and outputs are held.

    Raises LutraError: two modules share a parameter; the network calls no convolution and no linear layer.
    """
    refuse_shared(net)
    calls = run(net, example)
    if not calls.writers:
        raise LutraError("the network calls no convolution and no linear layer", hint="there is nothing to choose")
    return _result(calls)


def refuse_shared(net: nn.Module) -> None:
    """Raises LutraError: two modules have one parameter, so that neither can be given another shape alone."""
    owners: dict[int, str] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        path = name.rpartition(".")[0]
        if owners.setdefault(id(parameter), path) != path and net.get_submodule(owners[id(parameter)]) is not (
                net.get_submodule(path)):
            raise LutraError(f"{owners[id(parameter)]!r} and {path!r} share one parameter", path,
                             "call one module twice, or give each its own")


def _result(calls: Calls) -> Streams:
    """Groups by consecutive numbers, in the order of their first writer."""
    sets = calls.sets
    roots = list(dict.fromkeys(sets.find(g) for g in calls.writers))
    writers = {r: tuple(p for g, p in calls.writers.items() if sets.find(g) == r) for r in roots}
    groups = tuple(Group(sets.width[r], writers[r], sets.multiple[r], sets.held[r]) for r in roots)

    def numbered(parts: tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple(p if p.group == FIXED else Part(roots.index(sets.find(p.group)), p.width, p.inner) for p in parts)

    def member(path: str, called: Called) -> Member:
        return Member(path, numbered(called.reads), numbered(called.writes), called.positions)

    return Streams({path: member(path, called) for path, called in calls.called.items()}, groups)
