"""`torch.nn.LSTM` and `torch.nn.GRU` as their forward calls them, taken apart into layers with casts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant.recurrent.exported import final_states
from lutra.quant.recurrent.rule import layer
from lutra.quant.recurrent.sequence import Parameters

if TYPE_CHECKING:
    from lutra.quant.operators import Operators


def in_any_precision(module: nn.RNNBase) -> None:
    """Let a layer take numbers of double precision, as operators before it give them where single is not exact:
    PyTorch's check asks for the weights' own precision.
    """
    module.check_forward_args = partial(_check, module)  # type: ignore[method-assign]


def _check(module: nn.RNNBase, x: Tensor, hidden: Any, sizes: Tensor | None) -> None:
    type(module).check_forward_args(module, x.to(next(module.parameters()).dtype), hidden, sizes)


def native(mode: Operators, func: Any, *args: Any) -> tuple[Tensor, ...]:
    """`torch.lstm` or `torch.gru` of a padded or a packed batch, from states of zero.

    The final cell memory is not given out: it is not a number, so that its use is noticed.

    Raises LutraError: initial states that are not zero, or projections.
    """
    kind = "lstm" if func is torch.lstm else "gru"
    if isinstance(args[1], Tensor) and not args[1].is_floating_point():  # data, batch sizes
        data, sizes, *rest = args
        x, lengths = _padded(data, sizes)
        out, last = _layers(mode, kind, x.transpose(0, 1), lengths, *rest)
        out = out.transpose(0, 1)[_taken(sizes)]
    else:
        x, *rest, batch_first = args
        out, last = _layers(mode, kind, x if batch_first else x.transpose(0, 1), None, *rest)
        out = out if batch_first else out.transpose(0, 1)
    return (out, last, torch.full_like(last, torch.nan)) if kind == "lstm" else (out, last)


def _taken(sizes: Tensor) -> Tensor:
    """Which (T, B) of a padded batch are in a packed one, whose longest sequence is first."""
    return torch.arange(int(sizes[0])) < sizes[:, None]


def _padded(data: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Sequences (T, B, ...) and their lengths from a packed batch."""
    taken = _taken(sizes)
    x = data.new_zeros(*taken.shape, *data.shape[1:])
    x[taken] = data
    return x, taken.sum(0)


def _layers(mode: Operators, kind: str, x: Tensor, lengths: Tensor | None, hx: Any, flat: Any, biases: bool,
            count: int, dropout: float, training: bool, bidirectional: bool) -> tuple[Tensor, Tensor]:
    """All layers on x (B, T, I): the last one's states, and the final states of all (layers * D, B, H)."""
    states = hx if isinstance(hx, (tuple, list)) else (hx,)
    if not torch.compiler.is_exporting() and any(bool(s.any()) for s in states):
        raise LutraError("a recurrent layer starts from states that are not zero", mode.path, "leave hx out")
    directions, each = 1 + bidirectional, 4 if biases else 2
    if len(flat) != count * directions * each:
        raise LutraError("a recurrent layer with projections", mode.path,
                         "leave proj_size out: a linear layer can follow")
    final = []
    for k in range(count):
        if k and dropout:
            x = F.dropout(x, dropout, training)
        at = k * directions * each
        parts = [torch.stack([flat[at + d * each + i] for d in range(directions)]) for i in range(each)]
        x = layer(mode, None, x, lengths, Parameters(kind, *(parts if biases else [*parts, None, None])))
        final.append(_final(x, lengths, directions))
    return x, torch.cat(final)


def _final(h: Tensor, lengths: Tensor | None, directions: int) -> Tensor:
    """The state behind each sequence's last step in each direction, (D, B, H)."""
    size = h.shape[-1] // directions
    if torch.compiler.is_exporting():
        found = final_states(h, directions)
        return torch.stack((found[:, :size], found[:, size:])[:directions])
    last = h[:, -1, :size] if lengths is None else h[torch.arange(len(h)), lengths - 1, :size]
    return torch.stack((last, h[:, 0, size:])[:directions])
