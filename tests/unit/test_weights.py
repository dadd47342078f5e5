"""The memory of weights that are written: what synthesis makes of it beside what the plan reckons with."""

import numpy as np
import pytest

from lutra.hw.netlist import Memory
from lutra.ops.weights import written, written_cost
from lutra.plan.written import writes
from lutra.synth import synthesise_block
from lutra.tools.cache import Cache


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
@pytest.mark.parametrize(("depth", "width", "place"), [(512, 36, "block"), (64, 24, "lut")])
def test_cost_is_that_of_synthesis(depth, width, place, family, cache, rng):
    words = tuple(int(v) for v in rng.integers(0, 1 << width, depth))
    found = synthesise_block(written(Memory(words, width), place), family, Cache(cache))
    reckoned = written_cost(depth, width, place, family)
    assert found.bram == reckoned.bram
    assert found.ff == reckoned.ff
    assert abs(found.lut - reckoned.lut) < max(40, 0.2 * found.lut)


def test_a_word_is_written_in_parts_the_low_one_first():
    memory = Memory((0x1_2222_3333, (1 << 65) | 7), 66)
    assert writes(memory, 0x40) == [(0x40, 0x22223333), (0x44, 1), (0x48, 0), (0x50, 7), (0x54, 0), (0x58, 2)]
    assert writes(Memory((5, 6), 4), 8) == [(8, 5), (12, 6)]


def test_windows_are_powers_of_two():
    block = written(Memory(tuple(range(9)), 70), "lut")
    assert block.window == 4 * 4 * 16
    assert np.array_equal([a for a, _ in writes(block.memories["WORDS"], 0)][:4], [0, 4, 8, 16])
