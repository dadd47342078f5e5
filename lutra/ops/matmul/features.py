"""The structural terms of a MatMul's cost."""

from __future__ import annotations

from lutra.hw.pipelined import Pipelined
from lutra.ir import Range
from lutra.ops.base import STREAMED, Fold
from lutra.ops.matmul.forms import depth, packed_bits
from lutra.ops.matmul.lanes import Lanes, by_pairs, by_planes, shifted, stages, tree
from lutra.ops.matmul.size import log2_up, ones_and_twos, sum_bits, wide_functions
from lutra.ops.rom import buffer, columns, in_block, lut_bits, rom_blocks

MULT18 = 18  # bits of an operand of an ECP5's multiplier (FPGA-TN-02205); a wider one takes two


def features(
    fold: Fold, form: str, nf: int, sf: int, lanes: Lanes, y: Range, biased: bool, family: str
) -> dict[str, float]:
    """Terms of the cost, each proportional to what it costs: those of the form (`of_products`), and those around it.

    acc: accumulator bits; start: those that begin with a bias; weights, bias: LUTs of constant memories; bias_deep:
    those of many words, which synthesis shares badly; ram*: the replay buffer; slice: bits of the output slice;
    control: counter bits; unit: 1. ff.*: registers of each.
    """
    sums, width, words = fold.pe * y.bits, fold.pe * fold.simd * lanes.stored(form), nf * sf
    streamed = fold.ram in STREAMED  # then the memory is not the unit's own
    block = not streamed and in_block(fold, words, width)
    control = log2_up(words) + log2_up(sf) + 1
    kept = fold.simd * lanes.x.bits
    bias = lut_bits(nf, sums, family) if biased else 0
    replay = buffer(sf, kept, family) if nf > 1 and sf > 1 else {}
    made = of_products(form, lanes, family)
    return replay | made | {
        "lut.acc": sums if sf > 1 or biased else 0,
        "lut.start": sums if sf > 1 and biased else 0,
        "lut.weights": 0 if block or streamed else lut_bits(words, width, family),
        "lut.bias": bias,
        "lut.bias_deep": bias if nf > 64 else 0,
        "lut.slice": 0 if sf > 1 else sums,
        "lut.control": control,
        "unit": 1,
        "ff.acc": sums * 2,
        "ff.weights": width if streamed else 0 if block else columns(words, width),
        "ff.x": kept * (1 if nf > 1 and sf > 1 else 2) + made["ff.x"],
        "ff.control": 2 * control + 3 * depth(form, lanes),
        "ff.bias": sums if biased and nf > 1 else 0,
        "bram": replay.get("bram", 0) + (rom_blocks(words, width, family) if block else 0),
    }


def unrolled_features(graph: Pipelined) -> dict[str, float]:
    """Terms of a circuit: bits of adders, of registers between them, of the slice behind them; unit: 1."""
    slice_ = len(graph.outputs) * graph.y.bits
    return {"lut.add": graph.logic_bits(), "lut.slice": slice_, "unit": 1, "ff.held": graph.register_bits(),
            "ff.slice": slice_}


def of_products(name: str, lanes: Lanes, family: str) -> dict[str, float]:
    """Terms of the cost of all rows' dot products, each proportional to what it costs; by form.

    planes: wide, narrow: functions in popcounts, of five or six inputs and of fewer; parities: those of x that all rows
    share. pairs: first: functions of first rows; rows: bits of the adders after them; shared: bits of the sums of two
    lanes that all rows share. shifts: near, far: bits of a shift's first part and of its second, or where there is none
    sign: of what inverts them. dsp: blocks; dsp2: pack: bits of the adder before a multiplier, where no block has it.
    All: add: bits of adders in trees; ff.*: registers.
    """
    match name:
        case "planes":
            return _plane_features(lanes)
        case "pairs":
            return _pair_features(lanes)
        case "shifts":
            return _shift_features(lanes)
    return _dsp_features(name, lanes, family)


def _plane_features(lanes: Lanes) -> dict[str, float]:
    functions, adders, registers = by_planes(lanes)
    wide = lanes.planes * wide_functions(lanes.simd, lanes.w.bipolar)
    parities = sum((lanes.simd // 3, ones_and_twos(lanes.simd, True)[0])) if lanes.w.bipolar else 0
    kept = lanes.simd * lanes.x.bits if lanes.w.bipolar else 0
    return {
        "lut.wide": lanes.pe * wide, "lut.narrow": lanes.pe * (functions - wide), "lut.add": lanes.pe * adders,
        "lut.parities": parities * lanes.x.bits, "ff.tree": lanes.pe * registers,
        "ff.x": kept + parities * lanes.x.bits,
    }


def _pair_features(lanes: Lanes) -> dict[str, float]:
    first, later, held = by_pairs(lanes)
    adders, registers = tree(lanes)
    shared = (lanes.simd + 1) // 2 * (lanes.x.bits + 1)
    return {
        "lut.first": lanes.pe * first, "lut.rows": lanes.pe * later, "lut.add": lanes.pe * adders, "lut.shared": shared,
        "ff.tree": lanes.pe * registers, "ff.rows": lanes.pe * held,
        "ff.x": (shared + lanes.simd * lanes.x.bits) * stages(lanes),
    }


def _shift_features(lanes: Lanes) -> dict[str, float]:
    assert lanes.digits is not None
    count, near, whole = shifted(lanes)
    adders, registers = sum_bits(count, whole)
    reach, terms = lanes.digits.reach, lanes.pe * count
    return {
        "lut.near": terms * near if reach > 1 else 0, "lut.far": terms * whole if reach > 4 else 0,
        "lut.sign": terms * whole if reach <= 4 else 0, "lut.add": lanes.pe * adders, "ff.tree": lanes.pe * registers,
        "ff.terms": terms * (near + whole + 2 + max(lanes.digits.place - 2, 0)), "ff.x": 0,
    }


def _dsp_features(name: str, lanes: Lanes, family: str) -> dict[str, float]:
    adders, registers = sum_bits(lanes.simd, lanes.product)
    made = lanes.simd * ((lanes.pe + 1) // 2 if name == "dsp2" else lanes.pe)
    split = family == "ecp5" and name == "dsp2" and packed_bits(lanes) > MULT18
    return {
        "dsp": made * (1 + split), "lut.add": lanes.pe * adders, "ff.tree": lanes.pe * registers,
        "lut.pack": made * (lanes.w.bits + 1) if name == "dsp2" else 0,
        "lut.high": made if name == "dsp2" else 0,
        "ff.operands": made * (lanes.w.bits + 1), "ff.products": 2 * lanes.pe * lanes.simd * lanes.product,
        "ff.x": lanes.simd * lanes.x.bits,
    }
