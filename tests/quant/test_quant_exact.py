"""Evaluation in floating point equals integers: the same network written out in int64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_training_network import RECIPE, small
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant.modes import integers

FINER = q.Recipe(weights=q.Fixed(8), activations=q.Fixed(8), elementwise=q.Fixed(6), first_last=12)


class Integers:
    """The casts of a network as shifts of int64: a number is (words, fraction bits)."""

    def __init__(self, net):
        self.net = net
        self.site = {s.name: s for s in q.sites(net)}

    def fraction(self, name):
        return int(torch.floor(self.site[name].point + 0.5))

    def cast(self, name, x, numerator=1, denominator=1):
        """Half up, saturated: floor(x 2**shift n / d + 1/2)."""
        words, fraction = x
        to, site = self.fraction(name), self.site[name]
        up, down = max(to - fraction, 0), max(fraction - to, 0)
        over = 2 * denominator << down
        rounded = ((2 * words * numerator << up) + (denominator << down)) // over
        return np.clip(rounded, *integers(site.form.width, site.signed)), to

    def real(self, name, tensor):
        """A real number's words."""
        words = q.cast(tensor.detach().double(), self.site[name].form.width, self.fraction(name),
                       signed=self.site[name].signed)
        return (words * 2.0 ** self.fraction(name)).long().numpy(), self.fraction(name)

    def conv(self, name, x, stride=1):
        module = self.net.get_submodule(name)
        words, fraction = self.cast(f"{name} (input)", x)
        weight, finer = self.real(f"{name} (weight)", module.parametrizations.weight.original)
        padded = np.pad(words, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::stride, ::stride]
        groups = [np.einsum("nchwij,ocij->nohw", a, b) for a, b in zip(
            np.split(windows, module.groups, 1), np.split(weight, module.groups), strict=True)]
        return self.biased(module, np.concatenate(groups, 1), fraction + finer)

    def linear(self, name, x):
        module = self.net.get_submodule(name)
        words, fraction = self.cast(f"{name} (input)", x)
        weight, finer = self.real(f"{name} (weight)", module.parametrizations.weight.original)
        return self.biased(module, words @ weight.T, fraction + finer)

    def biased(self, module, words, fraction):
        if module.bias is not None:
            bias = np.floor(module.bias.detach().double().numpy() * 2.0**fraction + 0.5).astype(np.int64)
            words = words + bias.reshape(-1, *[1] * (words.ndim - 2))
        return words, fraction

    def norm(self, name, x):
        module = self.net.get_submodule(name)
        a = module.weight.double() / torch.sqrt(module.running_var.double() + module.eps)
        a, fa = self.real(f"{name} (factor)", a)
        c, fc = self.real(f"{name} (term)", module.bias.double() - module.running_mean.double() * (
            module.weight.double() / torch.sqrt(module.running_var.double() + module.eps)))
        product = x[0] * a.reshape(-1, 1, 1), x[1] + fa
        return self.cast(f"{name} (output)", self.plus(product, (c.reshape(-1, 1, 1), fc)))

    def plus(self, x, y):
        fine = max(x[1], y[1])
        return (x[0] << fine - x[1]) + (y[0] << fine - y[1]), fine

    def prelu(self, name, x):
        slope, finer = self.real(f"{name} (slope)", self.net.get_submodule(name).weight)
        words = np.where(x[0] >= 0, x[0] << finer, x[0] * slope.reshape(-1, 1, 1))
        return self.cast(f"{name} (prelu)", (words, x[1] + finer))

    def relu(self, x):
        return np.maximum(x[0], 0), x[1]

    def run(self, x):
        """Of class Small, on words (N, 3, 12, 12) with their fraction bits."""
        x = self.relu(self.norm("bn", self.conv("first", x, 2)))
        y = self.prelu("block.act", self.norm("block.bn", self.conv("block.conv", x)))
        x = self.relu(self.cast("block (add)", self.plus(y, x)))
        accumulator = self.conv("second", x)
        fine = max(accumulator[1], x[1])
        words = np.concatenate([accumulator[0] << fine - accumulator[1], x[0] << fine - x[1]], 1)[:, :8]
        sums = words.reshape(*words.shape[:2], 2, 3, 2, 3).sum((3, 5))
        x = self.cast("the network (avg_pool2d)", (sums, fine), 1, 9)
        return self.linear("last", self.cast("the network (mean)", (x[0].sum((2, 3)), x[1]), 1, 4))


