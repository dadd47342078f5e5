"""Scores of weights at initialisation and densities in closed form, against their definitions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lutra import LutraError
from lutra.quant.precrop import scores
from lutra.quant.precrop.closed import preconfig, synexp
from lutra.quant.precrop.paths import pathsum


def small(*, bias=False):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3, bias=bias),
                        nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(6, 3, bias=bias))
    return net.double()


PATHS = ["0", "3", "8"]
X = torch.randn(16, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(16) % 3


def slope(net, of, path, index):
    """The derivative of a function of the network as one weight goes to zero."""
    weight = net.get_parameter(f"{path}.weight").data.view(-1)
    was, values = float(weight[index]), []
    for part in (1e-4, -1e-4):
        weight[index] = was * (1 - part)
        values.append(of())
    weight[index] = was
    return (values[0] - values[1]) / 2e-4


@pytest.mark.parametrize("path, index", [("0", 3), ("0", 50), ("3", 7), ("3", 100), ("8", 0), ("8", 13)])
def test_snip_is_the_first_order_change_of_the_loss(path, index):
    net = small()
    score = scores.snip(net, PATHS, X, LABELS)[path].flatten()[index]
    change = slope(net, lambda: F.cross_entropy(net(X), LABELS).item(), path, index)
    assert score == pytest.approx(abs(change), rel=1e-4)


@pytest.mark.parametrize("path, index", [("0", 3), ("0", 50), ("3", 7), ("3", 100), ("8", 0), ("8", 13)])
def test_grasp_is_what_the_gradient_loses(path, index):
    """Its sign: weights of high scores are those without which the norm of the gradient shrinks."""
    net = small()

    def norm():
        loss = F.cross_entropy(net(X), LABELS)
        gradients = torch.autograd.grad(loss, [net.get_parameter(f"{p}.weight") for p in PATHS])
        return float(sum((g * g).sum() for g in gradients))

    score = float(scores.grasp(net, PATHS, X, LABELS)[path].flatten()[index])
    assert score == pytest.approx(-slope(net, norm, path, index) / 2, rel=1e-3)


def test_synaptic_flow_is_conserved():
    """Each layer of a chain has all of it, also one that has a bias, which the flow leaves out."""
    for net in (small(), small(bias=True)):
        sums = [float(s.sum()) for s in scores.synflow(net, PATHS, X, 1.0, 1).values()]
        assert sums == pytest.approx([sums[0]] * 3, rel=1e-12) and sums[0] > 0


def test_synflow_never_collapses_a_layer_where_magnitudes_do():
    net = small()
    with torch.no_grad():
        net[3].weight *= 1e-3
    magnitudes = {p: net.get_parameter(f"{p}.weight").detach().abs() for p in PATHS}
    assert not scores.masks(magnitudes, 0.1)["3"].any()
    kept = scores.masks(scores.synflow(net, PATHS, X, 0.1), 0.1)
    assert all(bool(m.any()) for m in kept.values())
    assert sum(int(m.sum()) for m in kept.values()) == int(np.ceil(0.1 * sum(m.numel() for m in kept.values())))


def test_scores_leave_the_network_alone():
    net = small().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    scores.snip(net, PATHS, X, LABELS), scores.grasp(net, PATHS, X, LABELS), scores.synflow(net, PATHS, X, 0.2, 3)
    assert net.training and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_scores_that_are_not_finite_are_refused():
    net = small()
    with torch.no_grad():
        net[3].weight[0, 0, 0, 0] = torch.nan
    for score in (lambda: scores.snip(net, PATHS, X, LABELS), lambda: scores.grasp(net, PATHS, X, LABELS),
                  lambda: scores.synflow(net, PATHS, X, 0.1)):
        with pytest.raises(LutraError, match="not finite"):
            score()


def test_a_softmax_has_no_flow():
    with pytest.raises(LutraError, match="softmax"):
        scores.synflow(nn.Sequential(nn.Flatten(), nn.Linear(128, 3), nn.ReLU(), nn.Hardtanh(0, 0.01)), ["1"], X, 0.5)


AMOUNTS = [(432, 2304, 4608, 9216, 36864, 640), (10, 10, 10), (1, 1000, 5, 7, 100000)]


@pytest.mark.parametrize("parameters", AMOUNTS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0, 2.0])
def test_synexp_meets_its_conditions_of_optimality(parameters, share):
    budget = share * sum(parameters)
    found = synexp(parameters, budget)
    used = [a * p for a, p in zip(parameters, found, strict=True)]
    assert all(0 < p <= 1 for p in found)
    assert sum(used) == pytest.approx(min(budget, sum(parameters)), rel=1e-9)
    level = max(used)
    assert all(p == 1 or u == pytest.approx(level, rel=1e-9) for p, u in zip(found, used, strict=True))


def solved(parameters, limits, cap):
    """The same problem given to a general solver, in logarithms of the densities."""
    from scipy.optimize import minimize

    rows = [np.array(r, float) / b for r, b in limits]
    result = minimize(lambda z: -z.sum(), np.full(len(parameters), -5.0), jac=lambda z: -np.ones_like(z),
                      method="SLSQP", bounds=[(-15, cap)] * len(parameters), options={"ftol": 1e-11, "maxiter": 500},
                      constraints=[{"type": "ineq", "fun": lambda z, r=r: 1 - r @ np.exp(z),
                                    "jac": lambda z, r=r: -r * np.exp(z)} for r in rows])
    assert result.success
    return np.exp(result.x)


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_synexp_equals_a_general_solver(share):
    parameters = AMOUNTS[0]
    budget = share * sum(parameters)
    assert synexp(parameters, budget) == pytest.approx(solved(parameters, [(parameters, budget)], 0), rel=1e-4)


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.2, 0.2), (0.1, 0.9), (0.9, 0.1)])
def test_preconfig_equals_a_general_solver(shares):
    parameters, operations = (432, 2304, 9216, 36864), (442368, 2359296, 2359296, 2359296)
    budget, limit = shares[0] * sum(parameters), shares[1] * sum(operations)
    found = preconfig(parameters, operations, budget, limit)
    assert np.dot(found, parameters) <= budget * (1 + 1e-9) and np.dot(found, operations) <= limit * (1 + 1e-9)
    assert found == pytest.approx(solved(parameters, [(parameters, budget), (operations, limit)], 5), rel=1e-4)
    capped = preconfig(parameters, operations, budget, limit, 1.0)
    assert capped == pytest.approx(solved(parameters, [(parameters, budget), (operations, limit)], 0), rel=1e-4)


@pytest.mark.parametrize("call, what", [
    (lambda: synexp([], 1.0), "no parameters"), (lambda: synexp([3, 0], 1.0), "no parameters"),
    (lambda: synexp([3], 0.0), "budget of 0"), (lambda: preconfig([3], [3], 1.0, float("nan")), "budget of nan")])
def test_amounts_without_sense_are_refused(call, what):
    with pytest.raises(LutraError, match=what):
        call()


class Branched(nn.Module):
    """Two residual blocks on a stream of 4, a convolution before and a linear layer behind; no layer has a bias."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(3))
        self.first, self.last = nn.Conv2d(2, 4, 3, bias=False), nn.Linear(4, 3, bias=False)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(x + self.b(F.relu(self.a(x))))
        return self.last(F.relu(x + self.c(x)).mean((2, 3)))


