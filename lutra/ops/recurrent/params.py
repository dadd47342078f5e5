"""Casts and tables of a recurrent cell as parameters and memories of its module."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lutra.hw.netlist import Memory, Param, pack
from lutra.ir import Constant, Range
from lutra.ops.base import Fold
from lutra.ops.recurrent.values import signed_bits, spanned
from lutra.ops.requant.format import Format
from lutra.ops.requant.modes import OVERFLOWS, ROUNDINGS
from lutra.ops.rom import in_block

Tables = Mapping[str, tuple[Constant, Format]]


def cast_params(casts: Mapping[str, tuple[Format, Range]]) -> dict[str, Param]:
    """Of formats and what they are cast from, by the letter with which their parameters begin."""
    params: dict[str, Param] = {}
    for name, (to, x) in casts.items():
        over = OVERFLOWS.index(to.overflow) if to.overflows(x) else 0
        params |= {f"{name}SHIFT": to.shift, f"{name}QBITS": to.quotient(x), f"{name}BITS": to.width,
                   f"{name}SIGNED": int(to.signed), f"{name}ROUNDING": ROUNDINGS.index(to.rounding),
                   f"{name}OVERFLOW": over}
    return params


def tables_in_block(tables: Tables) -> bool:
    """Whether they lie in block RAM."""
    depth = max(1 << index.width for _, index in tables.values())
    return in_block(Fold(), depth, max(signed_bits(spanned(table)) for table, _ in tables.values()))


def table_params(tables: Tables) -> dict[str, Param]:
    """Bits of their entries, and where they lie."""
    params: dict[str, Param] = {f"{name}_BITS": signed_bits(spanned(table)) for name, (table, _) in tables.items()}
    return params | {"TABLE_BLOCK": int(tables_in_block(tables))}


def table_memories(tables: Tables) -> dict[str, Memory]:
    """Their entries, two's complement, by the code of the index."""
    memories = {}
    for name, (table, index) in tables.items():
        bits = signed_bits(spanned(table))
        codes = np.arange(1 << index.width)
        entries = table.array.astype(np.int64)[index.range.decode(codes) - index.range.lo]
        memories[name] = Memory(pack(entries[:, None] & ((1 << bits) - 1), bits), bits)
    return memories
