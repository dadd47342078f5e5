"""Greedy decoding of connectionist temporal classification (Graves et al., ICML 2006): `lutra::ctc_collapse`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lutra.errors import LutraError


@torch.library.custom_op("lutra::ctc_collapse", mutates_args=())
def _collapse(labels: Tensor, blank: int) -> Tensor:
    """Labels (B, T) of columns to labels (B, T + 1) of characters: those that differ from the one before and are not
    the blank, then blanks.
    """
    before = torch.cat((torch.full_like(labels[:, :1], blank), labels[:, :-1]), 1)
    kept = (labels != before) & (labels != blank)
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
    moved = torch.where(kept, labels, blank).gather(1, order)
    return torch.cat((moved, torch.full_like(labels[:, :1], blank)), 1)


@_collapse.register_fake
def _(labels: Tensor, blank: int) -> Tensor:
    return labels.new_empty(labels.shape[0], labels.shape[1] + 1)


collapse: Callable[[Tensor, int], Tensor] = _collapse


class CTCCollapse(nn.Module):
    """Repeats and blanks taken out of the labels of columns, those behind a length that is given not counted."""

    def __init__(self, blank: int = 0) -> None:
        super().__init__()
        if blank < 0:
            raise LutraError(f"a blank of {blank}", "CTCCollapse", "it is the index of a class")
        self.blank = blank

    def forward(self, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Labels (B, T) to (B, T + 1), blanks at the end."""
        if lengths is not None:
            labels = torch.where(torch.arange(labels.shape[1], device=labels.device) < lengths[:, None], labels,
                                 self.blank)
        return collapse(labels, self.blank)

    def extra_repr(self) -> str:
        """For `print(net)`."""
        return f"blank={self.blank}"
