"""The forms of a MatMul's multipliers: which one a fold means, and its pipeline's depth.

- planes: popcounts of the ANDs or XNORs of bit planes; for few bits.
- pairs: adders that select from x of one lane, of another and their sum, two products with a bit of the weights in a
  row; in LUTs too, for more bits.
- dsp: a multiplier each, left to synthesis, which takes DSP blocks for it.
- dsp2: one multiplier for the weights of two rows.
- shifts: no multiplier; each weight is a sum of a few signed powers of two.
- adders: constants, as a graph of adders (`lutra.ops.matmul.adders`); a module of its own.
"""

from __future__ import annotations

from functools import lru_cache

from lutra.errors import LutraError
from lutra.ir import Range
from lutra.ops.base import Fold
from lutra.ops.matmul.lanes import Lanes, pair_luts, plane_luts, shifted, stages
from lutra.ops.matmul.size import depth_of_dot, log2_up

KINDS = {"planes": "matmul", "pairs": "matmul_pairs", "dsp": "matmul_dsp", "dsp2": "matmul_dsp",
         "shifts": "matmul_shifts", "adders": "matmul_adders"}  # in the cost table
FORMS = ("planes", "pairs", "dsp", "dsp2", "shifts")  # in the order of the module's parameter FORM
MULTIPLIER = (25, 18)  # bits of the operands of a DSP48E1, two's complement (Xilinx UG479); a DSP48E2's are no smaller
MOST_TERMS = 3  # powers of two in a weight; with more of them no shifters are smaller than multipliers in LUTs
SMALLEST = 9  # bits of the smallest product that Yosys gives a DSP block


def form(fold: Fold, lanes: Lanes) -> str:
    """The form that `fold.mul` means; LutraError where it is none, or one that these widths cannot have."""
    match fold.mul:
        case "auto" | "lut":
            return _in_luts(lanes.simd, lanes.x, lanes.w)
        case "dsp" | "dsp2":
            if fold.mul not in multipliers(lanes):
                raise LutraError(f"mul={fold.mul!r} for products of {lanes.x.bits} by {lanes.w.bits} bits",
                                 hint="two products in a block need 25 by 18 bits; products below 9 bits are LUTs'")
            return fold.mul
        case "shifts":
            if lanes.digits is None:
                raise LutraError(f"mul='shifts' for weights of {lanes.w.bits} bits",
                                 hint=f"they need 2 bits or more, and {MOST_TERMS} signed powers of two or fewer")
            return "shifts"
        case "adders":
            return "adders"
    raise LutraError(f"mul={fold.mul!r} is no kind of multiplier",
                     hint='"auto", "lut", "dsp", "dsp2", "shifts" or "adders"')


@lru_cache(1 << 12)
def _in_luts(simd: int, x: Range, w: Range) -> str:
    """The form with fewer LUTs for a row: pairs where they save a quarter of the 6-input functions, as theirs are five
    and six inputs wide, which LUTs of four take two or three for.
    """
    lanes = Lanes(1, simd, x, w)
    return "pairs" if not w.bipolar and 4 * pair_luts(lanes) < 3 * plane_luts(lanes) else "planes"


def multipliers(lanes: Lanes) -> tuple[str, ...]:
    """The forms other than that in LUTs that these widths and digits can have."""
    shifts = () if lanes.digits is None or lanes.x.bits < 2 else ("shifts",)
    return (*_in_blocks(lanes), *shifts)


def _in_blocks(lanes: Lanes) -> tuple[str, ...]:
    if min(lanes.x.bits, lanes.w.bits) < 2 or lanes.product < SMALLEST:
        return ()
    fits = packed_bits(lanes) <= MULTIPLIER[0] and lanes.x.bits + (not lanes.x.signed) <= MULTIPLIER[1]
    return ("dsp", "dsp2") if fits and lanes.pe > 1 else ("dsp",)


def packed_bits(lanes: Lanes) -> int:
    """Bits of two weights in one operand, the upper one as far above the lower as a product is wide."""
    return lanes.product + lanes.w.bits + 1


def depth(name: str, lanes: Lanes) -> int:
    """Registers from a slot to its dot product: two of buffer and memory, then the form's own."""
    match name:
        case "planes":
            return depth_of_dot(lanes.simd, lanes.x.bits, lanes.w.bits, lanes.w.bipolar)
        case "pairs":
            return 3 + stages(lanes) + log2_up((lanes.simd + 1) // 2)
        case "shifts":
            return 4 + log2_up(shifted(lanes)[0])
    return 5 + log2_up(lanes.simd)
