"""Faults that are put into HLS headers are found by the contract's cases."""

import pytest
from cases import choose

import lutra.sim.csim
from lutra.errors import LutraError
from lutra.ops import units
from lutra.sim.csim import CModel
from lutra.tools.cache import Cache

FEW, MANY = 6, 16  # cases
FAULTS = [
    ("MatMul", FEW, "matmul.hpp", "(first ? begin : sums[p]) + more", "sums[p] + more"),
    ("MatMul", FEW, "dots.hpp", "BIPOLAR ? lutra_signs<SIMD>(stored) : stored", "stored"),
    ("MatMul", MANY, "dots.hpp", "(XSIGNED && b == XBITS - 1) !=", "false !="),
    ("Threshold", FEW, "threshold.hpp", "x >= lutra_at", "x > lutra_at"),
    ("Threshold", FEW, "threshold.hpp", "falls ? ap_uint<K>(~found) : found", "found"),
    ("Window", FEW, "window.hpp", "last_row ? FREE_LAST : FREE", "FREE"),
    ("Width", FEW, "width.hpp", "left -= OUT_LANES;", "left = 0;"),
    ("Reorder", FEW, "reorder.hpp", "half = half == 0 ? WORDS : 0;", ""),
    ("Requant", MANY, "requant.hpp", "mode == 2 ? AP_RND :", "mode == 2 ? AP_TRN :"),
    ("Depthwise", FEW, "depthwise.hpp", "code == 1 ? 1 : 3", "1"),
]


@pytest.mark.parametrize(("unit", "cases", "file", "right", "wrong"), FAULTS)
def test_faults_are_found(unit, cases, file, right, wrong, cache, monkeypatch):
    chosen = choose(next(u for u in units() if u.__name__ == unit), cases)
    own = lutra.sim.csim.sources

    def faulty(netlist):
        files = own(netlist)
        assert file not in files or right in files[file]
        return {name: text.replace(right, wrong) if name == file else text for name, text in files.items()}

    monkeypatch.setattr(lutra.sim.csim, "sources", faulty)
    model = CModel.build_many([c.netlist for c in chosen], Cache(cache), fast=False)
    frames = [c.frames(c.count, start=k) for k, c in enumerate(chosen)]
    try:
        results = model.run_many([c.words(v, ragged=False) for c, v in zip(chosen, frames, strict=True)])
    except LutraError:
        return
    assert not all(c.same(v, words) for c, v, ends in zip(chosen, frames, results, strict=True) for words in ends)
