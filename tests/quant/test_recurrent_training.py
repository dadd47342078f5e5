"""Recurrent layers in fixed point: gradients, tables, and evaluation equal to the front end's reading, on every bit."""

import numpy as np
import pytest
import torch
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError
from lutra.front import load
from lutra.quant.recurrent import gru, lstm
from lutra.quant.recurrent.formats import Word
from lutra.quant.recurrent.gru import GruFunction
from lutra.quant.recurrent.lstm import LstmFunction
from lutra.quant.recurrent.tables import entries, function, indices
from lutra.rules.lower import lower
from lutra.zoo.nets.reader import LineReader, Reader, recipe

LENGTHS = torch.tensor([9, 4, 1])


class Net(nn.Module):
    """A recurrent layer and a linear one on each column."""

    def __init__(self, lstm, states):
        super().__init__()
        self.lstm, self.out = lstm, nn.Linear(states, 5)

    def forward(self, x, lengths=None):
        y = self.lstm(x, lengths) if isinstance(self.lstm, q.LSTM) else self.lstm(x)[0]
        return self.out(y)


def made(kind, sides=True, **more):
    torch.manual_seed(3)
    net = Net(kind(6, 7, bidirectional=sides, batch_first=True, **more), 14 if sides else 7)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(4)  # into the bends of the tables, and over the ends of formats
    return net


def bits(w, a, rounding="RND", overflow="SAT"):
    weights = q.Binary(power=True) if w == 1 else q.Fixed(w)
    inner = q.Recurrent(state=q.Fixed(a, a - 1, True, rounding, overflow),
                        sums=q.Fixed(10, 6, True, rounding, overflow),
                        memory=q.Fixed(9, 6, True, rounding, overflow), sigmoid_index=q.Fixed(5, 2, True, rounding),
                        tanh_index=q.Fixed(6, 3, True, "TRN", overflow))
    return q.Recipe(weights, q.Fixed(a, signed=True), first_last=0, recurrent=inner)


def quantised(net, formats, x):
    q.quantize(net, formats)
    q.calibrate(net, [x])
    return net.eval()


CASES = [
    (nn.LSTM, {}, bits(8, 8)), (nn.GRU, {}, bits(4, 4)), (nn.LSTM, {"num_layers": 2}, bits(2, 4)),
    (q.LSTM, {"peepholes": True}, bits(4, 2)), (q.LSTM, {"sides": False}, bits(1, 1, "TRN")),
    (q.GRU, {"sides": False}, bits(1, 8)), (q.LSTM, {"peepholes": True}, bits(8, 4, "RND_CONV", "WRAP")),
    (q.GRU, {}, bits(8, 8, "RND_ZERO", "SAT_ZERO")), (q.LSTM, {}, bits(3, 3, "TRN_ZERO", "WRAP_SM")),
]


@pytest.mark.parametrize(("kind", "more", "formats"), CASES)
def test_evaluation_is_what_the_front_end_reads_and_integers_are(kind, more, formats):
    x = torch.rand(3, 9, 6) * 4 - 2
    net = quantised(made(kind, **more), formats, x)
    model = load(net, x[:1])
    assert [p.name for p in model.inputs] == ["x", "lengths"]
    for lengths in (None, LENGTHS)[: 1 + isinstance(net.lstm, q.LSTM)]:
        ours = net(x, lengths).detach().double().numpy()
        given = np.full((3, 1), 9) if lengths is None else lengths[:, None].numpy()
        values = model.graph.evaluate(x.double().numpy(), given)
        np.testing.assert_array_equal(values[model.graph.outputs[0]], ours)
        found, inside = in_integers(model.graph, x.numpy(), given), np.arange(9) < given
        np.testing.assert_array_equal(found[inside], ours[inside])
    assert len(np.unique(ours)) > 4  # not all saturated


def in_integers(source, *frames):
    """What the integer graph makes of frames, in real numbers."""
    found = lower(source, None, "ecp5")
    fed = (end.integers(f) for end, f in zip(found.inputs, frames, strict=True))
    return found.output.real(found.graph.evaluate(*fed)[found.graph.outputs[0]])


def test_a_line_reader_is_compiled_with_its_decoding():
    torch.manual_seed(0)
    reader = Reader(9, 6)
    x = (torch.rand(4, 12, 32) * 16).floor() / 16
    with torch.no_grad():
        reader.out.weight.mul_(9)
    quantised(reader, recipe(4, 4), x)
    lengths = torch.tensor([12, 5, 1, 8])
    wanted = q.CTCCollapse()(reader(x, lengths).argmax(2), lengths)
    assert len(wanted.unique()) > 2
    model = load(LineReader(reader), x[:1])
    np.testing.assert_array_equal(in_integers(model.graph, x.numpy(), lengths[:, None].numpy()), wanted.numpy())


