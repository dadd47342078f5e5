"""The two ends: how real frames in the source's layout become the integers that are fed, and the results real again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array, Constant, Graph, Range

EXACT = 1 << 15  # integers below it, times a scale, are told apart in single precision to a hundredth of a step
OFF_STEP = 0.01  # of a step: single precision of an integer below 2**16 times its scale is nearer than this


@dataclass(frozen=True)
class InputEnd:
    """What the host does before the hardware.

    host: source operations up to the model's own quantiser, or None where the hardware is fed the model's input.
    scale, offset: what an integer is worth (scale * integer + offset; () or per channel). order: flat position in the
    stream's frame for each element of the source tensor. shape: of the stream's frame, channels last.
    """

    host: Graph | None
    scale: Constant
    offset: Constant
    range: Range
    order: Constant
    shape: tuple[int, ...]
    source_shape: tuple[int, ...]

    def real(self, x: Array) -> Array:
        """Frames (N, *source_shape) in double precision; integers are taken as what the hardware is fed."""
        if x.shape[1:] != self.source_shape:
            raise LutraError(f"frames of shape {x.shape[1:]} where the model takes {self.source_shape}", "input",
                             f"give an array of shape (N, {', '.join(map(str, self.source_shape))})")
        if x.dtype.kind in "iub" and self.host is None:
            return x.astype(np.float64) * float(self.scale.array)
        return np.asarray(x, np.float64)

    def integers(self, x: Array) -> Array:
        """The integers (N, *shape) that the hardware is fed, from frames in the source's layout; LutraError for values
        that no integer stands for.
        """
        if x.dtype.kind in "iub" and self.host is None and x.shape[1:] == self.source_shape:
            return self._placed(self._checked(x))
        if self.host is not None:
            value = self.host.evaluate(self.real(x))[self.host.outputs[0]]
            return self._checked(np.rint((self._placed(value) - self.offset.array) / self.scale.array))
        return self._placed(self._checked(self._nearest(x)))

    def unplaced(self, values: Array) -> Array:
        """Frames (N, *shape) in the host's order: the inverse of how `integers` orders them."""
        shape = self.source_shape if self.host is None else self.host.outputs[0].out.shape
        return values.reshape(len(values), -1)[:, self.order.array.ravel()].reshape(len(values), *shape)

    def _nearest(self, x: Array) -> Array:
        """Integers of real frames, in single precision where that tells the integers apart."""
        if x.shape[1:] == self.source_shape and x.dtype.kind == "f" and self.range.largest < EXACT:
            value = np.asarray(x, np.float32)
        else:
            value = self.real(x)
        scale = float(self.scale.array)
        steps = value * value.dtype.type(1 / scale)
        whole: Array = np.rint(steps)
        with np.errstate(invalid="ignore"):  # inf - inf is not a number, which is refused below
            steps -= whole
        if not max(steps.max(initial=0.0), -steps.min(initial=0.0)) <= OFF_STEP:
            worst = float(x.ravel()[(~(np.abs(steps) <= OFF_STEP)).ravel().argmax()])
            raise LutraError(f"the value {worst:g} is no multiple of the input scale {scale:g}", "input",
                             "round the data to the scale first, or pass the integers themselves as an integer array")
        return whole

    def _checked(self, values: Array) -> Array:
        if values.size and not self.range.holds(values):
            outside = values[(values < self.range.lo) | (values > self.range.hi) | ((values - self.range.lo)
                                                                                   % self.range.step != 0)]
            raise LutraError(f"the integer {int(outside.flat[0])} is outside the input range {self.range}", "input",
                             "give a wider input_range, or pass integers as an integer array")
        return values

    @cached_property
    def _in_order(self) -> bool:
        return bool((np.diff(self.order.array.ravel()) == 1).all())

    def _placed(self, values: Array) -> Array:
        if self._in_order:
            return values.reshape(len(values), *self.shape)
        flat = values.reshape(len(values), -1)
        out = np.empty_like(flat)
        out[:, self.order.array.ravel()] = flat
        return out.reshape(len(values), *self.shape)


@dataclass(frozen=True)
class OutputEnd:
    """What the host does after the hardware.

    real = scale * integer + offset, per channel of the stream or one for all; then `inner` (elementwise, on the
    stream's frame), then each element of the source tensor is at `index`; then `outer`, on the source's own axes.
    """

    scale: Constant
    offset: Constant
    inner: Graph | None
    index: Constant
    outer: Graph | None

    @cached_property
    def _in_order(self) -> bool:
        return bool((np.diff(self.index.array.ravel()) == 1).all())

    def raw(self, y: Array) -> Array:
        """The integers (N, *stream shape) in the source's layout, before anything the host does."""
        flat = y.reshape(len(y), -1)
        if not self._in_order:
            flat = flat[:, self.index.array.ravel()]
        return flat.reshape(len(y), *self.index.shape)

    def stream(self, y: Array, shape: tuple[int, ...]) -> Array:
        """The stream's frames (N, *shape) from what `raw` gives; 0 where an element of the stream is not read."""
        flat = np.zeros((len(y), int(np.prod(shape))), y.dtype)
        flat[:, self.index.array.ravel()] = y.reshape(len(y), -1)
        return flat.reshape(len(y), *shape)

    def real(self, y: Array) -> Array:
        """The model's output from the stream's integers."""
        value = y * self.scale.array + self.offset.array
        if self.inner is not None:
            value = self.inner.evaluate(value)[self.inner.outputs[0]]
        value = self.raw(value)
        if self.outer is not None:
            value = self.outer.evaluate(value)[self.outer.outputs[0]]
        return value

    @property
    def operations(self) -> tuple[str, ...]:
        """What is left to the host after the scale, by the source's names."""
        graphs = [g for g in (self.inner, self.outer) if g is not None]
        return tuple(n.op.kind for g in graphs for n in g.nodes if n.args)
