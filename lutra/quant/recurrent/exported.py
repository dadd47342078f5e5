"""`lutra::recurrent`: a layer as one node of an exported graph, with all that hardware needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from lutra.errors import LutraError
from lutra.quant.recurrent import gru, lstm
from lutra.quant.recurrent.formats import Word, Words
from lutra.quant.recurrent.sequence import turned, unturned
from lutra.quant.recurrent.tables import Entries, entries
from lutra.quant.sites import Site


@torch.library.custom_op("lutra::recurrent", mutates_args=())
def _recurrent(x: Tensor, weight: Tensor, recurrent: Tensor, bias: Tensor, extra: Optional[Tensor], points: Tensor,  # noqa: UP045
               sigmoid: Tensor, tanh: Tensor, memory: Optional[Tensor], kind: str, words: str) -> Tensor:  # noqa: UP045
    """States (B, T, D H) of sequences x (B, T, I); numbers are cast already.

    extra: peepholes (D, 3, H) of an LSTM or None; b_hn (D, H) of a GRU. points: bits behind the binary points of x,
    weight, recurrent and peepholes. sigmoid, tanh, memory: tables, integers by index. words: `Words` as a text.
    """
    formats = Words(*(Word(int(f), int(w), s == "1", r, o) for f, w, s, r, o in (
        part.partition("=")[2].split(",") for part in words.split(";"))))
    given = turned(x.transpose(0, 1).double(), None, len(weight))
    operands = [t if t is None else t.double() for t in (weight, recurrent, bias, extra)]
    h = (lstm if kind == "lstm" else gru).run(given, *operands, formats).h
    return unturned(h, None).transpose(0, 1).to(x.dtype).contiguous()


@_recurrent.register_fake
def _(x: Tensor, weight: Tensor, recurrent: Tensor, bias: Tensor, extra: Optional[Tensor], points: Tensor,  # noqa: UP045
      sigmoid: Tensor, tanh: Tensor, memory: Optional[Tensor], kind: str, words: str) -> Tensor:  # noqa: UP045
    return x.new_empty(*x.shape[:2], recurrent.shape[0] * recurrent.shape[2])


operator: Callable[..., Tensor] = _recurrent


@torch.library.custom_op("lutra::final_states", mutates_args=())
def _final_states(h: Tensor, directions: int) -> Tensor:
    """The state behind the last step of each direction, (B, D H), of states h (B, T, D H) of whole sequences."""
    size = h.shape[-1] // directions
    return torch.cat((h[:, -1, :size], h[:, 0, size:]), 1)


@_final_states.register_fake
def _(h: Tensor, directions: int) -> Tensor:
    return h.new_empty(h.shape[0], h.shape[2])


final_states: Callable[..., Tensor] = _final_states


def recurrent(x: Tensor, lengths: Tensor | None, operands: tuple[Tensor, Tensor, Tensor, Tensor | None],
              sites: dict[str, Site], words: Words, kind: str) -> Tensor:
    """The node for sequences x (B, T, I); their lengths are an input of the hardware, whatever is given here.

    Raises LutraError: lengths are given; they would become constants of the graph.
    """
    if lengths is not None:
        raise LutraError("lengths are given where the network is exported", sites["input"].path,
                         "leave them out: the compiled network has an input `lengths` of its own")
    order = ("input", "weight_ih", "weight_hh", *(["peephole"] if "peephole" in sites else []))
    points = torch.stack([sites[role].places for role in order])
    with _disable_current_modes(), torch._C.DisableTorchFunction():  # constants, whatever is being traced
        tables = _tables(words, kind)
    found: list[Tensor | None] = [torch.from_numpy(t.copy()) for t in tables]
    found += [None] * (3 - len(found))
    return operator(x, *operands, points, *found, kind, str(words))


def _tables(words: Words, kind: str) -> list[Entries]:
    """Of the sigmoid, of the tangent of sums, and of that of the memory."""
    tables = [entries("sigmoid", words.sums, words.sigmoid_index, words.sigmoid),
              entries("tanh", words.sums, words.tanh_index, words.tanh)]
    if kind == "lstm":
        tables.append(entries("tanh", words.memory, words.memory_index, words.tanh))
    return tables