def test_lengths_that_no_sequence_has_are_refused():
    net = LineReader(quantised(Reader(9, 6), recipe(2, 2), torch.rand(2, 5, 32)))
    end = lower(load(net, torch.zeros(1, 5, 32)).graph, None, "ecp5").inputs[1]
    for length in (0, 6):
        with pytest.raises(LutraError, match=f"the integer {length} is outside"):
            end.integers(np.array([[3], [length]]))


def test_a_blank_that_is_no_class_is_refused():
    net = LineReader(quantised(Reader(9, 6), recipe(2, 2), torch.rand(2, 5, 32)))
    net.collapse.blank = 9
    with pytest.raises(LutraError, match="blank"):
        lower(load(net, torch.zeros(1, 5, 32)).graph, None, "ecp5")


def test_lengths_are_what_the_column_behind_them_does_not_change():
    x = torch.rand(3, 9, 6)
    net = quantised(made(q.LSTM), bits(4, 4), x)
    y = net(x, LENGTHS)
    for row, length, found in zip(x, LENGTHS, y, strict=True):
        assert torch.equal(net(row[None, :length])[0], found[:length])


def test_packed_sequences_of_torch_are_the_same_as_lengths():
    x = torch.rand(3, 9, 6)
    own = nn.Sequential(q.LSTM(6, 7, bidirectional=True))
    theirs = Packed()
    theirs.lstm.load_state_dict(own[0].state_dict())
    for net in (own, theirs):
        quantised(net, bits(4, 4), x)
    h, (last, memory) = theirs(x)
    wanted = [own(row[None, :length])[0] for row, length in zip(x, LENGTHS, strict=True)]
    for found, row, length in zip(h, wanted, LENGTHS, strict=True):
        assert torch.equal(found[:length], row) and not found[length:].any()
    assert torch.equal(last[0], torch.stack([row[-1, :7] for row in wanted]))
    assert torch.equal(last[1], torch.stack([row[0, 7:] for row in wanted])) and memory.isnan().all()


