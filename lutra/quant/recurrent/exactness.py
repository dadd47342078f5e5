"""Whether the numbers of a recurrent layer are exact in single precision, in double, or not at all."""

from __future__ import annotations

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.recurrent.formats import Words
from lutra.quant.sites import Site

SINGLE, DOUBLE = 24, 52


def units(sites: dict[str, Site], words: Words, kind: str) -> Tensor:
    """Bits behind the binary point of the sums: those of the finest term."""
    terms = [sites["input"].places + sites["weight_ih"].places, sites["weight_hh"].places + words.state.fraction]
    if "peephole" in sites:
        terms.append(sites["peephole"].places + words.memory.fraction)
    if kind == "gru":
        terms.append(torch.full_like(terms[0], words.sums.fraction + words.sigmoid.fraction))
    return torch.stack(terms).amax()


def precision(sites: dict[str, Site], operands: tuple[Tensor, Tensor, Tensor, Tensor | None], words: Words, kind: str,
              ) -> torch.dtype:
    """The type in which each step is exact. operands: w, u, b and p, cast.

    A sum has no partial sum above the sum of magnitudes, in whatever order, and half a unit of what it is cast to is
    added before it is rounded.

    Raises LutraError: not even double precision holds them.
    """
    w, u, b, p = (None if t is None else t.detach().double() for t in operands)
    assert w is not None and u is not None and b is not None
    fine = int(units(sites, words, kind))
    most_h = words.state.most * 2.0**-words.state.fraction
    most_x = sites["input"].limit * float(sites["input"].unit())
    sums = w.abs().sum(2) * most_x + u.abs().sum(2) * most_h + b.abs()
    one = words.sigmoid.most * 2.0**-words.sigmoid.fraction
    tanh = words.tanh.most * 2.0**-words.tanh.fraction
    if p is not None:
        sums[:, : p.shape[1] * p.shape[2]] += p.flatten(1).abs().max() * words.memory.most * 2.0**-words.memory.fraction
    if kind == "gru":
        sums = sums + one * words.sums.most * 2.0**-words.sums.fraction
    found = [(float(sums.max()) + 2.0 ** -(words.sums.fraction + 1), max(fine, words.sums.fraction + 1))]
    s = words.sigmoid.fraction
    if kind == "lstm":
        f, c, h = words.tanh.fraction, words.memory.fraction, words.state.fraction
        memory = one * (tanh + words.memory.most * 2.0**-c)
        found += [(memory + 2.0 ** -(c + 1), max(s + max(f, c), c + 1)),
                  (one * tanh + 2.0 ** -(h + 1), max(s + f, h + 1))]
    else:
        found.append((one * (tanh + most_h) + 2.0 ** -(words.state.fraction + 1),
                      max(s + max(words.tanh.fraction, words.state.fraction), words.state.fraction + 1)))
    bits = max(torch.log2(torch.tensor(top, dtype=torch.float64)).item() + places for top, places in found)
    if bits > DOUBLE:
        raise LutraError(f"sums of {bits:.0f} bits", sites["weight_ih"].path,
                         "the binary points of inputs, weights and state lie too far apart: calibrate again")
    return torch.float32 if bits <= SINGLE and w.device.type == "cpu" else torch.float64
