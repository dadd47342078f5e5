"""Configurations of every unit, drawn at random: what the cost model is fitted to, and what it is tested on.

A draw is a function of its seed. Shapes and widths are those of quantised networks; sizes are such that a synthesis run
takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lutra.hw.netlist import Block
from lutra.ir import Array, Constant, Range, Tensor
from lutra.ops.add.op import Add
from lutra.ops.argmax.op import ArgMax
from lutra.ops.base import Cost, Fold, Hardware, Unit, divisors
from lutra.ops.collapse.op import Collapse
from lutra.ops.concat.op import Concat
from lutra.ops.depthwise.op import Depthwise
from lutra.ops.fetch.op import Fetch
from lutra.ops.fifo.op import Fifo
from lutra.ops.fork.op import Fork
from lutra.ops.gated.op import MASKED, PLAIN, Gated
from lutra.ops.last.op import Last
from lutra.ops.mark.op import Mark
from lutra.ops.matmul.digits import signed_digits
from lutra.ops.matmul.op import MatMul
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.mul.op import Mul
from lutra.ops.pad.op import Pad
from lutra.ops.recurrent.op import Gru, Lstm
from lutra.ops.reorder.op import Reorder
from lutra.ops.requant.format import Format
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS
from lutra.ops.requant.op import Requant
from lutra.ops.rescale.op import Rescale
from lutra.ops.slice.op import Slice
from lutra.ops.table.op import Table
from lutra.ops.threshold.op import Threshold
from lutra.ops.turn.op import Turn, Unturn
from lutra.ops.upsample.op import Upsample
from lutra.ops.width.op import Width
from lutra.ops.window.op import Window
from lutra.plan.region import Region
from lutra.synth import Resources, synthesise_block
from lutra.tools.cache import Cache

WIDTHS = (1, 1, 1, 2, 2, 3, 4, 6, 8)  # of weights, more often narrow
LANE_BITS = 320  # most products of bits in a MatMul, and a bound for the others' words

@dataclass(frozen=True)
class Streaming:
    """What streams words from off-chip memory, as if it were an operator: of nothing, under no fold."""

    fetch: Fetch

    def block(self, fold: Fold, x: Tensor) -> Block:
        """Of constants that are zero."""
        return self.fetch.block((0,) * self.fetch.words)

    def features(self, fold: Fold, x: Tensor, family: str) -> dict[str, float]:
        """The structural terms of the cost."""
        return self.fetch.features(family)

    def cost(self, fold: Fold, x: Tensor, family: str) -> Cost:
        """The estimate."""
        return self.fetch.cost(family)


Drawn = tuple[Hardware | Streaming, Tensor | tuple[Tensor, ...], Fold]  # a join has a tuple
Draw = Callable[[np.random.Generator], Drawn]


@dataclass(frozen=True)
class Sample:
    """A configuration and what synthesis made of it."""

    op: str
    unit: Hardware
    x: Tensor | tuple[Tensor, ...]
    fold: Fold
    found: Resources

    def features(self, family: str) -> dict[str, float]:
        """The structural terms that the cost model weighs."""
        return self.unit.features(self.fold, self.x, family)  # type: ignore[attr-defined]


def measure(op: str, family: str, seed: int, count: int, cache: Cache) -> list[Sample]:
    """`count` synthesised draws of an operator."""
    drawn = draws(op, seed, count)
    blocks = [unit.block(fold, x) for unit, x, fold in drawn]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda block: synthesise_block(block, family, cache), blocks))
    return [Sample(op, *draw, resources) for draw, resources in zip(drawn, found, strict=True)]


def draws(op: str, seed: int, count: int) -> list[Drawn]:
    """The first `count` configurations of a seed."""
    return [(DRAWS | UNFITTED)[op](np.random.default_rng([seed, i, *op.encode()])) for i in range(count)]


def cache() -> Cache:
    """Where synthesis results of the benchmarks are kept."""
    return Cache(Path(__file__).resolve().parents[1] / ".cache" / "cost")


def pick(rng: np.random.Generator, values: tuple[int, ...]) -> int:
    return int(values[rng.integers(len(values))])


def integers(rng: np.random.Generator) -> Range:
    """What an activation carries: bipolar, unsigned or signed, mostly narrow."""
    bits = pick(rng, (1, 1, 2, 2, 3, 4, 4, 5, 6, 8))
    match pick(rng, (0, 1, 1, 2)):
        case 0:
            return Range(-1, 1, 2)
        case 1:
            return Range(0, 2**bits - 1)
        case _:
            return Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if bits > 1 else Range(-1, 1, 2)


def sums(rng: np.random.Generator) -> Range:
    """What an accumulator carries."""
    if rng.random() < 0.4:
        n = pick(rng, (64, 100, 256, 500, 784))
        return Range(-n, n, 2)
    bits = pick(rng, (6, 8, 10, 12, 14))
    return Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def wide_sums(rng: np.random.Generator) -> Range:
    """What an accumulator of 8-bit products carries."""
    bits = pick(rng, (16, 18, 20, 24))
    return Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def weights(rng: np.random.Generator, shape: tuple[int, int], widths: tuple[int, ...] = WIDTHS) -> Array:
    bits = pick(rng, widths)
    if bits == 1:
        return rng.choice([-1, 1], shape)
    top = 2 ** (bits - 1) - 1
    return np.clip(np.rint(rng.normal(0, top / 2, shape)), -top, top).astype(np.int64)


def matmul(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """A matrix of few bits under any fold; drawn again where its products are taken by selecting adders."""
    while True:
        unit, x, fold = matrix(rng, WIDTHS, LANE_BITS)
        if unit.form(fold, x) == "planes":
            return unit, x, fold


def matmul_pairs(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """One whose products are taken by selecting adders."""
    while True:
        unit, x, fold = matrix(rng, (3, 4, 4, 5, 6, 8, 8), 16 * LANE_BITS)
        if unit.form(fold, x) == "pairs":
            return unit, x, fold


def matmul_dsp(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """One with its products in DSP blocks, one or two in each."""
    while True:
        unit, x, fold = matrix(rng, (4, 5, 6, 8, 8), 6 * LANE_BITS)
        if kinds := [m for m in unit.multipliers(fold, x) if m != "shifts"]:
            return unit, x, replace(fold, mul=kinds[rng.integers(len(kinds))])


def matmul_shifts(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """One with one to three ones (or signed digits) in each weight."""
    while True:
        unit, x, fold = matrix(rng, (2, 3, 4, 5, 6, 8, 8), 6 * LANE_BITS)
        unit = MatMul(Constant(hot(unit.weights.array, pick(rng, (1, 1, 2, 2, 3)))))
        if "shifts" in unit.multipliers(fold, x):
            return unit, x, replace(fold, mul="shifts")


def hot(weights: Array, ones: int) -> Array:
    """The leading signed digits of each weight, so many."""
    found = signed_digits(weights)[..., ::-1]
    kept = found * (np.cumsum(found != 0, axis=-1) <= ones)
    return (kept[..., ::-1] << np.arange(found.shape[-1])).sum(axis=-1)


def gated(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """Binary weights, two planes."""
    return gated_of(rng, PLAIN)


def gated_masked(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """The same with a border that counts nothing."""
    return gated_of(rng, MASKED)


def gated_of(rng: np.random.Generator, x: Range) -> tuple[Unit, Tensor, Fold]:
    rows, columns = pick(rng, (10, 16, 32, 64, 64)), pick(rng, (27, 64, 72, 144, 288, 576))
    folds = [(p, q) for p in divisors(rows) for q in divisors(columns) if p * q <= LANE_BITS]
    size = rng.uniform(0, np.log(max(p * q for p, q in folds)))
    near = sorted(folds, key=lambda f: abs(np.log(f[0] * f[1]) - size))[:6]
    unit = Gated(Constant(rng.choice([-1, 1], (rows, columns))), Constant(rng.integers(-9, 10, rows)))
    return unit, Tensor((columns,), x), Fold(*near[rng.integers(len(near))], ("auto", "auto", "block")[rng.integers(3)])


def matmul_adders(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """A small one as a graph of adders, alone or with a requantiser behind it and a second one."""
    rows, columns = pick(rng, (4, 5, 8, 10, 16)), pick(rng, (4, 8, 10, 16))
    w, x = weights(rng, (rows, columns), (2, 3, 4, 6, 8)), integers(rng)
    first, of = MatMul(Constant(w)), Tensor((columns,), Range(0, 1) if x.bipolar else x)
    fold = Fold(rows, columns, mul="adders")
    if rng.random() < 0.5:
        return first, of, fold
    y, after = first.infer(of).range, pick(rng, (4, 5, 8, 10, 16))
    add = rng.integers(-y.largest, y.largest + 1, rows) // 8
    middle = Rescale(Constant(np.ones(1, np.int64)), Constant(add), max(y.bits - 5, 0), True, 0, 15)
    last = MatMul(Constant(weights(rng, (after, rows), (2, 3, 4, 6))))
    region = Region((first, middle, last), (fold, Fold(rows), Fold(after, rows, mul="adders")))
    return region, of, region.folds(of)[0]


def matrix(rng: np.random.Generator, widths: tuple[int, ...], lane_bits: int) -> tuple[MatMul, Tensor, Fold]:
    """Weights of some of these widths under a fold of at most so many products of bits."""
    rows = pick(rng, (10, 16, 24, 32, 64, 64, 96, 128, 256))
    columns = pick(rng, (16, 27, 32, 49, 64, 64, 72, 100, 128, 256, 288, 512, 576))
    x, w = integers(rng), weights(rng, (rows, columns), widths)
    unit = MatMul(Constant(w))
    most = lane_bits // (x.bits * unit.coding.bits)
    folds = [(p, q) for p in divisors(rows) for q in divisors(columns) if p * q <= max(most, 1)]
    size = rng.uniform(0, np.log(max(p * q for p, q in folds)))
    near = sorted(folds, key=lambda f: abs(np.log(f[0] * f[1]) - size))[:6]
    p, q = near[rng.integers(len(near))]
    ram = ("auto", "auto", "lut", "block")[rng.integers(4)]
    if ram == "lut" and rows * columns * unit.coding.bits > 2**13:
        ram = "auto"  # hours of synthesis that no plan would choose
    return unit, Tensor((columns,), x), Fold(p, q, ram)


def by_channel(rng: np.random.Generator, most: int = 128) -> tuple[int, int]:
    """Channels, and lanes that divide them."""
    channels = pick(rng, (8, 10, 16, 32, 48, 64, 64, 128, 256))
    lanes = [d for d in divisors(channels) if d <= most]
    return channels, pick(rng, tuple(lanes))


def threshold(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels, pe = by_channel(rng, 16)
    x = sums(rng)
    steps = min(2 ** pick(rng, (1, 1, 2, 2, 3)) - 1, x.levels - 1)
    rows = channels if rng.random() < 0.85 else 1
    values = np.sort(rng.integers(x.lo, x.hi + 1, (rows, steps)), axis=1)
    falling = rng.random(rows) < (0.5 if rng.random() < 0.3 else 0.0)
    bipolar = steps == 1 and rng.random() < 0.5
    unit = Threshold(Constant(values), -1 if bipolar else 0, 2 if bipolar else 1, Constant(falling))
    return unit, Tensor((channels,), x), Fold(pe=pe, ram=("auto", "lut")[rng.integers(2)])


def rescale(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    return rescaled(rng, sums, (1, 4, 6, 8), 8)


def rescale_wide(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """What re-quantises the accumulators of 8-bit networks."""
    return rescaled(rng, wide_sums, (8, 12, 16), 4)


def rescaled(rng: np.random.Generator, accumulator: Callable[[np.random.Generator], Range], widths: tuple[int, ...],
             most: int) -> tuple[Unit, Tensor, Fold]:
    """Factors of some of these widths, on at most so many lanes."""
    channels, pe = by_channel(rng, most)
    x, rows = accumulator(rng), channels if rng.random() < 0.6 else 1
    factor, bits = pick(rng, widths), pick(rng, (2, 4, 6, 8))
    mul = rng.integers(2 ** (factor - 1), 2**factor, rows) * rng.choice([1, 1, -1], rows)
    shift = max(0, x.largest.bit_length() + factor - bits - int(rng.integers(2)))  # the results fill their range
    add = rng.integers(-(2**shift) - 8, 2**shift + 8, rows) * int(rng.random() < 0.7)
    lo, hi = ((0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))[rng.integers(2)]
    unit = Rescale(Constant(mul), Constant(add), shift, bool(rng.random() < 0.5), lo, hi)
    return unit, Tensor((channels,), x), Fold(pe=pe)


def requant(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels, pe = by_channel(rng, 8)
    x, signed = sums(rng), bool(rng.random() < 0.5)
    x = Range(x.lo, x.hi) if x.step == 1 else Range(-x.largest, x.largest)
    width = pick(rng, (2, 4, 6, 8))
    shift = max(0, x.bits - width - int(rng.integers(3)))
    overflow = OVERFLOWS[rng.integers(4 + signed)]
    return Requant(shift, width, signed, ROUNDINGS[rng.integers(7)], overflow), Tensor((channels,), x), Fold(pe=pe)


def table(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels, pe = by_channel(rng, 8)
    bits = pick(rng, (2, 3, 4, 5, 6, 8))
    x = (Range(0, 2**bits - 1), Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))[rng.integers(2)]
    rows = channels if rng.random() < 0.4 and channels * x.levels <= 4096 else 1
    out = pick(rng, (1, 2, 4, 8))
    unit = Table(Constant(rng.integers(0, 2**out, (rows, x.levels))), x)
    return unit, Tensor((channels,), x), Fold(pe=pe)


def image(rng: np.random.Generator, x: Range | None = None) -> tuple[Tensor, int]:
    """A feature map, and lanes."""
    channels, lanes = by_channel(rng, 64)
    size = pick(rng, (5, 8, 10, 12, 14, 16, 28, 32))
    elem = x or integers(rng)
    while lanes * elem.bits > LANE_BITS // 2:
        lanes = max(d for d in divisors(channels) if d < lanes)
    return Tensor((size, size if rng.random() < 0.8 else 2 * size, channels), elem), lanes


def pad(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    x, lanes = image(rng)
    before, after = ((1, 1), (1, 1)) if rng.random() < 0.7 else ((0, 2), (1, 0))
    value = x.range.lo if rng.random() < 0.5 or not x.range.holds(np.zeros(1, int)) else 0
    inside = ((0, 0), (0, 0), (1, 1), (2, 2))[rng.integers(4)]
    return Pad(before, after, value, inside), x, Fold(simd=lanes, pe=lanes)


def window(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    x, lanes = image(rng)
    k = pick(rng, (2, 3, 3, 3, 5))
    stride = pick(rng, (1, 1, 2)) if k > 2 else 2
    return Window((k, k), (stride, stride)), x, Fold(simd=lanes, pe=lanes)


def upsample(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    x, lanes = image(rng)
    return Upsample(((2, 2), (2, 2), (3, 3), (1, 2))[rng.integers(4)]), x, Fold(simd=lanes, pe=lanes)


def slice_(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    x, lanes = image(rng)
    height, width, channels = x.shape
    if rng.random() < 0.5 and lanes < channels:  # one part of a split
        return Slice((0, 0, lanes), (height, width, channels)), x, Fold(simd=lanes, pe=lanes)
    return Slice((1, 1, 0), (height - 1, width - 2, channels)), x, Fold(simd=lanes, pe=lanes)


def reorder(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels, side = pick(rng, (4, 8, 16, 32, 64)), pick(rng, (2, 2, 4))
    width, x = side * pick(rng, (3, 4, 8, 14)), integers(rng)
    index = np.arange(side * width * channels)
    match pick(rng, (0, 0, 1, 2)):
        case 0:  # rows of pixels to depth
            order = index.reshape(side, width // side, side, channels).transpose(1, 0, 2, 3).reshape(-1)
        case 1:  # channels and pixels transposed
            order = index[: width * channels].reshape(width, channels).T.reshape(-1)
        case _:  # what no counters give
            order = (rng.permutation(width)[:, None] * channels + np.arange(channels)).reshape(-1)
    unit = Reorder(Constant(order), (2, len(order)))
    fits = tuple(f for f in unit.folds(Tensor((2, len(order)), x)) if f.pe * x.bits <= LANE_BITS)
    return unit, Tensor((2, len(order)), x), fits[rng.integers(len(fits))]


def maxreduce(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels, lanes = by_channel(rng, 64)
    if rng.random() < 0.4 and channels <= 64:
        lanes = channels
    window = pick(rng, (4, 4, 9))
    return MaxReduce(window), Tensor((4, 4, window * channels), integers(rng)), Fold(simd=lanes, pe=lanes)


def argmax(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels = pick(rng, (2, 10, 16, 24, 32, 100))
    lanes = pick(rng, tuple(d for d in divisors(channels) if d <= 16))
    return ArgMax(), Tensor((channels,), sums(rng)), Fold(simd=lanes)


def width(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    channels = pick(rng, (12, 16, 32, 48, 64, 96, 128, 256, 576))
    x = integers(rng)
    fits = tuple(d for d in divisors(channels) if d * x.bits <= LANE_BITS)
    simd, pe = pick(rng, fits), pick(rng, fits)
    return Width(), Tensor((4, channels), x), Fold(pe=pe, simd=simd)


def fork(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    """Two to five sinks, one more often than the other, words of every width."""
    lanes = int(rng.choice([1, 2, 4, 8, 16]))
    return Fork(int(rng.choice([2, 2, 3, 4, 5]))), Tensor((64,), integers(rng)), Fold(lanes, lanes)


def pair(rng: np.random.Generator) -> tuple[tuple[Tensor, Tensor], Fold]:
    """Two inputs of one shape, half of them of one range, and lanes."""
    channels, pe = by_channel(rng, 16)
    x0 = integers(rng)
    return (Tensor((channels,), x0), Tensor((channels,), x0 if rng.random() < 0.5 else integers(rng))), Fold(pe, pe)


def add(rng: np.random.Generator) -> Drawn:
    """Plain sums and differences, one factor for all channels, and one for each."""
    xs, fold = pair(rng)
    rows = pick(rng, (0, 0, 1, 1, xs[0].channels))
    bits = pick(rng, (4, 8, 8, 12))
    factors = [rng.integers(1, 2**bits, rows) if rows else rng.choice([1, 1, -1, 4], 1) for _ in xs]
    return Add((Constant(factors[0]), Constant(factors[1]))), xs, fold


def mul(rng: np.random.Generator) -> Drawn:
    return Mul(), *pair(rng)


def concat(rng: np.random.Generator) -> Drawn:
    (x0, x1), fold = pair(rng)
    more = pick(rng, (1, 1, 2, 3))
    return Concat(), (x0, Tensor((more * x1.channels,), x1.range)), fold


def depthwise(rng: np.random.Generator) -> Drawn:
    """Filters of 2x2 to 5x5, a third of them all 1; sums of whole images."""
    channels, pe = by_channel(rng, 8)
    x, taps = integers(rng), pick(rng, (4, 9, 9, 9, 25))
    ones = rng.random() < 0.3
    w = np.ones((channels, pick(rng, (4, 49, 64))), np.int64) if ones else weights(rng, (channels, taps))
    unit = Depthwise(Constant(w))
    return unit, Tensor((w.size,), x), Fold(pe, pe, ("auto", "auto", "block")[rng.integers(3)])


def fetch(rng: np.random.Generator) -> tuple[Streaming, Tensor, Fold]:
    """Words of all widths, of which some need several beats."""
    unit = Fetch(pick(rng, (1, 36, 100, 1024, 4000)), pick(rng, (3, 8, 16, 36, 64, 72, 100, 144, 256, 600)))
    return Streaming(unit), Tensor((1,), Range(0, 1)), Fold()


def fifo(rng: np.random.Generator) -> tuple[Unit, Tensor, Fold]:
    x = integers(rng)
    lanes = pick(rng, (1, 2, 4, 8, 16, 32, 64))
    depth = pick(rng, (2, 2, 3, 4, 8, 16, 32, 50, 64, 100, 200, 500, 1000))
    return Fifo(depth), Tensor((4, 64), x), Fold(lanes, lanes)


def lengths(columns: int) -> Tensor:
    return Tensor((1,), Range(1, columns))


def curve(bits: int, low: float, high: float, scale: float) -> Constant:
    """A table that rises as an activation does, over an index of so many bits, two's complement."""
    x = np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) / (1 << max(bits - 3, 0))
    return Constant(np.rint((low + (high - low) / (1 + np.exp(-x))) * scale).astype(np.int64))


