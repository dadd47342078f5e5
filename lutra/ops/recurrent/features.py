"""The structural terms of a recurrent cell's cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lutra.hw.netlist import Param
from lutra.ops.matmul.forms import SMALLEST
from lutra.ops.recurrent.params import Tables
from lutra.ops.recurrent.products import Products
from lutra.ops.recurrent.values import signed_bits, spanned
from lutra.ops.rom import blocks, lut_bits, lut_ram, rom_blocks, sliced

# Weights of more words than this in six-input LUTs take about three times what a memory by itself does: in synthesised
# cells 18.9 thousand LUTs for 1,024 bits of 384 words, 16 thousand for 2,560 bits of 128.
SHALLOW, DEEP = 64, 2.8
MEMORIES = ("lut.ram", "lut.ram_mux", "lut.ram_bank")


@dataclass(frozen=True)
class Cell:
    """What a neuron has beside its sums: quotients that are cast, products by the bits of their factors, the lookups of
    tables, bits that wait; memories (depth, width) of all neurons, each with whether it is in block RAM.
    """

    quotients: tuple[int, ...]
    factors: tuple[tuple[int, int], ...]
    lookups: tuple[str, ...]
    waiting: int
    memories: tuple[tuple[int, int, bool], ...]


def features(params: Mapping[str, Param], halves: tuple[Products, Products], cell: Cell, tables: Tables, family: str,
             ) -> dict[str, float]:
    """products: what those of matrices cost. weights, bias: LUTs of constant memories; tables: those of tables; ram*:
    of memories that are written; sums: bits of accumulators; casts: bits of quotients; multiply: products of bits in
    LUTs; control: counters. ff.*: registers of each; wait: of what waits for the rest of a cell.
    """
    p = {k: v for k, v in params.items() if isinstance(v, int)}
    pe, sums = p["PE"], 4 * p["PE"] * p["ABITS"]
    costs = [half.cost(family) for half in halves]
    small = [(a, b) for a, b in cell.factors if a + b < SMALLEST or min(a, b) < 2]
    memories = {**dict.fromkeys(MEMORIES, 0.0), "bram": 0.0}
    for depth, width, in_block in (*cell.memories, *_kept(p)):
        _add(memories, {"bram": float(sliced(depth, width))} if in_block else lut_ram(depth, width, family))
    for half in halves:
        memories["bram"] += rom_blocks(half.places, half.width, family) if half.in_block else 0
    shapes = [(1 << tables[name][1].width, signed_bits(spanned(tables[name][0]))) for name in cell.lookups]
    memories["bram"] += pe * sum(blocks(d, w, family) for d, w in shapes) if p["TABLE_BLOCK"] else 0
    depth = max(half.depth for half in halves)
    bias = sums + 3 * pe * p.get("PBITS", 0)
    return memories | {
        "unit": 1.0,
        "dsp": sum(c.dsp for c in costs) + pe * (len(cell.factors) - len(small)),
        "lut.products": sum(c.lut for c in costs),
        "lut.weights": sum(_weights(h.places, h.width, family) for h in halves if not h.in_block),
        "lut.bias": lut_bits(p["DIRECTIONS"] * p["NF"], bias, family),
        "lut.tables": 0.0 if p["TABLE_BLOCK"] else pe * sum(lut_bits(d, w, family) for d, w in shapes),
        "lut.sums": float(sums),
        "lut.casts": float(pe * sum(cell.quotients)),
        "lut.multiply": float(pe * sum(a * b for a, b in small)),
        "control": float(sum(p[k].bit_length() for k in ("NF", "SX", "SR", "CONTEXTS", "REST", "LBITS"))),
        "ff.products": sum(c.ff for c in costs),
        "ff.late": float(sum((depth - h.depth) for h in halves) * sums),
        "ff.sums": float(sums),
        "ff.weights": float(sum(h.width for h in halves if not h.in_block)),
        "ff.x": float(2 * sum(h.simd * h.x.bits for h in halves)),
        "ff.flags": float(5 * depth),
        "ff.wait": float(pe * (sum(cell.quotients) + cell.waiting)),
    }


def _weights(depth: int, width: int, family: str) -> float:
    """LUTs of weights that are not in block RAM."""
    return lut_bits(depth, width, family) * (DEEP if depth > SHALLOW and family != "ecp5" else 1)


def _kept(p: Mapping[str, int]) -> Iterable[tuple[int, int, bool]]:
    """The memory of h, a bank for each of its words in a row, and the column's, if it has one."""
    rows = p["PE"] * p["NF"] // p["TOGETHER"]
    bank = 2 * p["CONTEXTS"] * rows, p["PE"] * p["HBITS"], bool(p["STATE_BLOCK"])
    column = [(p["SX"], p["SIMD"] * p["XBITS"], False)] if p["NF"] > 1 and p["SX"] > 1 else []
    return [bank] * (p["TOGETHER"] // p["PE"]) + column


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, value in more.items():
        total[name] += value
