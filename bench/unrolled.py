"""The jet tagger fully unrolled, a frame a cycle: LUTs, cycles and exactness, beside da4ml's own Verilog for it.

    python bench/unrolled.py             # half an hour on 2 cores, most of it in Yosys

Lutra's is what `lutra.compile` gives for a frame rate like the clock, as the plan chooses. The peer's is the same
network ported to da4ml's tracing API (bench/da4ml_peer.py), with as many adders between registers. Both designs go
whole through the same Yosys with the same options, and both get the same random frames.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from da4ml_peer import TOP, Peer, ported
from platformdirs import user_cache_dir
from shared import Board, parser

import lutra
from lutra.hw.pipelined import LEVELS
from lutra.ir import Array
from lutra.synth import Resources, synthesise_files
from lutra.tools.cache import Cache

DEVICE, CLOCK_MHZ = "xc7z020", 100.0
FORMAT = {"input_range": (-(2**15), 2**15 - 1), "input_scale": 2.0**-10}
FRAMES = 10_000
SLACK = 1.05  # of the peer's LUTs


def frames(seed: int) -> Array:
    """Integers of 16 features, most within the range that the network was trained for, some far outside."""
    rng = np.random.default_rng(seed)
    near, far = rng.normal(0, 2**11, (FRAMES, 16)), rng.integers(-(2**15), 2**15, (FRAMES, 16))
    return np.where(rng.random((FRAMES, 1)) < 0.8, np.clip(near, -(2**15), 2**15 - 1), far).astype(np.int64)


def counted(acc: lutra.Accelerator, peer: Peer, cache: Cache) -> tuple[Resources, Resources]:
    """Both designs by Yosys, at once."""
    designs = [(acc.rtl(), acc.netlist.name), (peer.files(), TOP)]
    family = acc.plan.device.family
    with ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(lambda d: synthesise_files(*d, family, cache), designs)
    return ours, theirs


def main() -> None:
    """Exactness, cycles, LUTs."""
    args = parser(__doc__).parse_args()
    board, cache = Board(), Cache(Path(args.cache or user_cache_dir("lutra")))
    model = args.data / "models" / "qonnx_model_zoo" / "qkeras_jettagging.onnx"
    acc = lutra.compile(model, DEVICE, fps=CLOCK_MHZ * 1e6, clock_mhz=CLOCK_MHZ, cache=cache.root, **FORMAT)
    peer, x = ported(acc.lowered.graph, LEVELS), frames(0)
    want = acc.run(x, raw=True)
    differ = int((acc.simulate(x, raw=True) != want).any(axis=1).sum())
    board.bar(f"frames of {FRAMES} in which the RTL differs from the integers", differ, most=0)
    stalled = int((acc.simulate(x[:500], stalls=0.3, raw=True) != want[:500]).any(axis=1).sum())
    board.bar("frames of 500 in which it differs under stalls", stalled, most=0)
    rounded = int((peer.evaluate(x).reshape(want.shape) != want).any(axis=1).sum())
    board.show(f"frames of {FRAMES} in which the port to da4ml differs (rounding)", rounded)
    measured = acc.measure()
    board.bar("cycles from frame to frame, measured", measured["interval"], most=1)
    board.bar("cycles of latency, measured", measured["latency"], most=peer.latency)
    board.show("cycles of latency of da4ml's", peer.latency)
    ours, theirs = counted(acc, peer, cache)
    board.show("LUT6 estimated by the plan", acc.plan.cost.lut)
    board.show("LUT6", ours.lut)
    board.show("LUT6 of da4ml's", theirs.lut)
    board.bar("LUT6 over da4ml's", ours.lut / theirs.lut, most=SLACK)
    board.show("flip-flops", ours.ff)
    board.show("flip-flops of da4ml's", theirs.ff)
    board.end()


if __name__ == "__main__":
    main()