def recurrent(rng: np.random.Generator) -> tuple[dict[str, Any], Tensor, Fold]:
    """What both cells have: shapes, weights, activations and tables of the literature's widths, small."""
    rows, columns = pick(rng, (8, 16, 24, 32)), pick(rng, (8, 16, 25, 32))
    bits, wide = pick(rng, (1, 2, 4, 8)), pick(rng, (10, 12, 16))
    index = Format(wide - 6, pick(rng, (5, 6, 8)), True, "TRN", "SAT")
    parts = {"gate": Format(2, wide, True, "TRN", ("WRAP", "SAT")[rng.integers(2)]), "index": (index, index),
             "sigmoid": curve(index.width, 0, 1, 64), "tanh": curve(index.width, -1, 1, 64),
             "hidden": Format(7, bits, True, "RND_CONV", "SAT"), "sizes": (2, rows, columns)}
    found = [(p, q, next(d for d in divisors(rows) if rows // d <= columns // q))
             for p in divisors(rows) for q in divisors(columns)]
    few = [f for f in found if f[0] <= 4 and f[0] * (f[1] + f[2]) * bits <= LANE_BITS // 4]
    pe, simd, simd_r = few[rng.integers(len(few))]
    top = 1 << (bits - 1)
    x = Range(-1, 1, 2) if bits == 1 else Range(-top, top - 1)
    return parts, Tensor((64, 2, columns), x), Fold(pe, simd, ("auto", "block")[rng.integers(2)], simd_r=simd_r)


def gated_rows(rng: np.random.Generator, sizes: tuple[int, int, int], gates: int) -> dict[str, Constant]:
    contexts, rows, columns = sizes
    first = weights(rng, (contexts * gates * rows, columns)).reshape(contexts, gates, rows, columns)
    return {"weights": Constant(first),
            "recurrent": Constant(weights(rng, (contexts * gates * rows, rows)).reshape(contexts, gates, rows, rows)),
            "bias": Constant(rng.integers(-128, 128, (contexts, gates, rows)))}


def lstm(rng: np.random.Generator) -> Drawn:
    """Two directions on one engine, with peepholes or without."""
    parts, x, fold = recurrent(rng)
    contexts, rows, _ = sizes = parts.pop("sizes")
    bits = pick(rng, (8, 12, 16))
    index_c = Format(max(bits - 6, 0), 6, True, "TRN", "SAT")
    peepholes = Constant(rng.integers(-8, 8, (contexts, 3, rows))) if rng.random() < 0.4 else None
    unit = Lstm(**gated_rows(rng, sizes, 4), peepholes=peepholes, shifts=(0, 0, 0, 0, 0), **parts, index_c=index_c,
                cell=Format(4, bits, True, "RND_CONV", "SAT"), cell_tanh=curve(6, -1, 1, 64))
    return unit, (x, lengths(64)), fold


def gru(rng: np.random.Generator) -> Drawn:
    """Two directions on one engine."""
    parts, x, fold = recurrent(rng)
    contexts, rows, _ = sizes = parts.pop("sizes")
    unit = Gru(**gated_rows(rng, sizes, 3), hidden_bias=Constant(rng.integers(-64, 64, (contexts, rows))), one=64,
               shifts=(0, 0, 0, 0, 0), gate_h=Format(1, pick(rng, (6, 8, 12)), True, "TRN", "SAT"), **parts)
    return unit, (x, lengths(64)), fold


def sequence(rng: np.random.Generator, *between: int) -> tuple[tuple[Tensor, Tensor], Fold]:
    """Columns of any number of channels, and lanes."""
    channels, lanes = by_channel(rng, 16)
    columns = pick(rng, (16, 32, 64, 100, 200))
    return (Tensor((columns, *between, channels), integers(rng)), lengths(columns)), Fold(lanes, lanes)


def turn(rng: np.random.Generator) -> Drawn:
    xs, fold = sequence(rng)
    return Turn(xs[0].range.lo), xs, fold


def unturn(rng: np.random.Generator) -> Drawn:
    xs, fold = sequence(rng, 2)
    return Unturn(xs[0].range.lo), xs, fold


def mark(rng: np.random.Generator) -> Drawn:
    xs, fold = sequence(rng)
    return Mark(xs[0].range.lo), xs, fold


def last(rng: np.random.Generator) -> Drawn:
    xs, fold = sequence(rng)
    return Last(), xs, fold


def collapse(rng: np.random.Generator) -> Drawn:
    columns = pick(rng, (16, 64, 100, 520, 1000))
    return Collapse(0), (Tensor((columns, 1), Range(0, pick(rng, (9, 26, 82, 110, 500)))), lengths(columns)), Fold()


DRAWS: dict[str, Draw] = {
    "matmul": matmul, "matmul_pairs": matmul_pairs, "matmul_dsp": matmul_dsp, "matmul_shifts": matmul_shifts,
    "matmul_adders": matmul_adders, "gated": gated, "gated_masked": gated_masked,
    "threshold": threshold, "rescale": rescale, "requant": requant,
    "table": table, "pad": pad, "window": window, "maxreduce": maxreduce,
    "argmax": argmax, "width": width, "fifo": fifo, "fork": fork, "upsample": upsample, "slice": slice_,
    "reorder": reorder,
    "add": add, "mul": mul, "concat": concat, "depthwise": depthwise, "fetch": fetch,
    "lstm": lstm, "gru": gru, "turn": turn, "unturn": unturn, "mark": mark, "last": last, "collapse": collapse,
}
UNFITTED: dict[str, Draw] = {"rescale_wide": rescale_wide}  # on which the fit of another is tested
