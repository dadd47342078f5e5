"""The cast against `ap_fixed` itself: the open headers that da4ml carries, compiled here."""

import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import lutra.quant as q
from lutra.quant.modes import ROUNDINGS
from lutra.tools.find import ap_types, compiler

FORMATS = ((4, 0), (8, 4), (6, -2), (3, 5), (2, 1), (9, 9))  # width and fraction, in the order of sweep.cpp
OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")
KINDS = [(True, o) for o in (*OVERFLOWS, "WRAP_SM")] + [(False, o) for o in OVERFLOWS]


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> np.ndarray:
    """What the headers store, format after format, rounding, kind, number."""
    folder = tmp_path_factory.mktemp("sweep")
    program = folder / "sweep"
    compiler()("-std=c++14", "-O1", "-w", f"-I{ap_types()}", Path(__file__).with_name("sweep.cpp").resolve(),
               "-o", program, cwd=folder)
    return np.frombuffer(subprocess.run([program], check=True, capture_output=True).stdout, np.int32)


def test_equals_the_headers(words):
    seen = 0
    for (width, fraction), rounding, (signed, overflow) in product(FORMATS, ROUNDINGS, KINDS):
        count = 1 << width + 8
        theirs = words[seen : seen + count]
        seen += count
        x = torch.arange(-count // 2, count // 2) * 2.0 ** -(fraction + 4)
        point = torch.full((2, 1), float(fraction))  # a point for each row: the way of accelerators and channels
        for ours in (q.cast(x, width, fraction, rounding, overflow, signed),
                     q.cast(x.double(), width, fraction, rounding, overflow, signed),
                     q.cast(x.view(2, -1), width, point, rounding, overflow, signed).flatten()):
            found = ours.double().numpy() * 2.0**fraction
            assert np.array_equal(found, theirs), (width, fraction, rounding, overflow, signed)
    assert seen == len(words) > 10_000_000


def test_the_number_below_a_half():
    """1/2 less one unit in the last place is below 1/2; adding 1/2 to it in single precision gives 1."""
    x = torch.tensor([0.49999997, 0.5, -0.5, 8388609.0, 1.5 - 2**-23])
    assert q.cast(x, 24, 0).tolist() == [0, 1, 0, 8388607, 1]
    assert q.cast(-x, 24, 0, "RND_MIN_INF").tolist() == [0, -1, 0, -8388608, -1]
    assert q.cast(x.double(), 25, 0).tolist() == [0, 1, 0, 8388609, 1]
