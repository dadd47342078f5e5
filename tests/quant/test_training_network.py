"""Networks in fixed point: exact in evaluation, trainable, saved and loaded, copied."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lutra.quant as q
from lutra.errors import LutraError

RECIPE = q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8), first_last=8)


class Block(nn.Module):
    """A residual block as users write it: functions, an addition in place."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.act = nn.PReLU(6)

    def forward(self, x):
        out = self.act(self.bn(self.conv(x)))
        out += x
        return F.relu(out)


class Small(nn.Module):
    """Convolutions, normalisation, PReLU, a shortcut, pooling over nine pixels, a linear layer with a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.bn = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.block = Block()
        self.second = nn.Conv2d(6, 8, 3, padding=1, groups=2)
        self.last = nn.Linear(8, 5)

    def forward(self, x):
        x = self.block(F.relu(self.bn(self.first(x)), inplace=True))
        x = F.avg_pool2d(torch.cat([self.second(x), x], 1)[:, :8], 3)
        return self.last(x.mean((2, 3)))


def small(recipe=RECIPE, method="max"):
    torch.manual_seed(0)
    net, x = Small(), torch.rand(16, 3, 12, 12)
    for _ in range(2):
        net(torch.rand(32, 3, 12, 12))  # statistics
    q.quantize(net, recipe)
    q.calibrate(net, [(x, None)], method)
    return net, x


def test_trains_and_learns_points():
    net, x = small()
    target = torch.randint(5, (16,))
    before = {s.name: s.point.clone() for s in q.sites(net)}
    optimiser = torch.optim.Adam(q.parameters(net, lr=1e-1), lr=1e-2)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    learned = [s for s in q.sites(net) if s.role not in ("factor", "term")]
    assert all((s.point != before[s.name]).all() for s in learned)


@pytest.mark.parametrize("method, ready", [("max", True), ("mse", True), ("mse", False)])
def test_state_dict_and_copies(tmp_path, method, ready):
    net, x = small(method=method)
    for _ in range(2):
        net(4 * x)
    net.train(not ready)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    fresh = q.quantize(Small(), RECIPE)
    with pytest.raises(LutraError, match="nothing is known"):
        fresh(x)
    fresh.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    net.eval()
    twin = copy.deepcopy(net)
    assert torch.equal(fresh.eval()(x), net(x)) and torch.equal(twin(x), net(x))
    twin.lutra_casts["block:add"].point.data += 1
    assert not torch.equal(twin(x), net(x))
    assert torch.equal(fresh(x), net(x))
