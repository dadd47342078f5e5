"""Recurrent layers for sequences of several lengths, with peepholes if wanted; quantised like PyTorch's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lutra.quant.recurrent.sequence import Parameters, checked, layer

SIDES = ("", "_reverse")


class LSTM(nn.Module):
    """One LSTM layer. Parameters have the names and order of `torch.nn.LSTM`, so that state dicts load either way.

    Its arguments:
        input_size, hidden_size: I and H.
        bidirectional: a second direction, whose states are behind those of the first.
        peepholes: the gates i and f see c_{t-1}, o sees c_t, by weights of their own, `weight_peephole_l0` (3, H).
        batch_first: sequences are (B, T, I), else (T, B, I).
    """

    kind, gates = "lstm", 4

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool = False, peepholes: bool = False,
                 batch_first: bool = True) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.bidirectional, self.peepholes, self.batch_first = bidirectional, peepholes, batch_first
        rows = self.gates * hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size),
                                              "bias_ih": (rows,), "bias_hh": (rows,)}
        if peepholes:
            shapes["weight_peephole"] = (3, hidden_size)
        for side in self.sides:
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l0{side}", nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    @property
    def sides(self) -> tuple[str, ...]:
        """What the names of each direction's parameters end in."""
        return SIDES[: 1 + self.bidirectional]

    def reset_parameters(self) -> None:
        """As PyTorch: uniform within 1 / sqrt(H)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """States of all steps, (B, T, D H) or (T, B, D H), zero at and after each sequence's length.

        lengths: (B,) integers, 1 to T; None: all are whole.

        Raises LutraError: lengths that are none.
        """
        if not self.batch_first:
            x = x.transpose(0, 1)
        if not torch.compiler.is_exporting():
            lengths = checked(lengths, x)
        out = layer(x, lengths, Parameters(self.kind, *self._stacked()))
        return out if self.batch_first else out.transpose(0, 1)

    def _stacked(self) -> list[Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", *(["weight_peephole"] if self.peepholes else []))
        return [torch.stack([getattr(self, f"{name}_l0{side}") for side in self.sides]) for name in names]

    def extra_repr(self) -> str:
        """For `print(net)`."""
        return f"{self.input_size}, {self.hidden_size}, bidirectional={self.bidirectional}, peepholes={self.peepholes}"


class GRU(LSTM):
    """One GRU layer, as `torch.nn.GRU` names and computes it."""

    kind, gates = "gru", 3

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool = False, batch_first: bool = True,
                 ) -> None:
        super().__init__(input_size, hidden_size, bidirectional, False, batch_first)
