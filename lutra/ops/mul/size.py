"""Products of `lutra_times`: how large they are, and what the inexact ones lack."""

from __future__ import annotations

import numpy as np

from lutra.ir import Array


def digits(bits: int, signed: bool) -> int:
    """Radix-4 digits of a factor: the rows of `lutra_times`, and its registers from factors to product."""
    return (bits + (not signed) + 1) // 2


def missing(factors: Array) -> Array:
    """For each known factor, what its products lack where EXACT is 0: 4**i for each digit i below zero."""
    lacks, rest, below, i = np.zeros_like(factors), factors, np.zeros_like(factors), 0
    while ((rest != 0) & (rest != -1) | (below != (rest & 1))).any():
        low, high = rest & 1, (rest >> 1) & 1
        lacks += (-2 * high + low + below < 0) * np.int64(4**i)
        rest, below, i = rest >> 2, high, i + 1
    return lacks


def shifters(rows: int, family: str, known: bool = False) -> int:
    """Shift registers of `lutra_times` in LUTs, which Xilinx synthesis takes for delays of three and more: of digits to
    come (not of a `known` factor) and of bits that are settled.
    """
    return 0 if family == "ecp5" else (2 if known else 4) * max(rows - 3, 0)


def row_bits(xbits: int, xsigned: bool, wbits: int, wsigned: bool) -> tuple[int, int]:
    """Functions and registers of `lutra_times`, carries and the delays of its factors left out."""
    rows, width = digits(wbits, wsigned), xbits + (not xsigned)
    if wbits == 1 and not wsigned:
        return xbits, xbits
    return rows * (width + 2) - 1, rows * (width + 2) + rows * (rows - 1)
