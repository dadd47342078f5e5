"""A layer's cost by its bits: what a plan of the whole network takes, less what stands between units."""

import pytest
import torch
from torch import nn

import lutra
import lutra.quant as q
from lutra.costing import hardware_cost
from lutra.errors import LutraError
from lutra.ops.fifo.op import Fifo
from lutra.ops.width.op import Width
from lutra.plan.candidates import RESOURCES, vector
from lutra.plan.devices import device
from lutra.plan.prices import prices
from lutra.quant.search.costs import Bits
from lutra.quant.search.layers import layers

RECIPE = q.Recipe(q.Fixed(8, per_channel=True), q.Fixed(8), q.Fixed(8))
CHOICES = [Bits(w, a) for w in (2, 4, 8) for a in (4, 8)]
FPS = 20_000


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        return self.last((x + self.second(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def cost():
    return hardware_cost(Net(), images(), "xc7z020", FPS, CHOICES, RECIPE)


def images():
    return torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_every_layer_has_a_cost_that_grows_with_its_bits(cost):
    for found in layers(Net(), images()[:1]):
        lut = {b: cost(found, b)[0]["lut"] for b in CHOICES}
        assert all(v > 0 for v in lut.values()), found.path
        assert lut[Bits(2, 4)] < lut[Bits(4, 4)] < lut[Bits(8, 8)], (found.path, lut)
        assert lut[Bits(4, 4)] < lut[Bits(4, 8)], (found.path, lut)


def test_the_layers_costs_are_those_of_the_whole_plan_but_for_what_stands_between_units(cost):
    price = prices(device("xc7z020"))
    for bits in (Bits(8, 8), Bits(4, 8)):
        form = q.Recipe(q.Fixed(bits.weights, per_channel=True), q.Fixed(bits.activations), q.Fixed(8), first_last=0)
        net = q.quantize(Net().eval(), form)
        q.calibrate(net, [images()], "mse")
        plan = lutra.compile(net, images()[:1], device="xc7z020", fps=FPS).plan
        units = sum(price @ vector(s.cost("xc7")) for s in plan.stages if not isinstance(s.unit, Fifo | Width))
        parts = [cost(found, bits)[0] for found in layers(Net(), images()[:1])] + [cost.rest]
        total = sum(price @ [part[r] for r in RESOURCES] for part in parts)
        # a unit may be folded for its neighbours' sake, so that the whole is never cheaper than its parts
        assert 0.75 * units < total <= units * (1 + 1e-9)


def test_ways_are_what_multipliers_or_memories_save_in_luts(cost):
    price = prices(device("xc7z020"))
    (first, *_) = layers(Net(), images()[:1])
    ways = cost(first, Bits(8, 8))
    worth = [price @ [way[r] for r in RESOURCES] for way in ways]
    assert worth == sorted(worth) and len(ways) > 2
    assert min(way["lut"] for way in ways if way["dsp"]) < min(way["lut"] for way in ways if not way["dsp"])
    for a in ways:  # none is beaten by another
        assert not any(all(b[r] <= a[r] for r in RESOURCES) for b in ways if b is not a)
    assert not any(way["dsp"] for way in cost(first, Bits(2, 4)))  # synthesis gives small products no multiplier


def test_bits_that_were_not_priced_are_named(cost):
    (first, *_) = layers(Net(), images()[:1])
    with pytest.raises(LutraError, match=r"Bits\(weights=3, activations=3\) was not priced"):
        cost(first, Bits(3, 3))


def test_a_rate_that_no_fold_reaches_names_the_layer():
    with pytest.raises(LutraError, match="cycles a frame are too few"):
        hardware_cost(Net(), images(), "xc7z020", 5e7, CHOICES[:1], RECIPE)
