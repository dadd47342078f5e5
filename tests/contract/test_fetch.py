"""Words streamed from off-chip memory: the right ones, for ever, however slow the memory; and at which rate."""

import numpy as np
import pytest

from lutra.hw.netlist import Block, End, Instance, Netlist, Stream
from lutra.ops.fetch.op import LATENCY, Fetch
from lutra.sim.rtl import Memory, RtlModel, Stimulus
from lutra.tools.cache import Cache

SIZES = [  # words, bits: of one beat, and beyond 4 KiB; wider and narrower than a beat, dividing it or not
    (1, 1), (5, 8), (13, 31), (600, 64), (257, 96), (1025, 32), (9, 260), (3, 513), (4099, 12)]
GATHERED = 2  # rounds a frame
MEMORIES = [
    Memory(latency=1), Memory(latency=3, outstanding=1), Memory(latency=130, outstanding=2),
    Memory(latency=17, stalls=0.4), Memory(latency=40, rate=3.7), Memory(latency=9, rate=70.0, stalls=0.7)]


def words_of(size, seed=1):
    count, width = size
    bits = np.random.default_rng(seed).integers(0, 2, (count, width), np.uint8)
    return bits, tuple(int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=1, bitorder="little"))


def design(size):
    """One word in, and behind it in the output rounds of those that are fetched."""
    count, width = size
    joined = {"PE": width, "OBITS": 1, "WORDS0": 1, "WORDS1": GATHERED * count}
    gate = Block("lutra_concat", joined, inputs=(width, width), outputs=(width,))
    instances = (Instance("u0", Fetch(count, width).block(words_of(size)[1]), (), ("w",)),
                 Instance("u1", gate, ("x", "w"), ("y",)))
    streams = (Stream("x", width, None, "u1"), Stream("w", width, "u0", "u1"), Stream("y", width, "u1", None))
    return Netlist("fetching", instances, streams, (End("x", 1),), (End("y", 1 + GATHERED * count),))


@pytest.fixture(scope="module")
def model(cache):
    return RtlModel.build_many([design(size) for size in SIZES], Cache(cache), fast=False)


def run(model, memory, frames, stalls=0.0, seed=0):
    given = [np.zeros((frames, (width + 7) // 8), np.uint8) for _, width in SIZES]
    return model.run_many([Stimulus(x, stalls, seed, memory=memory) for x in given], patience=20_000)


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("stalls", [0.0, (0.0, 0.6)])
def test_every_word_in_order_however_slow_the_memory(model, memory, stalls):
    for seed, frames in ((0, 2), (1, 3)):
        for size, result in zip(SIZES, run(model, memory, frames, stalls, seed), strict=True):
            found = result.words.reshape(frames, -1, result.words.shape[1])[:, 1:]
            one = np.packbits(words_of(size)[0], axis=1, bitorder="little")
            assert np.array_equal(found, np.tile(one, (frames, GATHERED, 1))), size


def test_a_memory_of_the_planned_latency_keeps_up(model):
    """Words come at the planned rate: one a cycle, or one in as many cycles as it has beats."""
    for size, result in zip(SIZES, run(model, Memory(LATENCY), 3), strict=True):
        left = result.left.reshape(3, -1)[-1]
        rate, many = Fetch(*size).join, GATHERED * size[0]
        assert left[-1] - left[1] == (many - 1) * rate, size


def test_a_slow_memory_gives_its_bandwidth_and_no_less(model):
    """What was read by the last word's time is that time's bandwidth, but for the first latency and a beat or two."""
    for rate in (1.5, 7.25):
        tested = 0
        for size, result in zip(SIZES, run(model, Memory(LATENCY, rate=rate), 12), strict=True):
            beat, cycles = Fetch(*size).bus // 8, int(result.left[-1])
            if beat / Fetch(*size).per > rate and cycles > 10 * LATENCY:
                assert abs(result.fetched[0] - rate * (cycles - LATENCY)) <= 2 * beat + 8 * rate, (size, rate)
                tested += 1
        assert tested >= 3


def test_the_layout_in_memory():
    """By hand: three words of 12 bits, two to a beat of 32; one of 40 bits in a beat of 64."""
    words = tuple(range(0xA00, 0xA00 + 1025))
    assert Fetch(1025, 12).image(words)[:8] == bytes.fromhex("001aa000" "023aa000")
    assert Fetch(1025, 12).image(words)[-4:] == bytes.fromhex("000e0000")
    assert Fetch(1, 40).image((0x1122334455,)) == 256 * bytes.fromhex("5544332211000000")
    assert Fetch(20, 513).size == 20 * 128 and Fetch(20, 513).image(tuple(range(20)))[19 * 128] == 19
