"""Memories of constants: how they are cut into block memories, and the files that say so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.hw.netlist import BANK, Memory
from lutra.hw.verilog import sources
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul
from lutra.ops.rom import DP16KD, RAMB18, blocks, rom_blocks, slice_bits
from lutra.synth.units import single


@given(st.integers(1, 70), st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**32))
def test_parts_are_slices_of_the_words(width, cut, depth, seed):
    rng = np.random.default_rng(seed)
    words = tuple(int.from_bytes(rng.bytes(9), "little") >> (72 - width) for _ in range(depth))
    memory = Memory(words, width, cut)
    assert memory.whole == (cut >= width)
    texts = memory.parts()
    assert len(texts) == -(-width // cut)
    for k, text in enumerate(texts):
        lines = text.splitlines()
        bits = min(cut, width - k * cut)
        assert {len(line) for line in lines} == {(bits + 3) // 4}
        assert [int(line, 16) for line in lines] == [(w >> k * cut) & ((1 << bits) - 1) for w in words]


def test_parts_go_bank_by_bank():
    words = tuple(k % 8 for k in range(BANK + 5))
    low, high, low_rest, high_rest = Memory(words, 3, 2).parts()
    assert [low.count("\n"), high.count("\n"), low_rest.count("\n")] == [BANK, BANK, 5]
    assert low_rest == "".join(f"{w & 3:x}\n" for w in words[BANK:])
    assert high_rest == "".join(f"{w >> 2:x}\n" for w in words[BANK:])


def test_the_deepest_block_is_a_bank():
    assert max(words for _, words in RAMB18) == max(words for _, words in DP16KD) == BANK


@pytest.mark.parametrize(("depth", "width", "cut", "bram"), [
    (512, 144, 144, 4),  # as wide as a block is: one file
    (8192, 36, 2, 18),  # 16 would do, with four banks behind each other
    (2048, 128, 9, 15), (65536, 9, 1, 36), (32768, 4, 1, 8), (1280, 4, 4, 1),
    (4608, 32, 32, 9),  # in full depth it were 16
])
def test_how_a_memory_is_cut(depth, width, cut, bram):
    assert slice_bits(depth, width) == cut
    assert rom_blocks(depth, width, "ecp5") == bram
    assert bram <= 1.25 * blocks(depth, width, "ecp5")


def test_the_files_of_a_unit():
    weights = np.random.default_rng(0).integers(-128, 128, (60, 60))
    x = Tensor((60,), Range(0, 1))
    block = MatMul(Constant(weights)).block(Fold(1, 6, "block"), x)
    files = sources(single(block))
    assert {f"u_weights_{k:03d}.hex" for k in range(3)} == {f for f in files if f.startswith("u_weights")}
    assert '.WEIGHTS("u_weights")' in files["unit.sv"]
