"""Products of bipolar matrices by counting bits, compiled on the machine that runs them (bits.cpp)."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lutra.errors import LutraError
from lutra.ir import Array
from lutra.tools.cache import Cache
from lutra.tools.find import compiler

SOURCE = Path(__file__).with_name("bits.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++14", "-fPIC")
ROWS = 32  # as in bits.cpp
FEW = 8  # rows of x whose product takes less than the call
LIMIT_S = 120  # of a compiler call
NATIVE = ("g++", "clang++")  # what compiles this in well under a second

Function = Callable[[int, int, int, int, int, int], None]


def product(weights: Array, plain: Callable[[Array], Array], cache: Cache) -> Callable[[Array], Array]:
    """A function of values -1 and +1 (..., MW) of any numeric type: their products (..., MH), in floating point, with
    weights -1 and +1 (MH, MW). `plain` does the same by other means, where there are few or no compiler is at hand.
    """
    functions = _library(cache)
    if functions is None:
        return plain
    rows, columns = weights.shape
    bits = np.zeros((-(-rows // ROWS) * ROWS, -(-columns // 64) * 64), np.uint8)
    bits[:rows, :columns] = weights > 0
    words = np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little").view("<u8").T)

    def run(x: Array) -> Array:
        if x.size < FEW * columns:
            return plain(x)
        x = np.ascontiguousarray(x if x.dtype.type in functions else x.astype(np.int8))
        y = np.empty((*x.shape[:-1], rows), np.float32)
        functions[x.dtype.type](x.ctypes.data, words.ctypes.data, y.ctypes.data, y.size // rows, columns, rows)
        return y

    return run


@functools.cache
def _library(cache: Cache) -> dict[type, Function] | None:
    """The compiled functions by the type of x; None without a compiler, or where it fails."""
    try:
        tool = compiler()
        if tool.name not in NATIVE:
            return None
        machine = tool("-march=native", "-dM", "-E", "-x", "c++", os.devnull, timeout_s=LIMIT_S)

        def make(folder: Path) -> None:
            tool(*FLAGS, "-shared", "-o", "bits.so", SOURCE, cwd=folder, timeout_s=LIMIT_S)

        folder = cache.folder(["bits", tool.name, tool.version, machine, SOURCE.read_text(), *FLAGS], make)
        library = ctypes.CDLL(str(folder / "bits.so"))
    except (LutraError, OSError):
        return None  # the matrix product in NumPy gives the same numbers
    for function in (library.lutra_product_i8, library.lutra_product_f32):
        function.argtypes, function.restype = [ctypes.c_void_p] * 3 + [ctypes.c_long] * 3, None
    return {np.int8: library.lutra_product_i8, np.float32: library.lutra_product_f32}