BRANCHED = ("first", "a", "b", "c", "last")
WEIGHTS = [Branched().get_parameter(f"{path}.weight").detach().double().abs() for path in BRANCHED]


@torch.no_grad()
def flow(factors):
    """R of the network whose absolute weights are multiplied by these, without its modules."""
    x = F.conv2d(torch.ones(1, 2, 4, 4).double(), factors[0] * WEIGHTS[0])
    x = x + F.conv2d(F.conv2d(x, factors[1] * WEIGHTS[1], padding=1), factors[2] * WEIGHTS[2], padding=1)
    x = x + F.conv2d(x, factors[3] * WEIGHTS[3], padding=1)
    return float(F.linear(x.mean((2, 3)), factors[4] * WEIGHTS[4]).sum())


def test_the_expected_flow_of_masks_is_the_flow_under_their_densities():
    densities, draw = (0.9, 0.5, 0.7, 0.4, 0.8), torch.Generator().manual_seed(0)
    flows = [flow([torch.rand(w.shape, generator=draw) < p for w, p in zip(WEIGHTS, densities, strict=True)])
             for _ in range(500)]
    assert np.mean(flows) == pytest.approx(flow(densities), abs=4 * np.std(flows) / len(flows) ** 0.5)
    assert np.std(flows) < 0.5 * np.mean(flows)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_sum_over_paths_is_greatest_where_it_is_found(share):
    """No step of any two densities at an equal budget makes more of it, and a general solver does not either."""
    from scipy.optimize import minimize

    net = Branched()
    weights = {path: net.get_parameter(f"{path}.weight").numel() for path in BRANCHED}
    sizes, budget = np.array(list(weights.values()), float), share * sum(weights.values())
    found = np.array(list(pathsum(net, weights, X[:, :, :4, :4], budget).values()))
    assert found @ sizes == pytest.approx(budget, rel=1e-6) and (found <= 1).all()
    start = synexp(sizes.tolist(), budget)
    assert flow(found) > flow(start) * 1.001
    for i in range(5):
        for k in range(5):
            other = found.copy()
            other[i] += 0.01 * other[i]
            other[k] -= 0.01 * found[i] * sizes[i] / sizes[k]
            if i != k and other[i] <= 1 and other[k] > 1 / sizes[k]:
                assert flow(other) < flow(found)
    solver = minimize(lambda p: -np.log(flow(p)), start, method="SLSQP", bounds=[(1 / a, 1) for a in sizes],
                      constraints={"type": "ineq", "fun": lambda p: budget - p @ sizes}, options={"ftol": 1e-12})
    assert np.log(flow(found)) >= -solver.fun - 1e-6


def test_in_a_chain_the_sum_over_paths_is_the_product():
    net = small()
    weights = {p: net.get_parameter(f"{p}.weight").numel() for p in PATHS}
    assert list(pathsum(net, weights, X, 60).values()) == pytest.approx(synexp(list(weights.values()), 60), rel=1e-9)


def test_the_sum_over_paths_leaves_a_branch_out_that_is_dear():
    """Where the shortcut carries the flow: one weight of the layer stays."""
    net = Branched()
    with torch.no_grad():
        net.c.weight.mul_(1e-4)
    found = pathsum(net, {path: net.get_parameter(f"{path}.weight").numel() for path in BRANCHED}, X, 100)
    assert found["c"] == pytest.approx(1 / 144, rel=1e-3) and min(found["a"], found["b"]) > 0.05
