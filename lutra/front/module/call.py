"""One operator of an exported graph with its arguments by name, and the ONNX call that it equals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.batch import elsewhere
from lutra.front.operators import TABLES
from lutra.front.shaping import reshaped
from lutra.front.values import Call, Const, Stream, Value
from lutra.ir import Op

OPSET = 18  # whose conventions the calls follow


@dataclass(frozen=True, eq=False)
class Stacked:
    """Streams behind one another along an axis before the batch's, as recurrent layers have their final states."""

    parts: tuple[Stream, ...]


@dataclass(frozen=True, eq=False)
class Aten:
    """An operator call: arguments by the names of its schema (tensors as values), its place, the results' shapes."""

    name: str
    loc: str
    args: Mapping[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    lengths: Callable[[Stream], Stream]  # of sequences of a stream's batch: an input of the graph

    def __getitem__(self, name: str) -> Any:
        return self.args[name]

    @property
    def first(self) -> Any:
        """The first argument."""
        return next(iter(self.args.values()))

    @property
    def stream(self) -> Stream:
        """The first argument, which must be the network's data."""
        value = self.first
        if isinstance(value, Stacked):
            raise LutraError(f"{self.name} of final states, (layers * directions, batch, size)",
                             hint="take one of them first, as h_n[-1]; torch.cat((h_n[-2], h_n[-1]), 1) has two")
        if not isinstance(value, Stream):
            raise LutraError(f"the network's data must be the first argument of {self.name}", hint="swap the arguments")
        return value

    def ints(self, name: str, axes: int) -> list[int]:
        """A number, or a list of one or `axes` numbers, as `axes` numbers; empty where the list is."""
        value = self.args[name]
        found = [int(v) for v in value] if isinstance(value, Sequence) else [int(value)]
        return found * axes if len(found) == 1 else found

    def call(self, op: str, *inputs: Any, domain: str = "", outputs: int = 1, **attrs: Any) -> Any:
        """What the import of an ONNX operator makes of these inputs; numbers and lists become constants."""
        values = tuple(None if v is None else constant(v) for v in inputs)
        call, handler = Call(op, self.loc, values, attrs, OPSET, outputs), TABLES[domain][op]
        moved = elsewhere(call, handler)
        return handler(call) if moved is None else moved

    def join(self, op: Op, streams: tuple[Stream, ...]) -> Stream:
        """What an operator makes of several streams."""
        return Call(self.name, self.loc, streams, {}, OPSET).join(op, streams)

    def reshaped(self, shape: tuple[int, ...], on: Stream | None = None) -> Stream:
        """A stream under another shape, batch axis included."""
        return reshaped(Call("Reshape", self.loc, (on or self.stream,), {}, OPSET), shape)


def constant(value: Any) -> Value:
    """A number or a list as a constant; what is a value already stays."""
    if isinstance(value, (Const, Stream)):
        return value
    array = np.asarray(value)
    return Const(array.astype(np.int64 if array.dtype.kind in "iub" else np.float64))


Translator = Callable[[Aten], Any]
