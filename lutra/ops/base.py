"""What a hardware operator answers. One folder for each; one contract suite takes them all from the set."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutra.errors import LutraError
from lutra.hw.circuit import Circuit, Lane
from lutra.hw.netlist import Block
from lutra.ir import Array, Node, Op, Tensor
from lutra.ops.events import events

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WRITTEN, ULTRA, OFFCHIP, SHARED = "written", "ultra", "offchip", "shared"
STREAMED = (WRITTEN, ULTRA, OFFCHIP, SHARED)  # where constants that come as a stream are: in memories written at run
# time, of LUTs or block RAM or of UltraRAM, off the chip, or in block RAM that two units share
FAMILIES = ("xc7", "xcup", "ecp5")  # what synthesis and cost models distinguish


@dataclass(frozen=True, order=True)
class Fold:
    """Parallelism of a unit: `pe` results (or channels) and `simd` inputs a cycle. `ram`: where constants live; `mul`:
    what multiplies; `simd_r`: states a cycle of a recurrent cell.
    """

    pe: int = 1
    simd: int = 1
    ram: str = "auto"  # "lut", "block", or "auto": by depth and width; STREAMED: outside the unit
    mul: str = "auto"  # "lut" (which "auto" means), "dsp", two products in each "dsp2", "shifts", or constants "adders"
    simd_r: int = 0  # 0: as few as keep up with the inputs, and in all other units

    def __str__(self) -> str:
        return f"pe={self.pe} simd={self.simd}" + (f" simd_r={self.simd_r}" if self.simd_r else "")


@dataclass(frozen=True)
class Cost:
    """Resources of a unit: LUTs (of the family's own size), flip-flops, block memories, multipliers, UltraRAM."""

    lut: float = 0.0
    ff: float = 0.0
    bram: float = 0.0  # RAMB18 on Xilinx, DP16KD on ECP5
    dsp: float = 0.0
    uram: float = 0.0  # URAM288

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.lut + other.lut, self.ff + other.ff, self.bram + other.bram, self.dsp + other.dsp,
                    self.uram + other.uram)


@dataclass(frozen=True)
class Loop:
    """A unit's schedule: one flat loop of `slots` cycles a frame.

    reads: for each slot, how many input words of the frame must have been taken by the end of it (non-decreasing,
    (slots,), steps of 0 or 1; of a join (streams, slots)). writes: for each output word, the slot that produces it
    (increasing). latency: cycles from the slot to the word standing valid at the output.
    """

    slots: int
    reads: Array
    writes: Array
    latency: int


class Hardware(Op):
    """An operator with hardware: streams of words in, one stream out. A `Unit` reads one stream, a `Join` several.

    by_column: what it gives at a place of the first axis is made of what it reads there, by a schedule that knows
    nothing of other places; then its streams may be ragged (see `lutra.ops.sequence`).
    """

    by_column: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Legal nodes over one Input for each stream, for the contract suite (small, edge cases among them)."""


class Unit(Hardware):
    """An operator with hardware: one stream of words in, one out."""

    @abstractmethod
    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every legal fold, cheapest first."""

    @abstractmethod
    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """Elements in a word of the input stream and of the output stream."""

    @abstractmethod
    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """The schedule of one frame."""

    @abstractmethod
    def block(self, fold: Fold, x: Tensor) -> Block:
        """The hardware, as data."""

    @abstractmethod
    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """Resources, fitted to synthesis; LutraError for a family that was not fitted."""

    def feeder(self, fold: Fold, x: Tensor) -> Block | None:
        """What gives this unit its constants as a stream, which is the last that it reads; None: they are inside."""
        return None

    def places(self, fold: Fold) -> tuple[str, ...]:
        """Where constants that come as a stream (`Fold.ram` in STREAMED) may be under a fold; none: they do not."""
        return ()

    def addresses(self, fold: Fold, x: Tensor) -> int:
        """Bytes of addresses through which its constants can be written."""
        return 0

    def traffic(self, fold: Fold, x: Tensor) -> float:
        """Bytes a frame that it reads of off-chip memory."""
        return 0.0

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """Cycles between frames in steady state, exact."""
        return self.loop(fold, x).slots

    def circuit(self, fold: Fold, x: Tensor) -> Callable[[Circuit, list[Lane]], list[Lane]] | None:
        """What it makes of the lanes of a word, if under this fold it is a function of each word and nothing else, all
        channels at once, that can be laid into a circuit; then neighbours of its kind may become one unit.
        """
        return None

    def times(
        self, fold: Fold, x: Tensor, arrivals: Array, release: Array | None = None
    ) -> tuple[Array, Array]:
        """When each input word is taken and each output word is there, for words that arrive at `arrivals` (cycles,
        one for each word of a whole number of frames, non-decreasing). release: the earliest cycle at which each output
        word may be there; by default the output never stalls.
        """
        (taken,), there = events(self.loop(fold, x)).times((arrivals,), release)
        return taken, there

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """A fast, exact form of `evaluate` for values of x's range, in any numeric type that holds them."""
        return self.evaluate


class Join(Hardware):
    """An operator with hardware that reads several streams: `xs` are their tensors, in order of the arguments."""

    @abstractmethod
    def folds(self, xs: tuple[Tensor, ...]) -> tuple[Fold, ...]:
        """Every legal fold, cheapest first."""

    @abstractmethod
    def lanes(self, fold: Fold, xs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], int]:
        """Elements in a word of each input stream, and of the output stream."""

    @abstractmethod
    def loop(self, fold: Fold, xs: tuple[Tensor, ...]) -> Loop:
        """The schedule of one frame."""

    @abstractmethod
    def block(self, fold: Fold, xs: tuple[Tensor, ...]) -> Block:
        """The hardware, as data."""

    @abstractmethod
    def cost(self, fold: Fold, xs: tuple[Tensor, ...], family: str) -> Cost:
        """Resources, fitted to synthesis; LutraError for a family that was not fitted."""

    def cycles(self, fold: Fold, xs: tuple[Tensor, ...]) -> int:
        """Cycles between frames in steady state, exact."""
        return self.loop(fold, xs).slots

    def times(self, fold: Fold, xs: tuple[Tensor, ...], arrivals: tuple[Array, ...], release: Array | None = None,
              ) -> tuple[tuple[Array, ...], Array]:
        """When each word of each input is taken and each output word is there; see `Unit.times`."""
        return events(self.loop(fold, xs)).times(arrivals, release)

    def kernel(self, xs: tuple[Tensor, ...]) -> Callable[..., Array]:
        """A fast, exact form of `evaluate` for values of the ranges of xs, in any numeric type that holds them."""
        return self.evaluate


def divisors(n: int) -> tuple[int, ...]:
    """The divisors of n, ascending."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return tuple(small + [n // d for d in reversed(small) if d * d != n])


def check_fold(name: str, value: int, of: int, what: str) -> None:
    """LutraError unless `value` divides `of`."""
    if value < 1 or of % value:
        near = sorted(sorted(divisors(of), key=lambda d: abs(d - value))[:2])
        raise LutraError(f"{name}={value} does not divide {of} {what}", hint=f"try {' or '.join(map(str, near))}")