@pytest.mark.parametrize("recipe", (RECIPE, FINER))
@pytest.mark.parametrize("batch", (1, 7, 16, 64))
def test_equals_int64(recipe, batch):
    net, _ = small(recipe, "mse")
    net.eval()
    words = np.random.default_rng(batch).integers(0, 256, (batch, 3, 12, 12))
    ours = net(torch.from_numpy(words / 256).float()).detach()
    theirs, fraction = Integers(net).run((words, 8))
    assert np.array_equal(ours.double().numpy() * 2.0**fraction, theirs)
    assert len(np.unique(theirs)) > 4 * min(batch, 3)


def test_learned_points_are_still_exact():
    net, x = small()
    optimiser = torch.optim.Adam(q.parameters(net, lr=0.1), lr=1e-2)
    schedule = q.Schedule(net, 10, 0.2)
    for _ in range(10):
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()
        schedule.step()
    net.eval()
    words = (x * 256).long().numpy()
    ours = net(torch.from_numpy(words / 256).float()).detach().double().numpy()
    theirs, fraction = Integers(net).run((words, 8))
    assert np.array_equal(ours * 2.0**fraction, theirs)


class Wide(nn.Module):
    """A linear layer whose accumulator single precision does not hold."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4096, 3)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("bits, dtype", [(4, torch.float32), (16, torch.float64)])
def test_precision_follows_the_bound(bits, dtype):
    torch.manual_seed(0)
    net, x = Wide(), torch.rand(8, 4096)
    q.quantize(net, q.Recipe(weights=q.Fixed(bits), activations=q.Fixed(bits), first_last=0))
    q.calibrate(net, [x])
    with torch.no_grad():
        ours = net.eval()(x)
    assert ours.dtype == dtype
    ints = Integers(net)
    words = ints.real("layer (input)", x)
    theirs, fraction = ints.linear("layer", words)
    assert np.array_equal(ours.double().numpy() * 2.0**fraction, theirs)
    assert abs(theirs).max() > 2**24 or bits == 4


def test_what_double_does_not_hold_is_refused():
    net, x = Wide(), torch.rand(2, 4096)
    net.layer.weight.data.abs_()
    q.quantize(net, q.Recipe(weights=q.Fixed(24), activations=q.Fixed(24), first_last=0))
    q.calibrate(net, [x])
    with pytest.raises(LutraError, match=r"layer \(input\).*units, beyond 2\*\*52"):
        net.eval()(x)


@pytest.mark.parametrize("weights", (q.KHot(6, 2), q.KHot(6, 2, True), q.KHot(5, 1, per_channel=True),
                                     q.Fixed(4, per_channel=True)))
def test_other_weights_are_exact(weights):
    net, x = small(q.Recipe(weights=weights, activations=q.Fixed(5), elementwise=q.Fixed(8), first_last=0))
    net.eval()
    seen = []
    handle = net.second.register_forward_hook(lambda module, args, result: seen.append((args[0], result)))
    net(x)
    handle.remove()
    site = next(s for s in q.sites(net) if s.name == "second (input)")
    (x, result), weight, unit = seen[0], net.second.weight, q.sites(net)[2].unit() * site.unit()
    words = (site(x).double() / site.unit()).long(), (weight.double() / q.sites(net)[2].unit()).long()
    assert torch.equal(words[1].double() * q.sites(net)[2].unit(), weight.double())
    wanted = F.conv2d(words[0].double(), words[1].double(), padding=1, groups=2)  # far below 2**53
    bias = torch.floor(net.second.bias.double() / unit.flatten() + 0.5)
    assert torch.equal(result.double() / unit.view(-1, 1, 1), wanted + bias.view(-1, 1, 1))


@pytest.mark.parametrize("weights", (q.Scaled(4), q.Binary(), q.Ternary(), q.Binary(per_channel=True)))
def test_real_scales_run_in_double(weights):
    net, x = small(q.Recipe(weights=weights, activations=q.Scaled(4), elementwise=q.Fixed(8), first_last=0), "mse")
    for _ in range(3):
        net(x).square().sum().backward()
    assert all(s.point.grad is not None for s in q.sites(net) if s.role in ("weight", "input"))
    assert net.eval()(x).dtype == torch.float64




def test_a_rounded_sum_is_refused():
    net, x = small()
    net.eval()
    net.lutra_casts["block/bn:term"].point.data.fill_(60.0)
    with pytest.raises(LutraError, match=r"block\.bn: a sum is not exact"):
        net(x)
