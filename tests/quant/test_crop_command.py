"""`lutra crop`: the file that it writes, widths that are edited and fed back, and what it refuses."""

import json
import runpy

import numpy as np
import pytest
import torch

from lutra.cli import call
from lutra.cli.crop import METHODS
from lutra.quant import precrop

NET = '''
import torch
from beside import width
from torch import nn

def make():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU(),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
    return net, torch.zeros(1, 3, 32, 32)
'''


@pytest.fixture
def files(tmp_path):
    """A network whose file imports one beside it, in a folder with a name that a string has to escape."""
    folder = tmp_path / "it's {here}"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    (folder / "beside.py").write_text("width = 32\n")
    return folder


def test_every_method_is_offered():
    assert METHODS == precrop.METHODS


def crop(files, *more, out="narrow.py"):
    return call(["crop", f"{files / 'net.py'}:make", *map(str, more), "-o", str(files.parent / out), "--json"])


def count(path):
    net, example = runpy.run_path(str(path))["make"]()
    net.eval()
    assert net(example).shape == (1, 10)
    return sum(p.numel() for p in net.parameters()), {k: len(v) for k, v in net.state_dict().items() if "weight" in k}


def test_the_file_makes_the_network_of_these_widths(files, capsys):
    assert crop(files, "--parameters", 0.3) == 0
    printed = json.loads(capsys.readouterr().out)
    parameters, widths = count(files.parent / "narrow.py")
    assert parameters == printed["parameters"]["after"] <= 0.3 * printed["parameters"]["before"]
    assert {p: widths[f"{p}.weight"] for p in printed["widths"]} == printed["widths"]
    assert precrop.read(files.parent / "narrow.json") == printed["widths"]
    report = (files.parent / "narrow.html").read_text()
    assert report.count('class="now"') == len(printed["widths"])


def test_a_count_is_a_budget_too_and_people_get_a_table(files, capsys):
    out = files.parent / "n.py"
    assert call(["crop", f"{files / 'net.py'}:make", "--parameters", "4000", "-o", str(out)]) == 0
    assert count(out)[0] <= 4000
    shown = capsys.readouterr().out
    assert "density asked" in shown and f"{count(out)[0]:,}" in shown and "n.json" in shown and "n.html" in shown


def test_edited_widths_are_taken_back(files):
    assert crop(files, "--parameters", 0.3) == 0
    path = files.parent / "narrow.json"
    data = json.loads(path.read_text())
    data["widths"]["0"] = 12
    path.write_text(json.dumps(data))
    assert crop(files, "--widths", path, out="again.py") == 0
    assert count(files.parent / "again.py")[1]["0.weight"] == 12
    again = json.loads((files.parent / "again.json").read_text())
    assert again["widths"] == data["widths"] and again["method"] == "given"


def test_the_same_file_makes_the_same_network(files):
    assert crop(files, "--parameters", 0.3, "--seed", 5) == 0
    a, b = (runpy.run_path(str(files.parent / "narrow.py"))["make"]()[0].state_dict() for _ in range(2))
    assert all(torch.equal(v, b[k]) for k, v in a.items())


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_scores_of_images(files, tmp_path, rng, method):
    data = tmp_path / "images"
    data.mkdir()
    x, y = rng.integers(0, 256, (40, 3, 32, 32)).astype(np.uint8), (np.arange(40) % 10).astype(np.uint8)
    np.savez(data / "some.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert crop(files, "--parameters", 0.3, "--method", method, "--data", data, "--batch", 16) == 0
    assert count(files.parent / "narrow.py")[0] > 0


@pytest.mark.parametrize("options, what", [
    ([], "there is no budget"), (["--parameters", "0"], "a budget of 0.0"),
    (["--parameters", "nan"], "a budget of nan"),
    (["--parameters", "50"], "50 parameters cannot be reached (the nearest is"),
    (["--parameters", "0.3", "--method", "snip"], "no images"),
    (["--parameters", "0.3", "--widths", "x.json"], "both given"), (["--widths", "x.json"], "cannot read it")])
def test_what_it_refuses(files, capsys, options, what):
    assert crop(files, *options) == 2
    assert what in capsys.readouterr().err
    assert not (files.parent / "narrow.py").exists()


def test_the_network_itself_is_never_overwritten(files, capsys):
    assert call(["crop", f"{files / 'net.py'}:make", "--parameters", "0.3", "-o", str(files / "net.py")]) == 2
    assert (files / "net.py").read_text() == NET
    assert call(["crop", str(files / "net.onnx"), "--parameters", "0.3"]) == 2
    assert "FILE.py:FUNCTION" in capsys.readouterr().err