class Packed(nn.Module):
    """PyTorch's own way to say lengths; while it is calibrated, too."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 7, bidirectional=True, batch_first=True)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True)
        y, final = self.lstm(packed)
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], final


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gradients_in_floating_point_are_those_of_differences(kind):
    torch.manual_seed(0)
    gates = 4 if kind == "lstm" else 3

    def drawn(*shape):
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    given = [drawn(4, 2, 2, 3), drawn(2, gates * 2, 3), drawn(2, gates * 2, 2), drawn(2, gates * 2)]
    if kind == "lstm":
        assert torch.autograd.gradcheck(lambda *a: LstmFunction.apply(None, *a)[0], (*given, drawn(2, 3, 2)))
    else:
        assert torch.autograd.gradcheck(lambda *a: GruFunction.apply(None, *a), (*given, drawn(2, 2)))


@pytest.mark.parametrize("module", [lstm, gru])
def test_gradients_of_long_sequences_stay_finite(module):
    """Where gates are half open and recurrent weights alike, each step back multiplies the gradient."""
    gates, t, size = (4, 600, 8) if module is lstm else (3, 600, 8)
    state, sums = torch.full((t, 1, 2, size), 0.5), torch.zeros(t, 1, 2, gates * size)
    opened = torch.full_like(sums, 0.5)
    kept = (state, state, state) if module is lstm else (state, state)
    given = torch.zeros_like(state)
    given[-1] = 1
    u = torch.ones(1, gates * size, size)
    found = module.differentiate(module.Trace(sums, opened, *kept), given, u, *([None] if module is lstm else []))
    for d in [found] if module is lstm else found:
        assert bool(d.isfinite().all()) and 1 < float(d[0].abs().amax()) < 2 * 10


@pytest.mark.parametrize(("own", "theirs"), [(q.LSTM, nn.LSTM), (q.GRU, nn.GRU)])
def test_floating_point_is_as_torch_has_it(own, theirs):
    ours = own(6, 7, bidirectional=True)
    reference = theirs(6, 7, bidirectional=True, batch_first=True)
    reference.load_state_dict(ours.state_dict())
    x = torch.rand(3, 9, 6)
    packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True)
    wanted = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)[0]
    torch.testing.assert_close(ours(x, LENGTHS), wanted, atol=1e-6, rtol=0)


def test_training_in_few_bits_learns_what_only_the_state_remembers():
    """The first column has one of two marks, the last is to say which: the gradient goes through all the steps."""
    torch.manual_seed(0)
    net = Net(q.LSTM(4, 16), 16)
    nn.init.constant_(net.lstm.bias_ih_l0.data[16:32], 3)  # of the forget gate
    x = torch.zeros(64, 8, 4)
    kinds = torch.randint(2, (64,))
    x[torch.arange(64), 0, kinds] = 1
    x[:, 1:, 2:] = torch.rand(64, 7, 2).round()
    quantised(net, bits(3, 4), x).train()
    optimiser = torch.optim.Adam(q.parameters(net), 2e-2)
    for _ in range(80):
        loss = nn.functional.cross_entropy(net(x)[:, -1], kinds)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (net.eval()(x)[:, -1].argmax(1) == kinds).float().mean() > 0.95


@pytest.mark.parametrize("index", [Word(2, 4, True, "RND", "SAT"), Word(1, 3, True, "TRN", "WRAP")])
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_no_other_entry_has_a_smaller_squared_error(name, index):
    given, entry = Word(5, 9, True, "RND", "SAT"), Word(4, 6, True, "RND", "SAT")
    table = entries(name, given, index, entry)
    y = function(name, np.arange(-256, 256) / 32)
    at = indices(given, index) - index.ends[0]

    def error(k, value):
        return np.square(y[at == k] - value / 16).sum()

    assert set(at) == set(range(len(table)))
    for k, value in enumerate(table):
        assert all(error(k, value) <= error(k, other) for other in (value - 1, value + 1))


def test_sums_that_single_precision_does_not_hold_are_taken_in_double():
    x = torch.rand(2, 5, 6)
    wide = q.Recurrent(state=q.Fixed(14, 13, True), sums=q.Fixed(16, 11, True), memory=q.Fixed(16, 11, True))
    net = quantised(made(q.LSTM), q.Recipe(q.Fixed(14), q.Fixed(14), recurrent=wide), x)
    assert net(x).dtype == torch.float64
    model = load(net, x[:1])
    values = model.graph.evaluate(x.double().numpy(), np.full((2, 1), 5))
    np.testing.assert_array_equal(values[model.graph.outputs[0]], net(x).detach().numpy())


def test_collapse():
    labels = torch.tensor([[0, 3, 3, 0, 3, 2, 2, 0], [1, 1, 1, 1, 1, 1, 1, 1]])
    assert q.CTCCollapse()(labels).tolist() == [[3, 3, 2, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0]]
    assert q.CTCCollapse(3)(labels, torch.tensor([2, 1])).tolist() == [[0, *[3] * 8], [1, *[3] * 8]]


class Started(nn.Module):
    """A layer whose states are given at the start."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 7, batch_first=True)

    def forward(self, x):
        return self.lstm(x, (torch.ones(1, 1, 7), torch.zeros(1, 1, 7)))[0]


REFUSED = [
    (lambda: q.Recurrent(state=q.Fixed(8)), "no binary point"),
    (lambda: q.Recurrent(sums=q.Fixed(17)), "17 bits"),
    (lambda: q.Recurrent(tanh_index=q.Fixed(13, 4)), "13 bits"),
    (lambda: q.Recurrent(memory=q.Fixed(8, per_channel=True)), "each channel"),
    (lambda: quantised(made(q.LSTM), q.Recipe(q.Scaled(4), q.Fixed(4)), torch.rand(1, 3, 6))(torch.rand(1, 3, 6)),
     "no power of two"),
    (lambda: q.LSTM(6, 7)(torch.rand(2, 3, 6), torch.tensor([3, 0])), "a length of 0"),
    (lambda: q.LSTM(6, 7)(torch.rand(2, 3, 6), torch.tensor([3])), "for 2 sequences"),
    (lambda: quantised(Started(), bits(4, 4), torch.rand(1, 3, 6)), "not zero"),
    (lambda: q.CTCCollapse(-1), "a blank of -1"),
    (lambda: quantised(Net(nn.LSTM(6, 7, proj_size=3, batch_first=True), 3), bits(4, 4), torch.rand(1, 3, 6)),
     "projections"),
]


@pytest.mark.parametrize(("act", "said"), REFUSED)
def test_refused(act, said):
    with pytest.raises(LutraError, match=said):
        act()
