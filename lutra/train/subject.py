"""The network that is to be quantised, and how pixels become its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lutra.errors import LutraError
from lutra.quant.zeroq import Prior
from lutra.train.session import weights_of
from lutra.zoo.trainable import PLAIN, trainable

TOP = 255.0  # of a pixel
Normalise = tuple[tuple[float, ...], tuple[float, ...]]
UNIT: Normalise = ((0.0,), (TOP,))  # inputs are 0 to 1


@dataclass(frozen=True)
class Subject:
    """A network in floating point.

    Its fields:
        shape: (channels, ...) of one input.
        prior: what is known of inputs without having any, if anything is.
        normalise: mean and deviation that pixels of 0 to 255 are freed of, one of each or one for each channel.
        flips: whether images may be mirrored and shifted in training.
    """

    net: nn.Module
    shape: tuple[int, ...]
    prior: Prior | None
    normalise: Normalise = UNIT
    flips: bool = False


def of_zoo(name: str, weights: Path) -> Subject:
    """A network of the zoo with the weights of a checkpoint, and what its recipe says of its inputs.

    Raises LutraError: no such network, no weights there, or those of another network.
    """
    plan = trainable(name)
    net = plan.make(plan.bits)
    try:
        net.load_state_dict(weights_of(weights))
    except RuntimeError as e:
        raise LutraError("these are not this network's weights: " + str(e).split("\n")[-1].strip(), str(weights),
                         f"take one that was saved from {name}, in floating point") from e
    prior = Prior.normalised(plan.frame, *plan.normalise, top=TOP, standard=plan.normalise != PLAIN)
    return Subject(net, plan.frame, prior, plan.normalise, plan.flips)


def of_user(net: nn.Module, example: Any, span: tuple[float, float] | None = None, standard: bool = False,
            mean: Sequence[float] = (), deviation: Sequence[float] = (), flips: bool = False) -> Subject:
    """A network of the user's, by an example of its input (N, channels, ...).

    span: the least and greatest number of an input, which black and white pixels become. standard: each channel has
    mean 0 and deviation 1. mean, deviation: those of pixels from 0 to 1, which are taken off instead.

    Raises LutraError: the example is no such tensor; a span and a mean; not one number, or one for each channel.
    """
    if not isinstance(example, torch.Tensor) or example.ndim < 2 or not example.is_floating_point():
        raise LutraError("the example is no tensor (N, channels, ...) of floating point", "the network",
                         "return net, torch.zeros(1, 3, 32, 32)")
    shape = tuple(example.shape[1:])
    if mean or deviation:
        if span is not None:
            raise LutraError("a range and a mean of inputs", "the network", "give one or the other")
        normalise = _checked(tuple(mean), tuple(deviation), shape[0])
        return Subject(net, shape, Prior.normalised(shape, *normalise, top=TOP), normalise, flips)
    if span is None:
        return Subject(net, shape, None, UNIT, flips)
    prior = Prior(shape, (span[0],), (span[1],), standard)
    deep = TOP / (span[1] - span[0])
    return Subject(net, shape, prior, ((-span[0] * deep,), (deep,)), flips)


def _checked(mean: tuple[float, ...], deviation: tuple[float, ...], channels: int) -> Normalise:
    """For pixels of 0 to 255, as many of one as of the other."""
    if len(mean) != len(deviation) or len(mean) not in (1, channels) or min(deviation) <= 0:
        raise LutraError(f"mean {mean} and deviation {deviation} for {channels} channels", "the network",
                         "give both, one number or one for each channel, deviations above 0")
    return tuple(TOP * m for m in mean), tuple(TOP * d for d in deviation)
