"""Two memories of constants that share a block memory, each on a port of its own."""

from __future__ import annotations

from functools import lru_cache

from lutra.hw.netlist import Block, Memory, Param
from lutra.ops.base import Cost, Fold
from lutra.ops.cost import coefficients
from lutra.ops.rom import in_block, lut_bits, rom_blocks, slice_bits
from lutra.ops.weights import CONTROL

# Width, words of a block with two ports: a RAMB18 (Xilinx UG473) and a DP16KD (Lattice FPGA-TN-02204) alike.
TWO_PORTS = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024))
ALIGNED = 2  # LUTs that a counter takes for each of CONTROL's whose end is a power of two: it wraps round by itself
Shape = tuple[int, int]  # words, bits of one


def shared_bits(a: Shape, b: Shape) -> int:
    """Bits of a word in the block that two share; 0 where no block holds so many words."""
    return min(_widest(a[0] + b[0]), max(a[1], b[1]))


def _widest(words: int) -> int:
    return max((w for w, d in TWO_PORTS if d >= words), default=0)


def rests(a: Shape, b: Shape) -> tuple[Shape, Shape]:
    """What each keeps outside the shared block, of its words' low bits; of no bits where all are in it."""
    bits = shared_bits(a, b)
    return (a[0], max(a[1] - bits, 0)), (b[0], max(b[1] - bits, 0))


@lru_cache(1 << 14)
def saved_blocks(a: Shape, b: Shape, family: str) -> int:
    """How many block memories sharing one of them saves; may be below 0."""
    alone = rom_blocks(*a, family) + rom_blocks(*b, family)
    return alone - 1 - sum(_blocks(rest, family) for rest in rests(a, b)) if shared_bits(a, b) else 0


def may_share(a: Shape, family: str) -> bool:
    """Whether half a block takes the place of one, which another memory of its kind has the other half of."""
    half = max(a[1] - _widest(2 * a[0]), 0)
    return a[0] > 1 and _widest(2 * a[0]) > 0 and _blocks((a[0], half), family) < rom_blocks(*a, family)


def half_cost(a: Shape, family: str) -> Cost:
    """What one of two such memories costs, where the other is as deep."""
    whole = shared_cost(a, a, family)
    return Cost(whole.lut / 2, whole.ff / 2, whole.bram / 2)


def shared_cost(a: Shape, b: Shape, family: str) -> Cost:
    """Resources of `lutra_shared`: the blocks are exact; LUTs are those of counters and of what lies in LUTs."""
    kept, address = rests(a, b), (a[0] + b[0] - 1).bit_length()
    counters = [(address, a[0]), (address, a[0] + b[0])]
    counters += [((depth - 1).bit_length(), depth) for depth, own in kept if own]
    in_luts = [rest for rest in kept if rest[1] and not _in_block(rest)]
    each = coefficients()[family]["matmul"]["lut"]["lut.weights"]
    luts = CONTROL[family] * sum(ALIGNED if end & (end - 1) == 0 else bits for bits, end in counters)
    luts += each * sum(lut_bits(*rest, family) for rest in in_luts)
    registers = sum(bits for bits, _ in counters) + 2 + sum(width for _, width in in_luts)
    return Cost(luts, registers, 1 + sum(_blocks(rest, family) for rest in kept))


def _in_block(rest: Shape) -> bool:
    """Whether what one keeps outside goes to block memories of its own."""
    return in_block(Fold(), *rest)


def _blocks(rest: Shape, family: str) -> int:
    return rom_blocks(*rest, family) if _in_block(rest) else 0


def shared(a: Memory, b: Memory) -> Block:
    """`lutra_shared`: the words of each in order, for ever, as a stream of its own."""
    shapes = [(len(m.words), m.width) for m in (a, b)]
    kept, bits = rests(*shapes), shared_bits(*shapes)
    params: dict[str, Param] = {"BITS": bits}
    memories = {}
    for k, (memory, (depth, own)) in enumerate(zip((a, b), kept, strict=True)):
        cut = slice_bits(depth, own) if own and _in_block((depth, own)) else 0
        params |= {f"WIDTH{k}": memory.width, f"DEPTH{k}": depth, f"OWN{k}": own, f"BLOCK{k}": cut}
        if own:
            memories[f"FILE{k}"] = Memory(tuple(w & (1 << own) - 1 for w in memory.words), own, cut)
    high = tuple(w >> own for m, (_, own) in zip((a, b), kept, strict=True) for w in m.words)
    return Block("lutra_shared", params, {"WORDS": Memory(high, bits), **memories}, (), (a.width, b.width))
