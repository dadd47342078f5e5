"""Lines of text read by recurrent networks: the trained one of the repository, and a small one through its RTL."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lutra
import lutra.quant as q
from lutra.errors import LutraError
from lutra.train import lines
from lutra.train.reading import compiled, read_by
from lutra.zoo.nets.reader import LineReader, Reader, recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import read_fraktur


def test_the_trained_network_reads_its_line(capsys, monkeypatch, cache):
    monkeypatch.setattr(sys, "argv", ["read_fraktur.py", "--cache", str(cache)])
    read_fraktur.main()
    assert "read:    Lutra lie\u017ft Fraktur\n" in capsys.readouterr().out


def test_test_lines_are_read_by_the_integers_as_by_the_network(data, cache):
    found = lines.load(data / "ocr")
    net, alphabet = read_fraktur.network()
    assert alphabet == found.alphabet
    picked = np.argsort(found.test.lengths)[[0, 40]].tolist()
    x, lengths = found.test.tensor(picked)
    few = lines.Lines(found.train, lines.Texts([found.test.images[i] for i in picked], ["", ""]))
    said = read_by(compiled(net, x.shape[1], "xc7z020", fps=100, cache=cache), few, range(2))
    with torch.no_grad():
        labels = q.CTCCollapse()(net(x, lengths).argmax(2), lengths)
    assert said == [found.said(row) for row in labels.tolist()]
    assert lines.right(said, [found.test.texts[i] for i in picked]) > 0.9


@pytest.fixture(scope="module")
def small(cache):
    torch.manual_seed(0)
    reader = Reader(9, 6)
    x = (torch.rand(4, 12, 32) * 16).floor() / 16
    with torch.no_grad():
        reader.out.weight.mul_(9)
    q.calibrate(q.quantize(reader, recipe(4, 4)), [x])
    return lutra.compile(LineReader(reader), x[:1], "xc7z020", fps=100_000, cache=cache), x.numpy()


def test_lines_of_several_lengths_through_the_rtl(small):
    acc, x = small
    lengths = np.array([[12], [5], [1], [8]])
    assert len(np.unique(acc.run((x, lengths)))) > 2
    assert acc.verify((x, lengths)) == 4 * 13
    assert acc.verify((x, lengths), stalls=0.4, seed=3) == 4 * 13


def test_cycles_of_the_longest_lines_are_those_of_the_plan(small):
    acc, _ = small
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_a_build_folder_of_it_is_read_back(small, tmp_path):
    acc, x = small
    again = lutra.load(acc.save(tmp_path / "reader"))
    lengths = np.array([[3], [12], [2], [1]])
    assert (again.run((x, lengths)) == acc.run((x, lengths))).all()
    assert (again.reference((x, lengths)) == acc.reference((x, lengths))).all()


@pytest.mark.parametrize("length", [0, 13])
def test_lengths_that_the_hardware_has_no_room_for(small, length):
    acc, x = small
    with pytest.raises(LutraError, match=f"the integer {length} is outside the input range 1..12"):
        acc.run((x, np.array([[1], [length], [2], [3]])))


def test_a_whole_line_by_c_simulation(cache):
    """The RTL of this design is in bench/ocr.py, and in the example's --simulate."""
    net, _ = read_fraktur.network()
    x, lengths = read_fraktur.own_line().tensor([0])
    acc = compiled(net, x.shape[1], read_fraktur.DEVICE, fps=200, cache=cache)
    assert acc.verify((x.numpy(), lengths[:, None].numpy()), backend="hls") == int(lengths[0]) + 1 == 321
