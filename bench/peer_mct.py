"""Sony's Model Compression Toolkit beside `lutra.quant.zeroq`: images made from normalisation's statistics, bits by
layer at the size of 4-bit weights, accuracy and time. Each has its own defaults: theirs are 2, 4 or 8 bits and 500
steps for each batch of 32 images, of which it is given three; ours 2 to 8 bits and 576 images in 50 steps.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import torch
import torch.nn.functional as F
from resnet20_fixed_point import images
from shared import REPO, Board
from torch import Tensor, nn
from zeroq import PRIOR, accuracy, limit

import lutra.quant as q
from lutra.quant import hawq, zeroq
from lutra.train.data import Images
from lutra.zoo.nets.resnet import Block

COUNT, THEIR_BATCH = 96, 32  # images


def compare(board: Board, net: nn.Module, x: Tensor, labels: Tensor, args: argparse.Namespace) -> None:
    """Accuracy of all test images, and processor time, of both."""
    found = images(args.data, REPO)
    for name, base in (("scales of powers of two", zeroq.BASE), ("any scales, as the toolkit's", hawq.DYADIC)):
        begin = time.process_time()
        ours = zeroq.search(net, PRIOR, limit(args.data), base=base, options=zeroq.Options(seed=args.seed))
        own = q.quantize(copy.deepcopy(net), ours.plan.recipe(base))
        q.calibrate(own, [ours.images], "mse")
        board.show(f"Lutra, {name}: processor time", time.process_time() - begin, "s")
        board.show(f"Lutra, {name}: accuracy", _accuracy(own, found), "%")
    begin = time.process_time()
    torch.manual_seed(args.seed)
    theirs = _theirs(net, limit(args.data)["size"], board)
    board.show("MCT: processor time", time.process_time() - begin, "s")
    board.show("MCT: accuracy", _accuracy(theirs, found), "%")


class Traceable(Block):
    """The same block with the channels that it pads known before it runs, as the toolkit's tracing needs it."""

    def forward(self, x: Tensor) -> Tensor:
        """ReLU of the sum of both."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            more = self.conv1.out_channels - self.conv1.in_channels
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, more // 2, more - more // 2))
        return F.relu(y + x)


def traceable(net: nn.Module) -> nn.Module:
    """A copy of a ResNet."""
    made = copy.deepcopy(net)
    for module in made.modules():
        if isinstance(module, Block):
            module.__class__ = Traceable
    return made


def _accuracy(net: nn.Module, found: Images) -> float:
    with torch.no_grad():
        return accuracy(net.eval(), found)


def _theirs(net: nn.Module, size: float, board: Board) -> nn.Module:
    if importlib.util.find_spec("torchvision") is None:
        _stand_in()
    import model_compression_toolkit as mct

    generation = mct.data_generation
    net = traceable(net)
    made = generation.pytorch_data_generation_experimental(
        net, COUNT, PRIOR.shape[1:], generation.get_pytorch_data_generation_config(data_gen_batch_size=THEIR_BATCH))

    def batches() -> Iterator[list[Tensor]]:
        for k in range(0, COUNT, THEIR_BATCH):
            yield [torch.stack([image.reshape(PRIOR.shape) for image in made[k : k + THEIR_BATCH]])]

    mixed = mct.core.CoreConfig(mixed_precision_config=mct.core.MixedPrecisionQuantizationConfig(num_of_images=COUNT))
    quantised_net, facts = mct.ptq.pytorch_post_training_quantization(
        net, batches, mct.core.ResourceUtilization(weights_memory=size), mixed)
    board.show("MCT: bytes of weights", facts.final_resource_utilization.weights_memory, f"of {size:,.0f}")
    return quantised_net  # type: ignore[no-any-return]


def _stand_in() -> None:
    """What the toolkit takes of torchvision, which has no build for every PyTorch, written anew."""
    whole, transforms, inner, ops = (ModuleType(n) for n in (
        "torchvision", "torchvision.transforms", "torchvision.transforms.transforms", "torchvision.ops"))
    whole.__version__ = "0.21.0"  # type: ignore[attr-defined]
    for made in (Crop, Middle, Flip, Normalise):
        setattr(transforms, made.called, made)
    inner._setup_size = lambda size, error_msg="": (size, size) if isinstance(size, int) else tuple(size)  # type: ignore[attr-defined]
    for module in (whole, transforms, inner, ops):
        module.__spec__ = importlib.util.spec_from_loader(module.__name__, None)
        sys.modules[module.__name__] = module


class Crop(nn.Module):
    """A part of an image, anywhere."""

    called = "RandomCrop"

    def __init__(self, size: int | tuple[int, int]) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def corner(self, rest: int) -> int:
        """Where it begins, if so much is left out."""
        return int(torch.randint(0, rest + 1, ()))

    def forward(self, x: Tensor) -> Tensor:
        """(..., H, W) to (..., *size)."""
        height, width = self.size
        top, left = self.corner(x.shape[-2] - height), self.corner(x.shape[-1] - width)
        return x[..., top : top + height, left : left + width]


class Middle(Crop):
    """The part in its middle."""

    called = "CenterCrop"

    def corner(self, rest: int) -> int:
        """Half of what is left out."""
        return rest // 2


class Flip(nn.Module):
    """A mirror image, or not."""

    called = "RandomHorizontalFlip"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(..., H, W)."""
        return x.flip(-1) if float(torch.rand(())) < self.p else x


class Normalise(nn.Module):
    """Mean 0 and deviation 1 of each channel."""

    called = "Normalize"

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = (torch.tensor(v).reshape(-1, 1, 1) for v in (mean, std))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C, H, W)."""
        return (x - self.mean.to(x)) / self.std.to(x)
