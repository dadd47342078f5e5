"""Groups of sequences that recurrent layers take in turn: the results of each alone, in fewer cycles."""

import numpy as np
import pytest
import torch
from test_hls_sequences import LENGTHS, LONGEST, calibrated
from torch import nn

import lutra
import lutra.quant as q

COUNTS = {"one lstm": 2, "one direction": 4, "both directions": 3}  # sequences; of 7 none is a divisor
FOLDS = {"lstm0": {"pe": 2, "simd": 6, "simd_r": 4}, "gru0": {"pe": 2, "simd": 4, "simd_r": 4}}


class Layers(nn.Module):
    """Recurrent layers one behind the other, scores of each column, and what they spell."""

    def __init__(self, kind):
        super().__init__()
        cells = {"one lstm": [q.LSTM(6, 4)], "one direction": [q.LSTM(6, 4, peepholes=True), q.GRU(4, 4)],
                 "both directions": [q.LSTM(6, 4, bidirectional=True, peepholes=True), q.GRU(8, 4, bidirectional=True)]}
        self.cells = nn.ModuleList(cells[kind])
        self.out, self.collapse = nn.Linear(8 if kind == "both directions" else 4, 5), q.CTCCollapse()

    def forward(self, x):
        for cell in self.cells:
            x = cell(x)
        scores = self.out(x)
        return scores, self.collapse(scores.argmax(2))


@pytest.fixture(scope="module", params=COUNTS)
def both(request, cache):
    """A network for sequences one by one, and for groups of them, with the same folds; sequences."""
    x = torch.rand(len(LENGTHS), LONGEST, 6, generator=torch.Generator().manual_seed(0)) * 4 - 2
    torch.manual_seed(4)
    net = calibrated(Layers(request.param), x)
    folds = {name: fold for name, fold in FOLDS.items() if name == "lstm0" or len(net.cells) > 1}
    alone, turns = (lutra.compile(net, x[:1], "xc7z020", folding=folds, interleave=count, cache=cache)
                    for count in (1, COUNTS[request.param]))
    return alone, turns, x.numpy()


def results(acc, x, lengths=LENGTHS):
    return acc.run((x, lengths), raw=True)


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_each_sequence_gives_what_it_gives_alone(both):
    alone, turns, x = both
    wanted = results(alone, x)
    assert all(len(np.unique(y)) > 3 for y in wanted), "results that hardly differ tell little"
    assert same(results(turns, x), wanted)
    for count in (1, 2, 5):
        assert same(results(turns, x[-count:], LENGTHS[-count:]), [y[-count:] for y in wanted])


def test_what_stands_behind_an_end_changes_nothing(both):
    _, turns, x = both
    other = np.where((np.arange(LONGEST) < LENGTHS)[..., None], x, -x[::-1])
    assert (other != x).any()
    assert same(results(turns, other), results(turns, x))


@pytest.mark.parametrize("how", [{}, {"stalls": 0.5, "seed": 3}, {"backend": "hls"}], ids=str)
def test_rtl_and_c_simulation_are_the_integers(both, how):
    _, turns, x = both
    assert turns.verify((x, LENGTHS), **how) == len(LENGTHS) * (LONGEST * 5 + LONGEST + 1)


def test_the_interval_is_the_plan_s_and_less_a_sequence(both):
    alone, turns, _ = both
    count = turns.plan.interleave
    assert turns.measure() == {"interval": turns.interval, "latency": turns.latency}
    assert turns.interval < count * alone.interval
    assert turns.fps == pytest.approx(alone.fps * count * alone.interval / turns.interval)
