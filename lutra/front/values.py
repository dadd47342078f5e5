"""What a name of an ONNX graph stands for while it is read: a constant, or the network's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.place import shown
from lutra.front.tensors import MOST
from lutra.ir import Array, Constant, Node, Op
from lutra.ops.source import real

LENGTHS = "lengths"  # the name of the input that says how long sequences are
WHOLE = 1 << 53  # double precision holds every integer below it


@dataclass(frozen=True, eq=False)
class Const:
    """A constant: float64, int64 or bool. `quant`: integers and scales (of its shape) whose product it is, exactly.

    stored: the TensorProto.DataType that the file gives it; 0 where it is computed.
    """

    array: Array
    quant: tuple[Array, Array] | None = None
    stored: int = 0


@dataclass(frozen=True, eq=False)
class Stream:
    """The network's data. batch: the length of the batch axis, (1,) where it is dynamic; () where there is none."""

    node: Node
    batch: tuple[int, ...]
    dynamic: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX shape."""
        return (*self.batch, *self.node.out.shape)


Value = Const | Stream


@dataclass(frozen=True, eq=False)
class Call:
    """One ONNX node with the values it reads (None where an input is left out), its attributes and how many results
    it names.
    """

    op: str
    loc: str
    inputs: tuple[Value | None, ...]
    attrs: Mapping[str, Any]
    opset: int
    outputs: int = 1

    @property
    def stream(self) -> Stream:
        """The network's data, which must be the first input."""
        first = self.inputs[0] if self.inputs else None
        if not isinstance(first, Stream):
            raise LutraError(f"the network's data must be the first input of {self.op}", hint="swap the inputs")
        return first

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int, what: str) -> Const:
        """A constant input; LutraError where it is missing or computed from the network's data."""
        if not self.has(index):
            raise LutraError(f"{what} (input {index + 1}) is missing", hint="export the model again")
        value = self.inputs[index]
        if not isinstance(value, Const):
            raise LutraError(f"{what} (input {index + 1}) is computed from the network's data",
                             hint="only a constant is supported here")
        return value

    def numbers(self, index: int, what: str) -> Array:
        """A constant input as finite float64."""
        values = self.constant(index, what).array.astype(np.float64, copy=False)
        check_finite(values, what)
        return values

    def integers(self, index: int, what: str) -> tuple[int, ...]:
        """A constant input as integers, flat."""
        values = self.constant(index, what).array.ravel()
        if values.size > 64 or not (np.isfinite(values) & (values == np.rint(values))).all():
            raise LutraError(f"{what} is not a short list of integers", hint="export the model again")
        return tuple(int(v) for v in values)

    def scalar(self, index: int, what: str) -> float:
        """A constant input of one element."""
        values = self.constant(index, what).array
        if values.size != 1:
            raise LutraError(f"{what} has shape {values.shape}", hint="one number is supported here")
        return float(values.reshape(()))

    def param(self, index: int, what: str) -> Constant:
        """A constant input, finite, as a parameter of an elementwise operator on the stream."""
        return real(self.localised(self.numbers(index, what), what))

    def localised(self, values: Array, what: str) -> Array:
        """A parameter without its batch axis; LutraError where it has more axes than the stream."""
        shape = self.stream.shape
        batch = len(self.stream.batch)
        if values.size == 1 and values.ndim <= len(shape):
            return values.reshape(())
        if values.ndim > len(shape) or (values.ndim == len(shape) and values.shape[:batch] not in ((), (1,))):
            raise LutraError(f"{what} of shape {values.shape} does not fit the network's data of shape {shape}",
                             hint="give it one value, or one for each channel")
        return values.reshape(values.shape[batch:]) if values.ndim == len(shape) else values

    def attr(self, name: str, default: Any) -> Any:
        """An attribute, of the type that its default has."""
        value = self.attrs.get(name, default)
        fits = isinstance(value, type(default)) or (isinstance(default, float) and isinstance(value, int))
        if default is not None and not fits:
            raise LutraError(f"attribute {name} has the wrong type", hint="export the model again")
        return value

    def axis(self, value: int) -> int:
        """An axis of ONNX as an axis of one frame; LutraError where it is the batch axis or none."""
        rank = len(self.stream.shape)
        if not -rank <= value < rank:
            raise LutraError(f"axis {value} does not exist in {rank} axes", hint=f"choose one from 0 to {rank - 1}")
        axis = value % rank - len(self.stream.batch)
        if axis < 0:
            raise LutraError(f"axis {value} is the batch axis", hint="operators work on each frame alone")
        return axis

    def streams(self) -> tuple[Stream, ...]:
        """All inputs as the network's data; LutraError for a constant among them, or other numbers of axes."""
        found: list[Stream] = []
        for i, value in enumerate(self.inputs):
            if not isinstance(value, Stream):
                raise LutraError(f"input {i + 1} of {self.op} is a constant", hint="join the network's data only")
            if found and value.batch != found[0].batch:
                raise LutraError(f"batches of {found[0].shape[:1]} and {value.shape[:1]} frames meet",
                                 hint="export all inputs with the same batch size")
            found.append(value)
        return tuple(found)

    def join(self, op: Op, streams: tuple[Stream, ...]) -> Stream:
        """What an operator makes of several streams of one batch."""
        node = Node(op, tuple(s.node for s in streams), self.loc)
        check_size(node.out.shape)
        return Stream(node, streams[0].batch, any(s.dynamic for s in streams))

    def emit(self, op: Op, on: Stream | None = None) -> Stream:
        """The stream after one more operator, whose place is this node; LutraError where it would not fit in memory."""
        source = on or self.stream
        node = Node(op, (source.node,), self.loc)
        check_size(node.out.shape)
        return Stream(node, source.batch, source.dynamic)


def check_size(shape: tuple[int, ...]) -> None:
    """LutraError for a tensor without elements or with too many."""
    size = 1
    for d in shape:
        size *= d
    if size < 1 or size > MOST:
        raise LutraError(f"a tensor of shape {shape} {'is empty' if size < 1 else 'is too large'}",
                         hint=f"every axis at least 1, at most {MOST} elements in all")


def whole(values: Array) -> bool:
    """Whether all values are integers that double precision tells apart."""
    return bool((np.abs(values) < WHOLE).all() and (values == np.rint(values)).all())


def quotient(x: Array, scale: Array) -> Array:
    """A constant by a scale, rounded as exporters and runtimes do when they quantise weights: in single precision where
    both are such numbers. A scale of max / 127.5, which is common, puts the largest weight on a tie.
    """
    a, b = x.astype(np.float32), scale.astype(np.float32)
    if (a == x).all() and (b == scale).all():
        return (a / b).astype(np.float64)
    return np.asarray(x / scale)


def check_finite(values: Array, what: str) -> None:
    """LutraError where a value is infinite or not a number."""
    bad = ~np.isfinite(values)
    if bad.any():
        count = int(bad.sum())
        said = f"1 value of {what} is" if count == 1 else f"{count} values of {what} are"
        raise LutraError(f"{said} not finite ({values[bad].flat[0]})",
                         hint="check the training or the exporter")


def text(value: Any) -> str:
    """A string attribute, shown for messages."""
    return shown(str(value))
