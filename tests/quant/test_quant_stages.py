"""Calibration, training, freezing, and what is said when something is amiss."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from test_training_network import RECIPE, Small, small
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError


def by_name(net):
    return {s.name: s for s in q.sites(net)}


def test_points_start_where_the_greatest_number_fits():
    net, x = small()
    sites = by_name(net)
    assert sites["first (input)"].point == 8 - math.ceil(math.log2(x.max()))  # no negative pixel: no sign
    weight = net.block.conv.parametrizations.weight.original
    assert sites["block.conv (weight)"].point == 4 - 1 - math.ceil(math.log2(weight.abs().max().item()))
    rows = {r.name: r for r in q.formats(net)}
    assert not rows["first (input)"].signed and rows["first (input)"].width == 8  # the first layer's exception
    assert rows["block.conv (input)"].width == 4 and not rows["block.conv (input)"].signed  # behind a ReLU
    assert rows["block.bn (output)"].signed and rows["block.bn (output)"].saturated == 0
    assert len(rows) == len(q.formats(net)) == 19


def test_least_squares_are_no_worse_than_the_maximum():
    torch.manual_seed(0)
    scale = torch.tensor([[0.1], [1], [3], [100]])
    x = torch.randn(4, 1000) * scale
    x[:, :1] = 30 * scale  # an outlier
    errors = {}
    for method in ("max", "percentile", "mse"):
        site = q.Site("", "input", q.Fixed(4, per_channel=True))
        site.fit(x, method, (4, 1))
        errors[method] = (x[:, 1:] - site(x)[:, 1:]).square().sum(1)
    assert (errors["mse"] < errors["max"]).all() and (errors["percentile"] < errors["max"]).all()


def test_calibration_sees_all_batches():
    net, _ = small()
    batches = [torch.rand(4, 3, 12, 12) * k for k in (1, 8, 2)]
    q.calibrate(net, batches, batches=3)
    assert by_name(net)["first (input)"].point == 5
    q.calibrate(net, [(b, None) for b in batches], batches=1)
    assert by_name(net)["first (input)"].point == 8
    assert net.training and not any(s.bypass for s in q.sites(net))


def test_overrides_and_the_first_and_last_layer():
    recipe = q.Recipe(q.KHot(6, 2), q.Fixed(4), q.Fixed(8), first_last=8, multipliers=q.KHot(6, 1), overrides={
        "block.*": q.Recipe(q.Fixed(3), q.Fixed(5), q.Fixed(6)), "second": None})
    net, x = small(recipe)
    forms = {s.name: s.form for s in q.sites(net)}
    assert forms["first (weight)"] == forms["last (weight)"] == q.Fixed(8)
    assert forms["block.conv (weight)"] == q.Fixed(3) and forms["block.conv (input)"] == q.Fixed(5)
    assert forms["block.bn (output)"] == q.Fixed(6) and forms["bn (factor)"] == q.KHot(6, 1)
    assert not any(name.startswith("second") for name in forms)
    assert net.eval()(x).isfinite().all()


class Functional(nn.Module):
    """No modules at all; operators in place."""

    def __init__(self):
        super().__init__()
        self.w, self.scale = nn.Parameter(torch.randn(4, 3, 3, 3)), nn.Parameter(torch.rand(4, 1, 1))

    def forward(self, x):
        x = F.conv2d(x, self.w, None, 1, 1)
        y = torch.relu_(x * self.scale)
        y = y.mul_(0.5).sub(1)
        return torch.sigmoid(y @ y.transpose(2, 3))


def test_functions_and_bare_parameters_are_cast():
    torch.manual_seed(0)
    net, x = Functional(), torch.rand(2, 3, 6, 6)
    q.calibrate(q.quantize(net, RECIPE), [x])
    assert {s.role for s in q.sites(net)} == {
        "weight", "input", "multiplier", "mul", "mul_1", "sub", "input_1", "other", "sigmoid"}
    out = net.eval()(x)
    point = by_name(net)["the network (sigmoid)"].point
    assert torch.equal(out * 2**point, (out * 2**point).round())
    net.train()(x).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


class Lost(nn.Module):
    """Overwrites a tensor and reads it under its old name."""

    def forward(self, x):
        y = x * 2
        y.add_(1)
        return y + x


def test_a_lost_operator_in_place_is_refused():
    net = q.quantize(Lost(), q.Recipe(elementwise=q.Fixed(8)))
    with pytest.raises(LutraError, match="in place is read under its old name"):
        q.calibrate(net, [torch.ones(2, 3)])


def test_freezing():
    net, x = small()
    q.freeze(net)
    points = {s.name: s.point.clone() for s in q.sites(net)}
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-2)
    mean = net.bn.running_mean.clone()
    for _ in range(3):
        loss = net(x).square().sum()
        loss.backward()
        optimiser.step()
    assert all(torch.equal(s.point, points[s.name]) for s in q.sites(net))
    assert torch.equal(net.bn.running_mean, mean) and net.bn.weight.grad.abs().sum() > 0
    trained = net(x)
    assert torch.equal(net.eval()(x), trained.detach())  # small numbers: single precision was exact in training as well
    twin = q.quantize(Small(), RECIPE)
    twin.load_state_dict(net.state_dict())
    assert torch.equal(twin.train()(x), trained)  # the stage is in the state dict


def test_points_of_normalisation_are_learned_on_frozen_statistics():
    net, x = small()
    q.freeze(net, points=False)
    net(x).square().sum().backward()
    assert all(s.point.grad is not None for s in q.sites(net))


def test_normalisation_follows_its_statistics():
    net, x = small()
    before = by_name(net)["bn (factor)"].point.item()
    for _ in range(30):
        net(x * 16)
    a = net.bn.weight / torch.sqrt(net.bn.running_var + net.bn.eps)
    errors = [(a - q.cast(a, 8, f)).square().sum().item() for f in range(-4, 20)]
    net.eval()
    assert by_name(net)["bn (factor)"].point == errors.index(min(errors)) - 4 != before


def test_schedule():
    net, _ = small()
    schedule = q.Schedule(net, 20, last=0.2)
    for step in range(20):
        schedule.step()
        assert q.sites(net)[0].frozen == (step >= 15)
    whole, _ = small()
    q.Schedule(whole, 20, last=1).step()
    assert q.sites(whole)[0].frozen
    again = q.Schedule(net, 20)
    again.load_state_dict(schedule.state_dict())
    assert again.done == 20


def test_wrapping_saturates_until_frozen():
    net, x = small(q.Recipe(q.Fixed(4), q.Fixed(4, overflow="WRAP"), q.Fixed(8, overflow="WRAP")))
    twin = q.quantize(Small(), q.Recipe(q.Fixed(4), q.Fixed(4), q.Fixed(8)))
    twin.load_state_dict(net.state_dict())
    for s in (*q.sites(net), *q.sites(twin)):
        s.point.data += 1 if s.role == "input" else 0  # numbers now overflow
    assert torch.equal(net(x), twin(x))
    q.freeze(net), q.freeze(twin)
    assert not torch.equal(net(x), twin(x))


def test_normalised_gradients():
    net, x = small()
    twin = q.quantize(Small(), q.Recipe(q.Fixed(4), q.Fixed(4), q.Fixed(8), normalise=True))
    twin.load_state_dict(net.state_dict())
    for one in (net, twin):
        one(x).square().sum().backward()
    a, b = by_name(net)["block (add)"], by_name(twin)["block (add)"]
    elements = 16 * 6 * 6 * 6
    assert torch.isclose(b.point.grad, a.point.grad / math.sqrt(elements * a.limit))


def test_parameters_are_grouped():
    net, _ = small()
    own, points = q.parameters(net, lr=0.02)
    assert points["lr"] == 0.02 and points["weight_decay"] == 0
    assert len(own["params"]) + len(points["params"]) == len(list(net.parameters()))
    assert {id(p) for p in points["params"]} == {id(s.point) for s in q.sites(net)}


@pytest.mark.parametrize("spoil, said", [
    (lambda net: net.block.conv.parametrizations.weight.original.data.fill_(math.nan), r"^block\.conv: conv2d gives"),
    (lambda net: net.second.bias.data.fill_(math.nan), "^second: conv2d gives a number that is not finite"),
    (lambda net: by_name(net)["block (add)"].point.data.fill_(math.nan), r"^block \(add\): a binary point is nan")])
def test_nan_in_training_names_the_layer(spoil, said):
    net, x = small()
    spoil(net)
    with pytest.raises(LutraError, match=said):
        net(x)


def test_nan_in_calibration_names_the_layer():
    net, x = small()
    net.block.act.weight.data.fill_(math.nan)
    with pytest.raises(LutraError, match=r"^block\.act \(slope\): a number is not finite"):
        q.calibrate(net, [x])
    assert not any(s.bypass for s in q.sites(net))


def test_mistakes_are_said():
    net, x = small()
    with pytest.raises(LutraError, match="quantised already"):
        q.quantize(net, RECIPE)
    with pytest.raises(LutraError, match="not quantised"):
        q.calibrate(Small(), [x])
    with pytest.raises(LutraError, match="no batch"):
        q.calibrate(net, [])
    with pytest.raises(LutraError, match="no method is called 'best'"):
        q.calibrate(net, [x], "best")
    with pytest.raises(LutraError, match="recipe that the state dict was saved with"):
        q.quantize(Small(), q.Recipe(weights=q.Fixed(4))).load_state_dict(net.state_dict())


def test_a_given_point_is_kept():
    net, x = small(q.Recipe(q.Fixed(8, 6), q.Fixed(8, 4), q.Fixed(8, 5), first_last=0))
    net(x).square().sum().backward()
    for s in q.sites(net):
        assert s.point == s.form.fraction and s.point.grad is None
    q.freeze(net, points=False)
    assert not any(s.point.requires_grad for s in q.sites(net))


def test_a_sequence_keeps_its_members():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 5)]
    net, x = nn.Sequential(*layers), torch.rand(4, 3, 6, 6)
    q.calibrate(q.quantize(net, RECIPE), [x])
    assert list(net) == layers and len(net) == 5 and net[-1] is layers[-1]
    net(x).sum().backward()
    assert torch.equal(torch.compile(net, backend="eager", fullgraph=True)(x), net(x))
    program = torch.export.export(net.eval(), (x,), strict=False)
    assert torch.equal(program.module()(x), net(x))


def test_one_layer_alone():
    torch.manual_seed(0)
    net, x = nn.Linear(6, 3), torch.rand(4, 6)
    q.calibrate(q.quantize(net, RECIPE), [x])
    assert [s.name for s in q.sites(net)] == ["the network (weight)", "the network (input)"]
    net(x).sum().backward()
    assert net.eval()(x).shape == (4, 3)


def test_autocast_trains():
    net, x = small(q.Recipe(q.Fixed(4), q.Fixed(4), q.Fixed(12), first_last=8))
    with torch.autocast("cpu", torch.bfloat16):
        loss = net(x).square().mean()
    loss.backward()
    assert all(s.point.grad.isfinite() for s in q.sites(net) if s.point.requires_grad)
    with torch.no_grad():
        assert abs(float(loss) - float(net(x).square().mean())) < 0.05 * float(loss)


def test_double_precision():
    net, x = small()
    double = copy.deepcopy(net).double().eval()
    assert torch.equal(double(x.double()), net.eval()(x).double())
