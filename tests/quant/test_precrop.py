"""Widths under a budget, and the network that is made of them."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_channel_groups import Given, conv, head
from torch import nn

import lutra
import lutra.quant as q
from lutra import LutraError
from lutra.quant import precrop
from lutra.quant.precrop.narrow import by_group
from lutra.quant.precrop.sizes import sizes
from lutra.train.stages import settle
from lutra.zoo.nets.mobilenet import MobileNet
from lutra.zoo.nets.resnet import ResNet

FRAME = torch.zeros(1, 3, 16, 16)


def numel(net):
    return sum(p.numel() for p in net.parameters())


def mixed():
    """All kinds of modules: biases, grouped and transposed convolutions, PReLU, a concatenation, a flattening."""
    torch.manual_seed(0)

    def forward(net, x):
        x = net.act(net.norm(net.a(x)))
        y = torch.cat((net.b(x), net.deep(x)), 1)
        y = F.relu(net.instance(net.c(F.max_pool2d(y, 4))))
        return net.fc2(F.relu(net.line(net.fc(net.up(y).flatten(1)))))

    return Given(forward, a=conv(3, 16), norm=nn.BatchNorm2d(16), act=nn.PReLU(16), b=conv(16, 24),
                 deep=conv(16, 32, groups=16), c=conv(56, 24, groups=4), instance=nn.GroupNorm(4, 24),
                 up=nn.ConvTranspose2d(24, 12, 2, 2), fc=nn.Linear(12 * 64, 40), line=nn.LayerNorm(40),
                 fc2=nn.Linear(40, 5))


NETS = {"resnet": lambda: ResNet(2), "mobilenet": MobileNet, "mixed": mixed}
BATCH = (torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 5)


@pytest.mark.parametrize("method", precrop.METHODS)
@pytest.mark.parametrize("name, share", [("resnet", 0.2), ("resnet", 0.1), ("mobilenet", 0.3), ("mixed", 0.5)])
def test_budgets_are_met_within_one_channel_step(name, share, method):
    torch.manual_seed(0)
    net = NETS[name]()
    plan = precrop.crop(net, FRAME, share, method=method, batch=BATCH)
    found = sizes(net, FRAME)
    widths = by_group(found, plan.widths)
    budget, limit = int(share * numel(net)), found.operations(found.now) if method == "preconfig" else np.inf
    assert plan.parameters.before == numel(net) and plan.parameters.after <= budget
    for i, group in enumerate(found.streams.groups):
        step = np.lcm(4, group.multiple)
        if group.held or (method != "preconfig" and widths[i] == group.width):
            continue
        assert widths[i] % step == 0 and widths[i] >= 4
        more = [w + step * (k == i) for k, w in enumerate(widths)]
        if method != "preconfig":
            more[i] = min(more[i], group.width)
        assert found.parameters(more) > budget or found.operations(more) > limit or more[i] > 4 * group.width
    made = precrop.narrowed(net, FRAME, plan.widths)
    assert numel(made) == plan.parameters.after
    assert made(BATCH[0]).shape == net(BATCH[0]).shape
    for row in plan.rows:
        module = made.get_submodule(row.path)
        assert (module.out_features if isinstance(module, nn.Linear) else module.out_channels) == row.after
        assert row.realised == module.weight.numel() / net.get_submodule(row.path).weight.numel()


def test_realised_densities_are_products_of_both_shares():
    plan = precrop.crop(ResNet(1), FRAME, 0.2)
    rows = {r.path: r for r in plan.rows}
    a, b = rows["layer3.0.conv1"], rows["layer3.0.conv2"]
    assert b.realised == a.after * b.after / (a.before * b.before)


def test_operations_are_those_that_the_network_makes():
    net = mixed()
    found = sizes(net, FRAME)
    counted = {}

    def count(path):
        def see(m, args, out):
            slides = args[0] if isinstance(m, nn.ConvTranspose2d) else out
            counted[path] = m.weight.numel() * (slides[0, 0].numel() if slides.ndim == 4 else 1)
        return see

    for path in found.products:
        net.get_submodule(path).register_forward_hook(count(path))
    net(FRAME)
    assert {p: layer.operations(found.now) for p, layer in found.products.items()} == counted


def test_multiples_and_least_widths():
    plan = precrop.crop(ResNet(1), FRAME, 0.3, rules=precrop.Rules(8, 16))
    assert all(w % 8 == 0 and w >= 16 for path, w in plan.widths.items() if path != "linear")
    assert plan.held == {"linear": "they are the network's output"}
    wide = precrop.crop(ResNet(1), FRAME, 0.2, rules=precrop.Rules(1, 1, combine="max"))
    assert wide.parameters.after > 0.19 * wide.parameters.before


def test_preconfig_widens_some_layers_at_equal_cost():
    plan = precrop.crop(ResNet(1), torch.zeros(1, 3, 32, 32), 1.0, operations=1.0, method="preconfig")
    assert any(r.after > r.before for r in plan.rows) and any(r.after < r.before for r in plan.rows)
    assert plan.parameters.share <= 1 and 0.9 < plan.operations.share <= 1


@pytest.mark.parametrize("method", ["synexp", "uniform"])
def test_operations_are_a_second_budget(method):
    example = torch.zeros(1, 3, 32, 32)
    free, bound = (precrop.crop(ResNet(1), example, 0.2, operations=o, method=method) for o in (None, 0.15))
    assert bound.operations.after <= 0.15 * bound.operations.before < free.operations.after
    if method == "synexp":  # both budgets are used, where its densities for parameters alone would leave a half of them
        assert bound.parameters.share > 0.17 and bound.operations.share > 0.14
    with pytest.raises(LutraError, match="100 operations cannot be reached"):
        precrop.crop(ResNet(1), example, 0.2, operations=100, method=method)


def test_the_copy_is_fresh_and_the_network_untouched():
    net = ResNet(1)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    widths = precrop.crop(net, FRAME, 0.5).widths
    state = torch.get_rng_state()
    a, b, c = (precrop.narrowed(net, FRAME, widths, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.conv1.weight, c.conv1.weight)
    assert not torch.equal(a.linear.weight[:, :4], net.linear.weight[:, :4])
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert type(a) is ResNet and not any(m._forward_hooks for m in a.modules())
    drawn = precrop.narrowed(net, FRAME, widths, init=lambda n: nn.init.ones_(n.conv1.weight))
    assert bool((drawn.conv1.weight == 1).all())


def test_the_cropped_network_compiles_exactly(rng):
    torch.manual_seed(0)
    net, example = ResNet(1), torch.zeros(1, 3, 8, 8)
    plan = precrop.crop(net, example, 0.1)
    narrower = {**plan.widths, "conv1": 12, "layer1.0.conv2": 12, "layer2.0.conv2": 7}  # shortcuts that truncate
    made = precrop.narrowed(net, example, narrower)
    images = rng.integers(0, 256, (16, 3, 8, 8))
    x = torch.from_numpy(images).float() / 256
    settle(made, [x])
    q.quantize(made, q.Recipe(q.Fixed(4, per_channel=True), q.Fixed(4), q.Fixed(8)))
    q.calibrate(made, [x])
    made.eval()
    acc = lutra.compile(made, example, "ecp5-85k", input_range=(0, 255), input_scale=1 / 256)
    with torch.no_grad():
        assert np.array_equal(acc.run(images).astype(np.float32), made(x).numpy())


@pytest.mark.parametrize("budget, what, hint", [
    (0.001, "269 parameters cannot be reached", "nearest is"), (10**9, "1,000,000,000 parameters", "nearest is"),
    (0.0, "budget of 0.0", "share"), (-3, "budget of -3", "share"), (1.5, "budget of 1.5", "share"),
    (float("nan"), "budget of nan", "share")])
def test_budgets_out_of_reach_are_named(budget, what, hint):
    with pytest.raises(LutraError, match=what) as e:
        precrop.crop(ResNet(3), FRAME, budget)
    assert hint in str(e.value)


def test_the_nearest_budget_can_be_reached():
    with pytest.raises(LutraError) as e:
        precrop.crop(ResNet(1), FRAME, 10)
    nearest = int(e.value.hint.split("nearest is ")[1].split(", with")[0].replace(",", ""))
    assert precrop.crop(ResNet(1), FRAME, nearest).parameters.after == nearest
    with pytest.raises(LutraError, match="cannot be reached"):
        precrop.crop(ResNet(1), FRAME, nearest - 1)


def frozen():
    net = ResNet(1)
    net.layer1[0].conv1.weight.requires_grad_(False)
    return net


def shared():
    net = ResNet(1)
    net.layer2[0].conv2.weight = net.conv1.weight
    return net


def two_heads():
    """The second is used in training alone."""
    def forward(net, x):
        x = net.a(x)
        return (head(net, x), net.more(x)) if net.training else head(net, x)

    return Given(forward, a=conv(3, 16), fc=nn.Linear(16, 4), more=conv(16, 4))


def normed():
    net = ResNet(1)
    nn.utils.parametrizations.weight_norm(net.conv1)
    return net


def fixed_shortcut():
    def forward(net, x):
        x = net.a(x)
        return head(net, net.b(x) + F.pad(x, (0, 0, 0, 0, 4, 4)))

    return Given(forward, a=conv(3, 16), b=conv(16, 24), fc=nn.Linear(24, 4))


@pytest.mark.parametrize("net, what", [
    (frozen, "layer1.0.conv1: its weight is frozen"), (shared, "share one parameter"),
    (normed, "conv1: its weight is computed"), (two_heads, "more: it is not called in evaluation"),
    (nn.ReLU, "no parameters"), (lambda: nn.Sequential(nn.LazyConv2d(8, 3)), "0.weight: it has no shape"),
    (lambda: nn.Conv2d(3, 4, 3), "no layer's channels are free")])
def test_networks_that_cannot_be_cropped_are_refused(net, what):
    with pytest.raises(LutraError, match=what):
        precrop.crop(net(), FRAME, 0.5)


def test_widths_written_into_a_forward_are_named_by_their_line():
    net = fixed_shortcut()
    with pytest.raises(LutraError, match="written into the forward") as e:
        precrop.narrowed(net, FRAME, {"a": 8, "b": 20})
    assert "test_precrop.py:" in e.value.at and "F.pad" in e.value.hint
    assert numel(precrop.narrowed(net, FRAME, {"a": 8, "b": 16})) < numel(net)


@pytest.mark.parametrize("widths, what", [
    ({"conv1": 8, "layer1.0.conv2": 12}, "conv1 writes into the same stream with 8"), ({"conv7": 8}, "no convolution"),
    ({"conv1": 0}, "width of 0"), ({"conv1": 8.0}, "width of 8.0"), ({"linear": 8}, "stay at 10"),
    ({"conv1": True}, "width of True")])
def test_widths_that_do_not_fit_are_refused(widths, what):
    with pytest.raises(LutraError, match=what):
        precrop.narrowed(ResNet(1), FRAME, widths)


def test_depthwise_and_grouped_widths():
    with pytest.raises(LutraError, match="depthwise layer is as wide"):
        precrop.narrowed(MobileNet(), FRAME, {"features.0": 8, "features.3": 16})
    made = precrop.narrowed(MobileNet(), FRAME, {"features.0": 8, "features.3": 8})
    assert made.features[3].groups == made.features[3].in_channels == made.features[4].num_features == 8
    with pytest.raises(LutraError, match="multiple of 4"):
        precrop.narrowed(mixed(), FRAME, {"c": 10})


def test_data_methods_need_data():
    with pytest.raises(LutraError, match="snip needs a batch"):
        precrop.crop(ResNet(1), FRAME, 0.5, method="snip")
    with pytest.raises(LutraError, match="no method is called 'best'"):
        precrop.crop(ResNet(1), FRAME, 0.5, method="best")


def test_plans_are_read_back_as_they_were_or_edited(tmp_path):
    net = ResNet(1)
    plan = precrop.crop(net, FRAME, 0.5)
    path = tmp_path / "widths.json"
    path.write_text(plan.text())
    assert precrop.read(path) == plan.widths
    again = precrop.given(net, FRAME, precrop.read(path))
    assert again.parameters == plan.parameters and again.operations == plan.operations and again.method == "given"
    edited = json.loads(plan.text())["widths"] | {"layer3.0.conv1": 40}
    path.write_text(json.dumps(edited))
    assert precrop.given(net, FRAME, precrop.read(path)).widths["layer3.0.conv1"] == 40
    for text, what in (("[]", "has no widths"), ('{"widths": {"a": "b"}}', "has no widths"), ("{", "not JSON")):
        path.write_text(text)
        with pytest.raises(LutraError, match=what):
            precrop.read(path)
