"""Recipes whose elementwise layers have real scales: what is cast, and that products are those of integers."""

import pytest
import torch
from torch import nn

import lutra.quant as q

FORMS = q.Recipe(q.Scaled(4, per_channel=True), q.Scaled(6), q.Scaled(5), first_last=0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)
        self.last = nn.Linear(3, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.a(x)))
        return self.last((x + self.b(x)).mean((2, 3)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    made = Net()
    for _ in range(5):
        made(torch.rand(8, 2, 5, 5) + 0.3)
    q.quantize(made, FORMS)
    q.calibrate(made, [torch.rand(16, 2, 5, 5)], "mse")
    return made


def test_normalisation_has_no_cast_and_streams_that_meet_have_one_each(net):
    assert {row.name for row in q.formats(net)} == {
        "a (weight)", "b (weight)", "last (weight)", "a (input)", "b (input)", "last (input)", "the network (operand)",
        "the network (operand_1)", "the network (operand_2)", "the network (add)", "the network (mean)"}


def test_products_are_whole_numbers_of_their_unit(net):
    seen = {}
    hooks = [m.register_forward_hook(lambda m, _, out: seen.update({m: out})) for m in (net.a, net.b, net.last)]
    with torch.no_grad():
        net.eval()(torch.rand(4, 2, 5, 5))
    for hook in hooks:
        hook.remove()
    sites = {site.name: site for site in q.sites(net)}
    for path, shape in (("a", (3, 1, 1)), ("b", (3, 1, 1)), ("last", (4,))):
        unit = (sites[f"{path} (input)"].unit() * sites[f"{path} (weight)"].unit().flatten()).view(shape)
        out = seen[net.get_submodule(path)]
        assert out.dtype == torch.float64 and (out / unit).abs().max() > 5
        assert (out / unit - (out / unit).round()).abs().max() < 1e-12


def test_frozen_statistics_are_those_of_evaluation(net):
    q.freeze(net)
    before = net.norm.running_mean.clone()
    x = torch.rand(4, 2, 5, 5) + 1
    with torch.no_grad():
        trained, evaluated = net.train()(x), net.eval()(x)
    assert torch.equal(net.norm.running_mean, before)
    torch.testing.assert_close(trained, evaluated.to(trained.dtype), rtol=1e-3, atol=1e-3)
