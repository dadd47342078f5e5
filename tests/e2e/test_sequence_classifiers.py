"""Networks that make one answer of a whole sequence: PyTorch, the integer graph, the RTL and C simulation agree."""

import copy

import numpy as np
import pytest
import torch
from test_hls_sequences import LENGTHS, LONGEST, quantised
from torch import nn

import lutra
import lutra.quant as q
from lutra.errors import LutraError


class Heads(nn.Module):
    """The usual forms: the last column, the final states of both directions, those of the last of two layers."""

    def __init__(self):
        super().__init__()
        self.last = q.LSTM(6, 4, bidirectional=True, peepholes=True)
        self.both = nn.GRU(6, 3, batch_first=True, bidirectional=True)
        self.deep = nn.LSTM(6, 4, 2, batch_first=True)
        self.alone = nn.LSTM(6, 2, batch_first=True)
        self.out = nn.ModuleList(nn.Linear(n, 3) for n in (8, 6, 4, 2))

    def forward(self, x):
        _, both = self.both(x)
        _, (deep, _) = self.deep(x)
        _, (final, _) = self.alone(x)
        states = (self.last(x)[:, -1], torch.cat((both[-2], both[-1]), dim=1), deep[-1], final.squeeze(0))
        return tuple(out(h) for out, h in zip(self.out, states, strict=True))


def loud(net, x):
    torch.manual_seed(5)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(3)
    return quantised(net, x)


@pytest.fixture(scope="module")
def heads(cache):
    torch.manual_seed(0)
    x = torch.rand(len(LENGTHS), LONGEST, 6) * 4 - 2
    net = loud(Heads(), x)
    return net, lutra.compile(net, x[:2], "xc7z020", fps=100_000, cache=cache), x


def test_answers_are_those_of_the_network_on_each_sequence_alone(heads):
    net, acc, x = heads
    found = acc.run((x.numpy(), LENGTHS))
    with torch.no_grad():
        alone = [net(row[None, :length]) for row, (length,) in zip(x, LENGTHS.tolist(), strict=True)]
    for k, ours in enumerate(found):
        wanted = torch.cat([answers[k] for answers in alone]).double().numpy()
        assert np.array_equal(ours, wanted)
        assert len(np.unique(ours)) > 6


def test_the_rtl_and_c_simulation_equal_the_integers(heads):
    _, acc, x = heads
    assert acc.verify((x.numpy(), LENGTHS), stalls=0.3) == len(LENGTHS) * 12
    assert acc.verify((x.numpy(), LENGTHS), backend="hls") == len(LENGTHS) * 12
    assert acc.measure()["interval"] == acc.interval


def test_final_states_that_are_no_frames_are_refused():
    class States(nn.Module):
        def __init__(self, how):
            super().__init__()
            self.gru, self.how = nn.GRU(6, 3, batch_first=True), how

        def forward(self, x):
            return self.how(self.gru(x)[1])

    x = torch.rand(2, LONGEST, 6)
    for how, said in ((lambda h: h, "its first axis is not the batch"), (torch.relu, "of final states")):
        with pytest.raises(LutraError, match=said):
            lutra.compile(loud(States(how), x), x)


class ColumnsFirst(nn.Module):
    """Recurrent layers as PyTorch makes them by default, columns before the batch, behind a layer on each column."""

    def __init__(self, end):
        super().__init__()
        self.first, self.lstm, self.gru = nn.Linear(6, 5), nn.LSTM(5, 4, bidirectional=True), nn.GRU(8, 3)
        self.out, self.end = nn.Linear(3, 4), end

    def forward(self, x):
        h, _ = self.lstm(torch.relu(self.first(x)).permute(1, 0, 2))
        return self.end(self, self.gru(torch.relu(h))[0])


ENDS = {"last": lambda net, h: net.out(h[-1]), "columns": lambda net, h: net.out(h).transpose(0, 1)}


@pytest.mark.parametrize("end", ENDS)
def test_columns_may_be_before_the_batch_inside(end):
    torch.manual_seed(1)
    x = torch.rand(len(LENGTHS), LONGEST, 6) * 4 - 2
    net = loud(ColumnsFirst(ENDS[end]), x)
    found = lutra.compile(net, x[:2], "xc7z020").run((x.numpy(), LENGTHS))
    again = copy.deepcopy(net)
    for y, row, (length,) in zip(found, x, LENGTHS.tolist(), strict=True):
        wanted = net(row[None, :length])
        assert torch.equal(again(row[None, :length]), wanted)
        assert np.array_equal(y if end == "last" else y[:length], wanted[0].detach().double().numpy())
    assert len(np.unique(found)) > 6


@pytest.mark.parametrize(("end", "said"), [
    (lambda net, h: net.out(h), "its first axis is not the batch"),
    (lambda net, h: net.out(h.mean(0)), "mean reads data whose first axis is not the batch"),
    (lambda net, h: torch.cat((h, h), 2), "cat reads data whose first axis is not the batch"),
])
def test_what_needs_the_batch_first_is_refused(end, said):
    net = loud(ColumnsFirst(end), torch.rand(4, LONGEST, 6))
    with pytest.raises(LutraError, match=said):
        lutra.compile(net, torch.zeros(2, LONGEST, 6), "xc7z020")


def test_wrong_inputs_of_a_layer_are_still_said():
    net = loud(ColumnsFirst(ENDS["last"]), torch.rand(4, LONGEST, 6))
    with pytest.raises(RuntimeError, match="Expected 5, got 4"):
        net.lstm(torch.rand(3, 2, 4))
