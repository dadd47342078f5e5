"""Bits chosen so that a device holds the network at a frame rate."""

import json

import pytest

import lutra
from lutra.cli import call
from lutra.quant.search.plan import BitPlan

MAKE = '''
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                        nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    for _ in range(10):
        net(torch.rand(32, 2, 8, 8))
    return net.eval(), torch.zeros(1, 2, 8, 8)
'''
FPS = 150_000
SEARCH = ("--zero-shot", "--range", "0", "1", "--images", "8", "--steps", "5", "--weights", "2,4,8", "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("chip")
    (made / "net.py").write_text(MAKE)
    return made


def quantised(folder, capsys, device, name):
    code = call(["quantize", f"{folder / 'net.py'}:make", *SEARCH, "--device", device, "--fps", str(FPS),
                 "-o", str(folder / name)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_small_chip_has_fewer_bits_and_runs_them(folder, capsys):
    plans = {}
    for device, name in (("ecp5-25k", "small"), ("ecp5-85k", "large")):
        code, said, err = quantised(folder, capsys, device, name)
        assert code == 0, err
        plans[name] = BitPlan.read(folder / name / "plan.json")
        acc = lutra.compile(json.loads(said)["model"], device, fps=FPS)
        assert acc.plan.fps >= FPS
    assert sum(b.weights for b in plans["small"].bits.values()) < sum(b.weights for b in plans["large"].bits.values())
    assert plans["small"].cost["lut"] <= plans["small"].limits["lut"] < plans["large"].limits["lut"]
    assert plans["small"].score > plans["large"].score


def test_what_no_choice_reaches_is_said(folder, capsys):
    code, _, err = quantised(folder, capsys, "ice", "none")
    assert code == 2 and "unknown device" in err
    assert not (folder / "none" / "plan.json").exists()
