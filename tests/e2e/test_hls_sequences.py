"""Whole networks of sequences: C simulation of the HLS form, the RTL and the integer graph, all equal."""

import numpy as np
import pytest
import torch
from torch import nn

import lutra
import lutra.quant as q
from lutra.deploy import hls
from lutra.errors import LutraError
from lutra.hw.forms import SIMULATED
from lutra.hw.verilog import word_bytes
from lutra.tools.find import ap_types, compiler
from lutra.tools.run import run

LONGEST = 9
LENGTHS = np.array([[9], [1], [4], [2], [9], [7], [1]])


class Chain(nn.Module):
    """All kinds of cells, one behind the other; scores, what they spell, and what both directions of a cell made."""

    def __init__(self):
        super().__init__()
        self.first = q.LSTM(6, 4, bidirectional=True, peepholes=True)
        self.second = q.LSTM(8, 4)
        self.third = q.GRU(4, 2, bidirectional=True)
        self.out, self.collapse = nn.Linear(4, 5), q.CTCCollapse()

    def forward(self, x):
        h = self.third(self.second(self.first(x)))
        scores = self.out(h)
        return scores, self.collapse(scores.argmax(2)), h


def quantised(net, x):
    inner = q.Recurrent(state=q.Fixed(4, 3, True), sums=q.Fixed(9, 5, True), memory=q.Fixed(8, 5, True),
                        sigmoid_index=q.Fixed(5, 2, True), tanh_index=q.Fixed(5, 3, True))
    q.quantize(net, q.Recipe(q.Fixed(3), q.Fixed(4, signed=True), recurrent=inner, first_last=0))
    q.calibrate(net, [x])
    return net.eval()


def calibrated(net, x):
    torch.manual_seed(3)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(4)  # into the bends of the tables
        net.out.weight.copy_(torch.randint(-3, 4, net.out.weight.shape))
        net.out.bias.zero_()
    return quantised(net, x)


@pytest.fixture(scope="module")
def chain(cache):
    torch.manual_seed(0)
    x = torch.rand(len(LENGTHS), LONGEST, 6) * 4 - 2
    torch.manual_seed(1)
    return lutra.compile(calibrated(Chain(), x), x[:1], "xc7z020", fps=200_000, cache=cache), x.numpy()


def test_hls_is_the_rtl_is_the_integers(chain):
    acc, x = chain
    integers = len(LENGTHS) * (LONGEST * 5 + LONGEST + 1 + LONGEST * 4)
    assert acc.verify((x, LENGTHS), backend="hls") == acc.verify((x, LENGTHS)) == integers
    values = acc.run((x, LENGTHS), raw=True)
    assert all(len(np.unique(y)) > 3 for y in values), "results that hardly differ tell little"
    assert all(np.array_equal(a, b) for a, b in zip(values, acc.simulate((x, LENGTHS), raw=True, backend="hls"),
                                                    strict=True))


def test_what_stands_behind_an_end_changes_nothing(chain):
    """All columns travel in HLS: those behind a sequence's end may hold anything."""
    acc, x = chain
    other = np.where((np.arange(LONGEST) < LENGTHS)[..., None], x, -x[::-1])
    assert (other != x).any()
    for ours, theirs in zip(acc.simulate((other, LENGTHS), raw=True, backend="hls"), acc.run((x, LENGTHS), raw=True),
                            strict=True):
        assert np.array_equal(ours, theirs)


@pytest.fixture(scope="module")
def folder(chain, tmp_path_factory):
    return chain[0].save(tmp_path_factory.mktemp("sequences") / "build", backend="both")


def test_the_test_bench_counts_wrong_words_before_a_sequence_s_end(chain, folder, tmp_path):
    acc, _ = chain
    (tmp_path / "bench.cpp").write_text(hls.testbench(acc.hls_netlist))
    include = [f"-I{folder / 'hls'}", "-isystem", SIMULATED, "-isystem", ap_types()]
    compiler()("-std=c++14", "-O0", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-uninitialized",
               "-Wno-maybe-uninitialized", "-Werror", *include, folder / "hls" / "lutra_top.cpp",
               tmp_path / "bench.cpp", "-o", tmp_path / "bench")
    raw = bytearray(acc.vectors(6, seed=1))
    (tmp_path / "right").write_bytes(raw)
    assert run([str(tmp_path / "bench"), str(tmp_path / "right")]).strip() == "6 frames, 0 wrong words"
    raw[-1 - size_behind(acc, raw)] ^= 1
    (tmp_path / "wrong").write_bytes(raw)
    with pytest.raises(LutraError, match="1 wrong words"):
        run([str(tmp_path / "bench"), str(tmp_path / "wrong")])


def size_behind(acc, raw):
    """Bytes behind the end of the last sequence in the vectors, whose last output has its states."""
    end = acc.hls_netlist.outputs[-1]
    size = word_bytes(acc.hls_netlist.width(end.stream))
    known = int.from_bytes(raw[-end.words * size - 4 : -end.words * size], "little")
    assert 0 < known < end.words
    return (end.words - known) * size


class Again(nn.Module):
    """Labels that are read in two places."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out, self.collapse = q.LSTM(6, 4), nn.Linear(4, 5), q.CTCCollapse()

    def forward(self, x):
        labels = self.collapse(self.out(self.lstm(x)).argmax(2))
        return labels, labels


def test_labels_that_are_read_again_are_refused():
    x = torch.rand(2, LONGEST, 6)
    with pytest.raises(LutraError, match="labels of CTC's decoding are read again"):
        lutra.compile(calibrated(Again(), x), x[:1])
