"""MatMul: a matrix of constants times each pixel's channels, folded onto PE rows by SIMD columns.

Umuroglu et al., "FINN: A Framework for Fast, Scalable Binarized Neural Network Inference" (FPGA'17), section 4.2: the
matrix-vector unit and its schedule. Thresholds are an operator of their own here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lutra.errors import LutraError
from lutra.hw.circuit import Circuit, Lane
from lutra.hw.netlist import Block, Memory, Param, pack, window
from lutra.hw.pipelined import Pipelined
from lutra.hw.unrolled import module
from lutra.hw.unrolled_cpp import function
from lutra.ir import Array, Constant, Node, Range, Tensor
from lutra.ops.base import OFFCHIP, STREAMED, ULTRA, WRITTEN, Cost, Fold, Loop, Unit, check_fold, divisors
from lutra.ops.cost import estimate
from lutra.ops.fetch.op import Fetch
from lutra.ops.matmul.adders import found as solver_found
from lutra.ops.matmul.adders import multiply
from lutra.ops.matmul.codes import left_out
from lutra.ops.matmul.digits import Digits, codes, digits, subtracted
from lutra.ops.matmul.features import features, unrolled_features
from lutra.ops.matmul.forms import FORMS, KINDS, MOST_TERMS, depth, form, multipliers
from lutra.ops.matmul.lanes import Lanes
from lutra.ops.matmul.parities import with_parities
from lutra.ops.matmul.product import product
from lutra.ops.rom import in_block, slice_bits
from lutra.ops.shared import may_share
from lutra.ops.weights import written, written_cost

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDEST = 16  # bits of an input or a weight
UNROLLED = 2048  # weights of the largest matrix that the plan looks for a graph of adders for: seconds each


@dataclass(frozen=True)
class MatMul(Unit):
    """y[..., r] = sum over k of weights[r, k] * x[..., k]. weights: (MH, MW) integers of at most 16 bits.

    span: what any weight may become at run time, None where these stay for ever. The range of y then holds for all of
    them, and no row has a constant.

    On the wire y is its code: the unit adds codes of x times codes of w, scaled to y's step, and a constant of each
    row makes up for what the codes leave out (zero for bipolar times bipolar, where y's code is the popcount, and
    wherever a code is the value).
    """

    by_column = True

    weights: Constant
    span: Range | None = None

    def infer(self, *args: Tensor) -> Tensor:
        """(..., MW) -> (..., MH), the narrowest range that these weights can reach."""
        (x,) = args
        shape = self.weights.shape
        if len(shape) != 2 or not all(shape) or self.weights.array.dtype.kind not in "iu":
            raise LutraError(f"weights of shape {shape} and type {self.weights.array.dtype} are no integer matrix")
        if x.channels != shape[1]:
            raise LutraError(f"a matrix of {shape[1]} columns for {x.channels} channels")
        for what, of in (("inputs", x.range), ("weights", self.weights.range)):
            if of.bits > WIDEST:
                raise LutraError(f"{what} in {of} need {of.bits} bits, at most {WIDEST} are supported",
                                 hint="quantise to fewer bits")
        if self.span is not None:
            self._check_span(self.span, x.range)
        return Tensor((*x.shape[:-1], shape[0]), self._reach(x.range))

    def _check_span(self, span: Range, x: Range) -> None:
        if not span.holds(self.weights.array):
            raise LutraError(f"weights in {self.weights.range} where {span} may be written")
        if x.step > 1 and not (x.bipolar and span.bipolar):
            raise LutraError(f"weights to be written for inputs in {x}",
                             hint="inputs of steps other than 1 need a constant in each row, which is not written")

    def _reach(self, x: Range) -> Range:
        if self.span is not None:
            ends = [w * v * self.weights.shape[1] for w in (self.span.lo, self.span.hi) for v in (x.lo, x.hi)]
            return Range(min(ends), max(ends), x.step)
        low, high = self._sums
        least, most = low * x.hi + high * x.lo, high * x.hi + low * x.lo
        lo, hi = int(least.min()), int(most.max())
        if x.step == 1:
            return Range(lo, hi)
        return Range(lo, hi, gcd(x.step, *(int(v) for v in least - lo)))

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """Of each row (MH,): the sum of its negative weights, and of its positive ones."""
        w = self.weights.array.astype(np.int64)
        return np.minimum(w, 0).sum(axis=1), np.maximum(w, 0).sum(axis=1)

    @cached_property
    def coding(self) -> Range:
        """The range whose codes are the weights in memory: bipolar where all are -1 or +1, even if all are alike."""
        if self.span is not None:
            return self.span
        alike = bool((np.abs(self.weights.array) == 1).all())
        return Range(-1, 1, 2) if alike else self.weights.range

    @cached_property
    def digits(self) -> Digits | None:
        """The weights as sums of powers of two; None for weights of one bit, of more than MOST_TERMS of them, or
        that may be written.
        """
        found = digits(self.weights.array) if self.coding.bits > 1 and self.span is None else None
        return found if found and found.terms <= MOST_TERMS else None

    def evaluate(self, *args: Array) -> Array:
        """The product, in 64 bits."""
        (x,) = args
        y: Array = x.astype(np.int64) @ self.weights.array.astype(np.int64).T
        return y

    def kernel(self, x: Tensor) -> Callable[[Array], Array]:
        """By BLAS, see `lutra.ops.matmul.product`."""
        low, high = self._sums
        dot = product(self.weights.array, int((high - low).max()) * x.range.largest)
        rows, columns = self.weights.shape

        def run(values: Array) -> Array:
            return dot(values.reshape(-1, columns)).reshape(*values.shape[:-1], rows)

        return run

    def folds(self, x: Tensor) -> tuple[Fold, ...]:
        """Every divisor of the rows with every divisor of the columns, and the multipliers that they can have."""
        rows, columns = self.weights.shape
        pairs = sorted(((p, q) for p in divisors(rows) for q in divisors(columns)), key=lambda f: (f[0] * f[1], f[0]))
        plain = [Fold(p, q) for p, q in pairs]
        found = [g for f in plain for g in (f, *(replace(f, mul=m) for m in self.multipliers(f, x)))]
        return (*found, replace(plain[-1], mul="adders")) if self._unrolls(x) else tuple(found)

    def writable(self, x: Range) -> MatMul:
        """With weights that may be written: -1 and +1 where inputs are so too, else integers of the weights' bits."""
        if x.bipolar and self.coding.bipolar:
            return replace(self, span=Range(-1, 1, 2))
        of = self.weights.range
        half = 1 << max(of.bits, 2) - 1
        return replace(self, span=Range(-half, half - 1) if of.signed else Range(0, 2 * half - 1))

    def _unrolls(self, x: Tensor) -> bool:
        """Whether a graph of adders is worth a look: a small matrix, used once a frame."""
        small = x.range.step == 1 and x.pixels == 1 and self.weights.array.size <= UNROLLED
        return self.span is None and small and solver_found()

    def lanes(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """Columns (`fold.simd`) in, rows (`fold.pe`) out. LutraError where they do not divide the matrix."""
        check_fold("pe", fold.pe, self.weights.shape[0], "rows")
        check_fold("simd", fold.simd, self.weights.shape[1], "columns")
        return fold.simd, fold.pe

    def folded(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """NF, SF: output words and input words of a pixel."""
        simd, pe = self.lanes(fold, x)
        return self.weights.shape[0] // pe, self.weights.shape[1] // simd

    def loop(self, fold: Fold, x: Tensor) -> Loop:
        """For each pixel, for each of NF output words, for each of SF input words, read for the first only."""
        nf, sf = self.folded(fold, x)
        each, slots = self._each(fold, x), np.arange(nf * sf * self._each(fold, x))
        one = np.minimum((slots + 1) // each, sf)
        reads = (one + sf * np.arange(x.pixels)[:, None]).reshape(-1)
        writes = np.arange(1, x.pixels * nf + 1) * sf * each - 1
        return Loop(self.cycles(fold, x), reads, writes, 1 + self._depth(fold, x))

    def _lanes(self, fold: Fold, x: Range) -> Lanes:
        return Lanes(fold.pe, fold.simd, x, self.coding, self.digits)

    def form(self, fold: Fold, x: Tensor) -> str:
        """How a fold multiplies; see `lutra.ops.matmul.forms`. LutraError where these widths or this fold cannot."""
        if fold.mul == "adders" and (x.range.step > 1 or (fold.pe, fold.simd) != self.weights.shape):
            raise LutraError(f"mul='adders' under {fold} for inputs in {x.range}",
                             hint="it needs all rows and columns at once, and integers of step 1")
        if fold.mul == "adders" and fold.ram in STREAMED:
            raise LutraError(f"ram={fold.ram!r} for a graph of adders", hint="its weights are its wires")
        return form(fold, self._lanes(fold, x.range))

    def multipliers(self, fold: Fold, x: Tensor) -> tuple[str, ...]:
        """Which other kinds of multipliers (`Fold.mul`) these widths and weights can have."""
        return multipliers(self._lanes(fold, x.range))

    def _depth(self, fold: Fold, x: Tensor) -> int:
        name = self.form(fold, x)
        return unrolled(self, x).depth if name == "adders" else depth(name, self._lanes(fold, x.range))

    def cycles(self, fold: Fold, x: Tensor) -> int:
        """NF * SF a pixel, times the beats of a word of weights that comes from off the chip."""
        nf, sf = self.folded(fold, x)
        return nf * sf * x.pixels * self._each(fold, x)

    def places(self, fold: Fold) -> tuple[str, ...]:
        """All but a graph of adders, whose weights are its wires: off the chip, or where they may be written."""
        if fold.mul == "adders":
            return ()
        return (OFFCHIP,) if self.span is None else (WRITTEN, ULTRA)

    def shape(self, fold: Fold, x: Tensor) -> tuple[int, int]:
        """Words of the memory of weights, and bits of one."""
        nf, sf = self.folded(fold, x)
        return nf * sf, self._width(fold, x)

    def shares(self, fold: Fold, x: Tensor, family: str) -> bool:
        """Whether its weights may share a block memory with another unit's, and need less of one so (`ram` SHARED)."""
        return self.memorises(fold) and may_share(self.shape(fold, x), family)

    def memorises(self, fold: Fold) -> bool:
        """Whether its weights lie in a memory that never changes, in the unit."""
        return self.span is None and fold.mul != "adders" and fold.ram not in STREAMED

    def addresses(self, fold: Fold, x: Tensor) -> int:
        """Of the memory that holds them, where that is written."""
        nf, sf = self.folded(fold, x)
        return window(nf * sf, fold.pe * fold.simd * self.coding.bits) if fold.ram in (WRITTEN, ULTRA) else 0

    def traffic(self, fold: Fold, x: Tensor) -> float:
        """The matrix as it lies in memory, for each pixel."""
        fetch = self._fetch(fold, x)
        return x.pixels * fetch.size / fetch.copies if fetch else 0.0

    def _fetch(self, fold: Fold, x: Tensor) -> Fetch | None:
        nf, sf = self.folded(fold, x)
        return Fetch(nf * sf, self._width(fold, x)) if fold.ram == OFFCHIP else None

    def _each(self, fold: Fold, x: Tensor) -> int:
        """Cycles of a slot."""
        fetch = self._fetch(fold, x)
        return fetch.join if fetch else 1

    def block(self, fold: Fold, x: Tensor) -> Block:
        """`lutra_matmul`, or where its weights come as a stream `lutra_matmul_streamed`."""
        name = self.form(fold, x)
        if name == "adders":
            return self._unrolled(x)
        nf, sf = self.folded(fold, x)
        y, bias = self.infer(x).range, self.bias(x.range, name == "shifts")
        params: dict[str, Param] = {
            "PE": fold.pe, "SIMD": fold.simd, "NF": nf, "SF": sf, "XBITS": x.range.bits,
            "XSIGNED": int(x.range.signed), "WBITS": self._lanes(fold, x.range).stored(name),
            "WSIGNED": int(self.coding.signed), "BIPOLAR": int(self.coding.bipolar),
            "SCALE": x.range.step // y.step, "OBITS": y.bits, "BIASED": int(bias.any()), "FORM": FORMS.index(name),
            "DEPTH": self._depth(fold, x)}
        if name == "shifts" and self.digits:
            params |= {"TERMS": self.digits.terms, "REACH": self.digits.reach}
        memories = {"BIAS": Memory(pack(bias.reshape(nf, fold.pe), y.bits), fold.pe * y.bits)} if bias.any() else {}
        taken, given = fold.simd * x.range.bits, (fold.pe * y.bits,)
        weights = self.memory(fold, x)
        if fold.ram in STREAMED:
            return Block("lutra_matmul_streamed", params, memories, (taken, weights.width), given)
        params["BLOCK"] = weights.cut
        return Block("lutra_matmul", params, {"WEIGHTS": weights, **memories}, (taken,), given)

    def feeder(self, fold: Fold, x: Tensor) -> Block | None:
        """The memory of weights that are streamed."""
        if fetch := self._fetch(fold, x):
            return fetch.block(self.memory(fold, x).words)
        return written(self.memory(fold, x), self._place(fold, x)) if fold.ram in (WRITTEN, ULTRA) else None

    def _place(self, fold: Fold, x: Tensor) -> str:
        """What a memory that is written is made of."""
        return ULTRA if fold.ram == ULTRA else "block" if self._in_block(fold, x) else "lut"

    def _in_block(self, fold: Fold, x: Tensor) -> bool:
        nf, sf = self.folded(fold, x)
        return in_block(fold, nf * sf, self._width(fold, x))

    def memory(self, fold: Fold, x: Tensor) -> Memory:
        """The weights. Word nf * SF + sf: lane p * SIMD + q is weights[nf * PE + p, sf * SIMD + q], where bipolar
        stored as `with_parities` says.
        """
        nf, sf = self.folded(fold, x)
        width = self._width(fold, x)
        tiles = self._codes(fold).reshape(nf, fold.pe, sf, fold.simd).transpose(0, 2, 1, 3)
        stored = with_parities(tiles) if self.coding.bipolar else tiles
        words = stored.reshape(nf * sf, fold.pe * fold.simd)
        cut = slice_bits(nf * sf, width) if fold.ram not in STREAMED and self._in_block(fold, x) else 0
        return Memory(pack(words, width // words.shape[1]), width, cut, blank=fold.ram == ULTRA)

    def _width(self, fold: Fold, x: Tensor) -> int:
        """Bits of a word of weights."""
        return fold.pe * fold.simd * self._lanes(fold, x.range).stored(self.form(fold, x))

    def _codes(self, fold: Fold) -> Array:
        if fold.mul == "shifts":
            assert self.digits is not None
            return codes(self.weights.array, self.digits)
        return self.coding.encode(self.weights.array)

    def _unrolled(self, x: Tensor) -> Block:
        (rows, columns), made = self.weights.shape, unrolled(self, x)
        name, text = module(made)
        return Block(name, {}, {}, (columns * x.range.bits,), (rows * self.infer(x).range.bits,), text=text,
                     cpp=function(made, name))

    def circuit(self, fold: Fold, x: Tensor) -> Callable[[Circuit, list[Lane]], list[Lane]] | None:
        """By adders, if that is its form."""
        if self.form(fold, x) != "adders":
            return None
        return lambda circuit, lanes: multiply(circuit, self.weights.array, lanes)

    def bias(self, x: Range, shifts: bool = False) -> Array:
        """What each row's sum of codes lacks to be y's code (MH,), modulo its width; see `left_out`. shifts: what
        `lutra_shifts` subtracts it inverts, which is one too little each time.
        """
        y = self._reach(x)
        missing = left_out(self.weights.array, self.coding.bipolar, x)
        if shifts:
            missing = missing + subtracted(self.weights.array.astype(np.int64)) * x.step
        gap: Array = missing - y.lo if y.step > 1 else missing
        return (gap // y.step) & ((1 << y.bits) - 1)

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """Structural terms of the cost (see `lutra.ops.matmul.features`)."""
        if self.form(fold, x) == "adders":
            return unrolled_features(unrolled(self, x))
        nf, sf = self.folded(fold, x)
        name = self.form(fold, x)
        y, biased = self._known(x.range, name == "shifts")
        return features(fold, name, nf, sf, self._lanes(fold, x.range), y, biased, family)

    @cached_property
    def _seen(self) -> dict[tuple[Range, bool], tuple[Range, bool]]:
        return {}

    def _known(self, x: Range, shifts: bool) -> tuple[Range, bool]:
        """The range of y and whether rows have constants: found once, since folds are priced by the hundred."""
        if (x, shifts) not in self._seen:
            self._seen[x, shifts] = self._reach(x), bool(self.bias(x, shifts).any())
        return self._seen[x, shifts]

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """As fitted to synthesis, each form of multipliers on its own."""
        own = estimate(family, KINDS[self.form(fold, x)], self.features(fold, x, family))
        if fetch := self._fetch(fold, x):
            return own + fetch.cost(family)
        if fold.ram not in (WRITTEN, ULTRA):
            return own
        nf, sf = self.folded(fold, x)
        return own + written_cost(nf * sf, self._width(fold, x), self._place(fold, x), family)

    @classmethod
    def samples(cls) -> SearchStrategy[Node]:
        """Matrices up to 12 x 24 of every weight coding, over inputs of every coding."""
        from lutra.ops.matmul.samples import nodes

        return nodes()


@lru_cache(maxsize=64)
def unrolled(op: MatMul, x: Tensor) -> Pipelined:
    """A matrix alone as a circuit."""
    circuit, columns = Circuit(), op.weights.shape[1]
    lanes = multiply(circuit, op.weights.array, circuit.ports(columns, x.range))
    return Pipelined(circuit, columns, tuple(circuit.settled(lanes)), x.range, op.infer(x).range)
