"""Recurrent layers and CTC's decoding in exported graphs. The length of a sequence is an input of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.call import OPSET, Aten, constant
from lutra.front.sequences import last
from lutra.front.values import Call, Const, Stream
from lutra.ir import Array, Constant
from lutra.ops.source import CtcCollapse, Gru, Lstm, Reshape, real
from lutra.ops.source.recurrent import WORDS, Word


def _recurrent(a: Aten) -> Stream:
    """lutra::recurrent."""
    words = _words(str(a["words"]))
    lstm = a["kind"] == "lstm"
    gates = 4 if lstm else 3
    weights, recurrent = (_array(a, n) for n in ("weight", "recurrent"))
    directions, size = recurrent.shape[0], recurrent.shape[2]
    w, u = (t.reshape(directions, gates, size, -1) for t in (weights, recurrent))
    extra = None if a["extra"] is None else real(_array(a, "extra"))
    points = tuple(int(p) for p in _array(a, "points"))
    fields: dict[str, Any] = {n: words[n] for n in WORDS if lstm or n not in ("memory", "memory_index")}
    fields |= {f"{n}_table": Constant(_array(a, n).astype(np.int64)) for n in ("sigmoid", "tanh")}
    bias = real(_array(a, "bias").reshape(directions, gates, size))
    if not lstm:
        return _joined(a, Gru(real(w), real(u), bias, extra, points, **fields))
    fields["memory_table"] = Constant(_array(a, "memory").astype(np.int64))
    return _joined(a, Lstm(real(w), real(u), bias, extra, points, **fields))


def _words(text: str) -> dict[str, Word]:
    found = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        fraction, width, signed, rounding, overflow = value.split(",")
        found[name] = Word(int(fraction), int(width), signed == "1", rounding, overflow)
    return found


def _array(a: Aten, name: str) -> Array:
    value = constant(a[name])
    if not isinstance(value, Const):
        raise LutraError(f"{name} of {a.name} is computed from the network's data", hint="only constants are supported")
    return value.array.astype(np.float64)


def _collapse(a: Aten) -> Stream:
    """lutra::ctc_collapse."""
    return _joined(a, CtcCollapse(int(a["blank"])))


def _final(a: Aten) -> Stream:
    """lutra::final_states."""
    x = a.stream
    (size,), directions = x.node.out.shape[1:], int(a["directions"])
    own = Call(a.name, a.loc, (x,), {}, OPSET)
    found = last(own, x, a.lengths(x).node, size // 2 if directions == 2 else 0)
    return own.emit(Reshape((size,)), found)


def _joined(a: Aten, op: Any) -> Stream:
    """What an operator makes of a sequence and its length."""
    x = a.stream
    if not x.batch:
        raise LutraError("sequences without a batch axis", hint="give (batch, columns, inputs)")
    return a.join(op, (x, a.lengths(x)))


TRANSLATORS = {"lutra::recurrent": _recurrent, "lutra::final_states": _final, "lutra::ctc_collapse": _collapse}
