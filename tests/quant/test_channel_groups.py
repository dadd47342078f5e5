"""Which layers write into one stream, for the ways in which forwards are written."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lutra import LutraError
from lutra.quant.search.groups import FIXED, Part, streams
from lutra.zoo.nets.mobilenet import MobileNet
from lutra.zoo.nets.resnet import ResNet

X = torch.zeros(2, 3, 8, 8)


class Given(nn.Module):
    """Layers by name, and a forward given as a function."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.run = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


def conv(a, b, k=3, **more):
    return nn.Conv2d(a, b, k, padding=k // 2, **more)


def found(forward, **layers):
    return streams(Given(forward, **layers), X)


def partition(s):
    return {g.writers for g in s.groups}


def head(net, x):
    return net.fc(x.mean((2, 3)))


def test_resnet20_has_a_stream_for_each_stage():
    s = streams(ResNet(3), torch.zeros(1, 3, 32, 32))
    stages = {g.writers: (g.width, g.held) for g in s.groups if len(g.writers) > 1}
    assert stages == {
        ("conv1", "layer1.0.conv2", "layer1.1.conv2", "layer1.2.conv2"): (16, ""),
        ("layer2.0.conv2", "layer2.1.conv2", "layer2.2.conv2"): (32, ""),
        ("layer3.0.conv2", "layer3.1.conv2", "layer3.2.conv2"): (64, "")}
    assert set(stages) == set(s.ties())
    assert len(s.groups) == 3 + 9 + 1  # stages, inside of blocks, logits
    assert s.layers["conv1"].reads == () and s.layers["conv1"].positions == 32 * 32
    assert s.layers["layer2.0.bn1"].reads == s.layers["layer2.0.conv1"].writes
    assert [g.held for g in s.groups if g.writers == ("linear",)] == ["they are the network's output"]


@pytest.mark.parametrize("add", [
    lambda y, z: y + z, lambda y, z: y.add_(z), lambda y, z: torch.add(y, z), lambda y, z: z.mul(2) - y,
    lambda y, z: torch.maximum(F.relu(y), z), lambda y, z: y * torch.sigmoid(z)])
def test_streams_that_meet_are_one(add):
    def forward(net, x):
        x = F.relu(net.a(x))
        y = net.b(x)
        y = add(y, net.short(x))
        return head(net, y)

    s = found(forward, a=conv(3, 8), b=conv(8, 12), short=conv(8, 12, 1), fc=nn.Linear(12, 2))
    assert partition(s) == {("a",), ("b", "short"), ("fc",)}
    assert not s.groups[0].held and not s.groups[1].held


def test_squeeze_and_excitation_is_one_stream():
    def forward(net, x):
        x = net.a(x)
        return head(net, x * torch.sigmoid(net.up(F.relu(net.down(F.adaptive_avg_pool2d(x, 1))))))

    s = found(forward, a=conv(3, 8), down=conv(8, 4, 1), up=conv(4, 8, 1), fc=nn.Linear(8, 2))
    assert ("a", "up") in partition(s) and ("down",) in partition(s)


def test_concatenation_keeps_the_order_of_its_parts():
    def forward(net, x):
        y = torch.cat((net.a(x), x, net.b(x)), 1)
        return head(net, net.c(y))

    s = found(forward, a=conv(3, 8), b=conv(3, 4), c=conv(15, 6), fc=nn.Linear(6, 2))
    assert s.layers["c"].reads == (Part(0, 8), Part(FIXED, 3), Part(1, 4))
    assert not any(g.held for g in s.groups[:3])


def test_flattening_repeats_each_channel_for_its_pixels():
    s = found(lambda net, x: net.fc(F.max_pool2d(net.a(x), 2).flatten(1)), a=conv(3, 5), fc=nn.Linear(5 * 16, 2))
    assert s.layers["fc"].reads == (Part(0, 5, inner=16),)
    rows = found(lambda net, x: net.fc(net.a(x).permute(0, 2, 3, 1).reshape(len(x), -1)),
                 a=conv(3, 5), fc=nn.Linear(5 * 64, 2))
    assert rows.layers["fc"].reads == (Part(0, 5),) * 64


def test_depthwise_layers_pass_their_channels_on():
    s = streams(MobileNet(), torch.zeros(1, 3, 32, 32))
    deep = s.layers["features.3"]
    assert deep.reads == deep.writes == s.layers["features.0"].writes
    assert all(len(g.writers) == 1 for g in s.groups) and not s.ties()
    twice = found(lambda net, x: head(net, net.b(net.deep(net.a(x)))), a=conv(3, 4), deep=conv(4, 12, groups=4),
                  b=conv(12, 5), fc=nn.Linear(5, 2))
    assert twice.layers["b"].reads == (Part(0, 4, inner=3),)


def test_grouped_convolutions_need_multiples():
    s = found(lambda net, x: head(net, net.b(net.a(x))), a=conv(3, 8), b=conv(8, 12, groups=4), fc=nn.Linear(12, 2))
    assert [g.multiple for g in s.groups] == [4, 4, 1]


def test_padded_shortcuts_are_no_tie():
    def forward(net, x):
        x = net.a(x)
        return head(net, net.b(x) + F.pad(x, (0, 0, 0, 0, 2, 2)))

    s = found(forward, a=conv(3, 8), b=conv(8, 12), fc=nn.Linear(12, 2))
    assert partition(s) == {("a",), ("b",), ("fc",)}
    assert not s.groups[0].held and not s.groups[1].held and s.layers["fc"].reads == (Part(1, 12),)


@pytest.mark.parametrize("forward, why", [
    (lambda net, x: head(net, net.b(net.a(x)[:, :4])), "getitem takes them apart"),
    (lambda net, x: head(net, net.b(net.a(x).unflatten(1, (2, 4))[:, 1])), "unflatten takes them apart"),
    (lambda net, x: head(net, net.b(net.a(x)[:, :4] + torch.ones(4, 1, 1))), "getitem takes them apart"),
    (lambda net, x: head(net, net.b(net.a(x) * torch.ones(8, 1, 1))[:, :]), "they meet numbers that are no layer's"),
    (lambda net, x: head(net, net.b(torch.einsum("nchw->nchw", net.a(x)))), ""),
    (lambda net, x: head(net, net.b(F.conv2d(net.a(x), torch.ones(4, 8, 1, 1)))), "not followed through conv2d"),
])
def test_what_is_not_understood_is_held(forward, why):
    width = 8 if "meet" in why or not why else 4
    s = found(forward, a=conv(3, 8), b=conv(width, 6), fc=nn.Linear(6, 2))
    assert why in s.groups[0].held and bool(s.groups[0].held) == bool(why)
    assert not s.groups[1].held


def test_a_sum_with_the_input_is_held():
    s = found(lambda net, x: head(net, net.b(net.a(x) + x)), a=conv(3, 3), b=conv(3, 6), fc=nn.Linear(6, 2))
    assert s.groups[0].held == "they meet numbers that are no layer's"


def test_a_module_called_twice_is_one_layer():
    def forward(net, x):
        x = net.a(x)
        return head(net, net.b(F.relu(net.b(x))))

    s = found(forward, a=conv(3, 8), b=conv(8, 8), fc=nn.Linear(8, 2))
    assert partition(s) == {("a", "b"), ("fc",)}
    assert s.layers["b"].positions == 2 * 64


def test_a_shared_parameter_is_refused():
    net = Given(lambda net, x: net.b(net.a(x)), a=conv(3, 3), b=conv(3, 3))
    net.b.weight = net.a.weight
    with pytest.raises(LutraError, match="'a' and 'b' share one parameter"):
        streams(net, X)


def test_a_network_without_layers_is_refused():
    with pytest.raises(LutraError, match="no convolution"):
        streams(nn.ReLU(), X)


def test_nothing_of_the_network_is_changed():
    net = ResNet(1).train()
    net.bn1.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    streams(net, torch.randn(2, 3, 32, 32))
    assert net.training and net.layer1.training and not net.bn1.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
