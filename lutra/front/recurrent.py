"""Import of ONNX's LSTM and GRU, whose weights are quantised and whose inside is in real numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lutra.errors import LutraError
from lutra.front.batch import Moved, placed
from lutra.front.cells import Layer, gru, lstm
from lutra.front.grids import grid
from lutra.front.sequences import last
from lutra.front.values import Call, Const, Stream, text
from lutra.ir import Array
from lutra.ops.source import Reshape

LENGTHS_AT = 4  # the input `sequence_lens`
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}  # ONNX has i, o, f, c and z, r, h; here i, f, g, o and r, z, n
FUNCTIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}


def _recurrent(call: Call) -> tuple[Stream, ...]:
    """LSTM or GRU of sequences (T, batch, I), or (batch, T, I) with layout 1: all states, of each column; the last ones
    of each direction.
    """
    x = call.stream
    directions = _checked(call)
    layout = call.attr("layout", 0)
    at = x.at if isinstance(x, Moved) else 0
    if len(x.shape) != 3 or at != (0 if layout else 1):
        raise LutraError(f"sequences of shape {x.shape} with layout {layout}, whose batch is axis {at}",
                         hint="the input is (batch, columns, inputs) and transposed, or (columns, batch, inputs)")
    numbers = grid(x.node)
    if numbers is None:
        raise LutraError("what it reads is not quantised", hint="quantise it with a power of two as scale: a layer's "
                         "sums have one binary point")
    columns, inputs = x.node.out.shape
    layer = _layer(call, directions, inputs)
    op = (lstm if call.op == "LSTM" else gru)(layer, numbers, columns, call.attr("direction", "") == "reverse")
    lengths, size = _lengths(call), op.sizes[2]
    states = call.join(op, (placed(x, 0), lengths))
    out = call.emit(Reshape((columns, directions, size)), states)
    final = last(call, states, lengths.node, size if op.reverse or directions == 2 else 0)
    final = call.emit(Reshape((directions, size)), final)
    # (batch, T, D, H) and (batch, D, H), or (T, D, batch, H) and (D, batch, H)
    return (out, final) if layout else (placed(out, 2), placed(final, 1))


def _checked(call: Call) -> int:
    """How many directions there are; LutraError for attributes and initial states that are not supported."""
    direction = call.attr("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise LutraError(f"direction {text(direction)} is not known", hint="use forward, reverse or bidirectional")
    directions = 2 if direction == "bidirectional" else 1
    functions = [str(f).lower() for f in call.attr("activations", [])]
    if functions and functions != [*FUNCTIONS[call.op]] * directions:
        raise LutraError(f"activations {text(', '.join(functions))} are not supported",
                         hint=f"the gates have {', '.join(FUNCTIONS[call.op])}")
    if "clip" in call.attrs or call.attr("input_forget", 0):
        raise LutraError("clip and input_forget are not supported", hint="train the layer without them")
    if call.op == "GRU" and not call.attr("linear_before_reset", 0):
        raise LutraError("linear_before_reset=0 is not supported",
                         hint="use linear_before_reset=1, as torch.nn.GRU has it: the reset gate behind the product")
    for index in (5, 6) if call.op == "LSTM" else (5,):
        if call.has(index) and call.numbers(index, "the initial state").any():
            raise LutraError("it starts from a state that is not zero", hint="leave the initial states out")
    return directions


def _layer(call: Call, directions: int, inputs: int) -> Layer:
    """The constants, with gates and directions as the operator has them."""
    order = list(ORDER[call.op])
    gates = len(order)
    size = call.attr("hidden_size", 0) or (call.numbers(2, "the recurrent weights R").shape or (0,))[-1]
    w = _shaped(call, 1, "the weights W", (directions, gates, size, inputs))
    u = _shaped(call, 2, "the recurrent weights R", (directions, gates, size, size))
    b = np.zeros((directions, 2, gates, size))
    if call.has(3):
        b = _shaped(call, 3, "the bias B", (directions, 2, gates, size), (directions, 2 * gates * size))
    w, u, b = w[:, order], u[:, order], b[:, :, order]
    if call.op == "GRU":
        bias = b.sum(1)
        bias[:, 2] = b[:, 0, 2]
        return Layer(w, u, bias, b[:, 1, 2])
    peepholes = None
    if call.has(7):
        peepholes = _shaped(call, 7, "the peepholes P", (directions, 3, size), (directions, 3 * size))[:, [0, 2, 1]]
    return Layer(w, u, b.sum(1), peepholes)


def _shaped(call: Call, index: int, what: str, shape: tuple[int, ...], given: tuple[int, ...] | None = None) -> Array:
    """A constant as the axes of `shape`; it must have those of `given`, by default with gates and neurons as one."""
    values = call.numbers(index, what)
    wanted = given or (shape[0], shape[1] * shape[2], shape[3])
    if values.shape != wanted:
        raise LutraError(f"{what} have shape {values.shape}, not {wanted}", hint="export the model again")
    return values.reshape(shape)


def _lengths(call: Call) -> Stream:
    """The sequences' lengths, an input of the network."""
    found = call.inputs[LENGTHS_AT] if call.has(LENGTHS_AT) else None
    if not isinstance(found, Stream) or found.node.out.shape != (1,) or found.node.args:
        said = "constants" if isinstance(found, Const) else "computed"
        raise LutraError(f"sequence_lens are {said}", hint="make them an input of the model, or leave them out")
    return found


HANDLERS: dict[str, Callable[[Call], tuple[Stream, ...]]] = {"LSTM": _recurrent, "GRU": _recurrent}
