"""The networks of the zoo that `lutra train` trains, each with its recipe. It imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lutra.errors import LutraError
from lutra.quant import Binary, Fixed, Recipe, Scaled
from lutra.zoo.nets.cnv import CNV
from lutra.zoo.nets.fracbnn import FracBNN
from lutra.zoo.nets.fracbnn import recipe as fracbnn_recipe
from lutra.zoo.nets.mlp import MLP
from lutra.zoo.nets.mobilenet import MobileNet
from lutra.zoo.nets.reader import Reader
from lutra.zoo.nets.reader import recipe as reader_recipe
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.nets.small import SmallCNN

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
PLAIN = ((0.0,), (256.0,))  # a pixel is an integer of 8 bits behind the binary point: no host arithmetic
CIFAR = ((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))  # as published ResNets


@dataclass(frozen=True)
class Bits:
    """Of weights, of activations (inputs of matrix products) and of elementwise layers."""

    weights: int
    activations: int
    elementwise: int = 8


@dataclass(frozen=True)
class Trainable:
    """A network, its recipe, and how it is trained.

    Its fields:
        about: one line.
        make: the network for so many bits.
        recipe: its formats for so many bits.
        frame: (channels, height, width) of an image.
        bits: unless the user says others.
        epochs: in floating point, and in fixed point.
        rate: Adam's learning rate in floating point; in fixed point it is a third of that.
        normalise: mean and deviation of pixels, which the host takes off: x = (pixel - mean) / deviation.
        flips: whether images are mirrored and shifted in training.
        batch: images of a step.
        lines: whether they are lines of text, of any length.
    """

    about: str
    make: Callable[[Bits], nn.Module]
    recipe: Callable[[Bits], Recipe]
    frame: tuple[int, int, int]
    bits: Bits
    epochs: tuple[int, int]
    rate: float = 3e-3
    normalise: tuple[tuple[float, ...], tuple[float, ...]] = PLAIN
    flips: bool = False
    batch: int = 128
    lines: bool = False


def fixed(bits: Bits) -> Recipe:
    """Fixed point everywhere, learned points, of weights for each channel; the first and last layer at least 8 bits."""
    return Recipe(Fixed(bits.weights, per_channel=True), Fixed(bits.activations), Fixed(bits.elementwise), first_last=8)


def _thresholds(first: str) -> Callable[[Bits], Recipe]:
    """FINN's networks: few bits with learned scales; normalisation is left to thresholds; pixels as they are.

    The outputs have 16 bits.
    """
    def made(bits: Bits) -> Recipe:
        weights = Binary() if bits.weights == 1 else Scaled(bits.weights)
        activations = None if bits.activations == 1 else Scaled(bits.activations)
        pixels = Recipe(weights, Fixed(8, 8, signed=False))
        others = {first: pixels, "norm": Recipe(elementwise=Fixed(16))}
        return Recipe(weights, activations, first_last=0, overrides=others)
    return made


def _mlp(about: str, width: int) -> Trainable:
    return Trainable(about, lambda b: MLP(width, b.activations), _thresholds("features.fc1"), GREY, Bits(1, 1), (0, 20))


NETWORKS = {
    "tfc": _mlp("FINN's MLP of 64 neurons a layer, MNIST", 64),
    "sfc": _mlp("FINN's MLP of 256 neurons a layer, MNIST", 256),
    "lfc": _mlp("FINN's MLP of 1024 neurons a layer, MNIST", 1024),
    "cnv": Trainable("FINN's small VGG, CIFAR-10", lambda b: CNV(b.activations), _thresholds("features.0"), COLOUR,
                     Bits(1, 1), (0, 100), flips=True),
    "small_cnn": Trainable("two strided convolutions and a residual block, MNIST or Fashion-MNIST",
                           lambda b: SmallCNN(), fixed, GREY, Bits(4, 4), (3, 5)),
    "resnet8": Trainable("ResNet-8, CIFAR-10", lambda b: ResNet(1), fixed, COLOUR, Bits(4, 4), (60, 30),
                         normalise=CIFAR, flips=True),
    "resnet20": Trainable("ResNet-20, CIFAR-10", lambda b: ResNet(3), fixed, COLOUR, Bits(4, 4), (100, 30),
                          normalise=CIFAR, flips=True),
    "mobilenet": Trainable("a small MobileNet, CIFAR-10", lambda b: MobileNet(), fixed, COLOUR, Bits(8, 8), (60, 20),
                           flips=True),
    "fracbnn": Trainable("FracBNN: binary ResNet-20 with 1.4-bit activations, CIFAR-10", lambda b: FracBNN(3),
                         fracbnn_recipe, COLOUR, Bits(1, 2, 16), (100, 30), flips=True),
    "fracbnn_small": Trainable("FracBNN of 8 layers, CIFAR-10", lambda b: FracBNN(1), fracbnn_recipe, COLOUR,
                               Bits(1, 2, 16), (60, 20), flips=True),
    "ocr": Trainable("bidirectional LSTM that reads lines of text (CTC)", lambda b: Reader(2), lambda b: reader_recipe(
        b.weights, b.activations), (1, 32, 0), Bits(4, 4, 16), (11, 2), 4e-3, batch=12, lines=True),
}


def trainable(name: str) -> Trainable:
    """The network of this name. Raises LutraError if there is none."""
    if name not in NETWORKS:
        raise LutraError(f"there is no network {name!r}", "train", f"choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
