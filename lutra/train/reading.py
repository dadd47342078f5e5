"""Training of a line recogniser with connectionist temporal classification, in the stages of `Run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lutra
from lutra import Accelerator
from lutra.quant import CTCCollapse
from lutra.train.lines import Lengths, Lines, epoch, right, steps
from lutra.train.stages import CALIBRATED, Run
from lutra.zoo.nets.reader import HEIGHT, LineReader, Reader

AT_ONCE = 32  # lines, when they are only read


@dataclass
class Reading(Run):
    """As `Run`, on lines of text; accuracy is the share of characters that are right."""

    images: Lines  # type: ignore[assignment]

    STEEPEST, WARMED = 1.0, 200

    def made(self) -> nn.Module:
        """A reader of the alphabet's characters."""
        return Reader(len(self.images.alphabet) + 1)

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return steps(self.images.train, self.settings.batch)

    def losses(self, number: int) -> Iterator[Tensor]:
        """CTC's, of the batches that are left."""
        lines = self.images.train
        for picked, moves in epoch(lines, self.settings.batch, self.settings.seed, number, self.batch):
            x, lengths = lines.tensor(picked, moves)
            labels = [self.images.labels(lines.texts[i]) for i in picked]
            scores = self.wrapped(x, lengths).transpose(0, 1).log_softmax(2)
            yield F.ctc_loss(scores, torch.cat(labels), lengths, torch.tensor([len(t) for t in labels]),
                             zero_infinity=True)

    def first_inputs(self) -> list[Tensor]:
        """Lines of like lengths, of some lengths."""
        lines = self.images.train
        found = [picked for picked, _ in epoch(lines, self.settings.batch, self.settings.seed, 0)]
        return [lines.tensor(found[len(found) * k // CALIBRATED])[0] for k in range(CALIBRATED)]

    @torch.no_grad()
    def read(self, count: int | None = None) -> list[str]:
        """What the network, left in evaluation mode, makes of the first test lines, or of all."""
        self.net.eval()
        picked = range(len(self.images.test.images))[:count]
        found: dict[int, str] = {}
        for part in _parts(picked, self.images.test.lengths):
            x, lengths = self.images.test.tensor(part)
            labels = CTCCollapse()(self.net(x, lengths).argmax(2), lengths)
            found.update(zip(part, map(self.images.said, labels.tolist()), strict=True))
        return [found[i] for i in picked]

    def accuracy(self, count: int | None = None) -> float:
        """Of characters of the first test lines, or of all."""
        return right(self.read(count), self.images.test.texts[:count])


def _parts(picked: Sequence[int], lengths: Lengths) -> list[list[int]]:
    """Lines of about the same length."""
    order = sorted(picked, key=lambda i: lengths[i])
    return [order[i : i + AT_ONCE] for i in range(0, len(order), AT_ONCE)]


def compiled(reader: nn.Module, longest: int, device: str, **options: Any) -> Accelerator:
    """The accelerator that reads lines of up to so many columns: labels, and blanks behind them. options: those of
    `lutra.compile`.
    """
    return lutra.compile(LineReader(reader), torch.zeros(1, longest, HEIGHT), device, **options)


def plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a quantised reader's state dict, as those of one in floating point."""
    names = {k: k.replace("parametrizations.weight.original", "weight") for k in state if "lutra_casts" not in k}
    return {name: state[k] for k, name in names.items() if "parametrizations" not in name}


def read_by(acc: Accelerator, lines: Lines, picked: Sequence[int]) -> list[str]:
    """What the integer graph of an accelerator makes of these test lines."""
    found: dict[int, str] = {}
    (longest, height) = acc.lowered.inputs[0].source_shape
    for part in _parts(picked, lines.test.lengths):
        x, lengths = lines.test.tensor(part)
        padded = torch.zeros(len(part), longest, height)
        padded[:, : x.shape[1]] = x
        labels = acc.run((padded.numpy(), lengths[:, None].numpy()))
        found.update(zip(part, map(lines.said, labels.astype(np.int64).tolist()), strict=True))
    return [found[i] for i in picked]
