"""The casts of a recurrent layer: what `Operators` does where a network runs one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.fixed import operator as cast
from lutra.quant.recurrent import gru, lstm
from lutra.quant.recurrent.exactness import precision, units
from lutra.quant.recurrent.exported import recurrent
from lutra.quant.recurrent.formats import INNER, ROLES, Word, Words
from lutra.quant.recurrent.sequence import Parameters, checked, plain, turned, unturned
from lutra.quant.recurrent.steps import blocks
from lutra.quant.sites import Site

if TYPE_CHECKING:
    from lutra.quant.operators import Operators

BIAS_BITS = 32
LSTM_ONLY = ("memory", "memory_index")


def layer(mode: Operators, func: Any, x: Tensor, lengths: Tensor | None, parameters: Parameters) -> Tensor:
    """A layer on sequences (B, T, I): weights, inputs and all that is inside cast, in evaluation exact."""
    lengths = checked(lengths, x) if not torch.compiler.is_exporting() else lengths
    found = _sites(mode, parameters)
    if found is None:
        return plain(mode.wide(x), lengths, parameters.to(torch.float64) if mode.proves else parameters)
    x, w, u = (mode.pass_through(t, found[r]) for t, r in
               ((x, "input"), (parameters.w, "weight_ih"), (parameters.u, "weight_hh")))
    p = None if parameters.p is None else mode.pass_through(parameters.p, found["peephole"])
    if mode.casts.observers is not None:
        _observe(mode, found, turned(x.transpose(0, 1), lengths, len(w)), parameters)
        return plain(x, lengths, parameters)
    words = _words(mode, found)
    fine = units(found, words, parameters.kind)
    b = _integers(parameters.bias, fine)
    inner = None
    if parameters.kind == "gru":
        inner = _integers(parameters.inner_bias, found["weight_hh"].places + words.state.fraction)
    if torch.compiler.is_exporting():
        return recurrent(x, lengths, (w, u, b, inner if p is None else p), found, words, parameters.kind)
    if mode.proves:
        dtype = precision(found, (w, u, b, p), words, parameters.kind)
        x, w, u, b = (t.to(dtype) for t in (x, w, u, b))
        p, inner = (None if t is None else t.to(dtype) for t in (p, inner))
    given = turned(x.transpose(0, 1), lengths, len(w))
    if parameters.kind == "lstm":
        h = lstm.LstmFunction.apply(words, given, w, u, b, p)[0]  # type: ignore[no-untyped-call]
    else:
        h = gru.GruFunction.apply(words, given, w, u, b, inner)  # type: ignore[no-untyped-call]
    return unturned(h, lengths).transpose(0, 1)


def _sites(mode: Operators, parameters: Parameters) -> dict[str, Site] | None:
    """The casts of a layer by role; None where the recipe leaves it in floating point."""
    roles = ["input", "weight_ih", "weight_hh", *INNER]
    if parameters.kind == "gru":
        roles = [r for r in roles if r not in LSTM_ONLY]
    if parameters.p is not None:
        roles.append("peephole")
    found = {role: mode.site(role) for role in roles}
    given = {role: site for role, site in found.items() if site is not None}
    if len(given) == len(found):
        for role in ("input", "weight_ih", "weight_hh"):
            if not given[role].shift:
                raise LutraError("a scale that is no power of two", given[role].name,
                                 "recurrent layers add products of several scales: take Fixed, KHot, or "
                                 "Binary(power=True)")
        return given
    if found["input"] is not None and found["weight_ih"] is not None:
        raise LutraError("some of a recurrent layer is in floating point", mode.path, "give a format for all of it")
    return None


def _observe(mode: Operators, sites: dict[str, Site], x: Tensor, parameters: Parameters) -> None:
    """Show each inner cast what it would be given, in floating point."""
    size = parameters.size
    if parameters.kind == "lstm":
        found = lstm.run(x, parameters.w, parameters.u, parameters.bias, parameters.p, None)
        i, f, tanh, o = blocks(found.a, size)
        sigmoid = torch.cat((i, f, o), -1)
        seen = {"memory": found.c, "memory_index": found.c, "sums": found.a, "state": found.h}
    else:
        steps = gru.run(x, parameters.w, parameters.u, parameters.bias, parameters.inner_bias, None)
        sigmoid, tanh = steps.a[..., : 2 * size], steps.a[..., 2 * size :]
        seen = {"sums": torch.cat((steps.a, steps.u), -1), "state": steps.h}
    seen |= {"sigmoid_index": sigmoid, "tanh_index": tanh, "sigmoid_table": torch.sigmoid(sigmoid),
             "tanh_table": torch.tanh(tanh)}
    for role, values in seen.items():
        mode.pass_through(values, sites[role])


def _words(mode: Operators, sites: dict[str, Site]) -> Words:
    """The formats inside, with points; while points are learned, what wraps saturates."""
    wraps = not mode.exact and not mode.casts.points_frozen
    return Words(*(_word(sites.get(ROLES[name], sites["sums"]), wraps) for name in Words._fields))


def _word(site: Site, saturates: bool) -> Word:
    assert site.whole is not None, "calibrated, or from a state dict"
    form: Any = site.form
    overflow = "SAT" if saturates and form.overflow.startswith("WRAP") else form.overflow
    return Word(site.whole, form.width, site.signed, form.rounding, overflow)


def _integers(bias: Tensor, fraction: Tensor) -> Tensor:
    """A bias as a 32-bit integer of an accumulator's units, of its own type."""
    return cast(bias.double(), fraction, BIAS_BITS, True, "RND", "SAT").to(bias.dtype)
