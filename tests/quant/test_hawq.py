"""Traces against the exact Hessian, errors against casts, and what is chosen."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant import hawq
from lutra.quant.search.costs import Bits, size
from lutra.quant.search.layers import layers
from lutra.quant.still import still

OPTIONS = [Bits(2, 8), Bits(4, 8), Bits(8, 8)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)
        self.hidden, self.last = nn.Linear(48, 5), nn.Linear(5, 4)

    def forward(self, x):
        return self.last(torch.tanh(self.hidden(torch.relu(self.norm(self.conv(x))).flatten(1))))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net().double()


@pytest.fixture(scope="module")
def batches():
    torch.manual_seed(1)
    return [(torch.randn(n, 1, 6, 6).double(), torch.randint(0, 4, (n,))) for n in (6, 3)]


def modules(net):
    named = dict(net.named_modules())
    return {found.path: named[found.path] for found in layers(net, torch.zeros(1, 1, 6, 6).double())}


def exact_of_weight(net, path, batches):
    """The Hessian's block of a weight, whole, of the mean loss."""
    net.eval()
    x, y = torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])

    def loss(weight):
        return F.cross_entropy(functional_call(net, {f"{path}.weight": weight}, (x,)), y)

    weight = net.get_parameter(f"{path}.weight").detach()
    return torch.autograd.functional.hessian(loss, weight).reshape(weight.numel(), -1)


def exact_of_input(net, path, batches):
    """The traces of the blocks of one image's input each, the mean over images; and the largest cross term."""
    net.eval()
    module, total, cross = net.get_submodule(path), 0.0, 0.0
    for x, y in batches:
        kept = []
        hook = module.register_forward_pre_hook(lambda m, a, kept=kept: kept.append(a[0].detach()))
        net(x)
        hook.remove()
        (read,) = kept

        def loss(value, x=x, y=y):
            hook = module.register_forward_pre_hook(lambda m, a: (value,))
            try:
                return F.cross_entropy(net(x), y, reduction="sum")
            finally:
                hook.remove()

        h = torch.autograd.functional.hessian(loss, read)
        n, own = len(read), read[0].numel()
        h = h.reshape(n, own, n, own)
        total += sum(h[i, :, i].trace().item() for i in range(n))
        cross = max([cross, *(h[i, :, j].abs().max().item() for i, j in itertools.permutations(range(n), 2))])
    return total / sum(len(x) for x, _ in batches), cross


def test_a_product_is_the_hessians(net, batches):
    found = modules(net)
    with still(net, gradients=True):
        curvature = next(iter(hawq.of_weights(net, found, batches[:1], F.cross_entropy)))
        for k, path in enumerate(found):
            h = exact_of_weight(net, path, batches[:1])
            z = [torch.zeros_like(t) for t in curvature.tensors]
            z[k] = torch.randn(z[k].shape, generator=torch.Generator().manual_seed(k)).double()
            torch.testing.assert_close(curvature.product(z)[k].reshape(-1), h @ z[k].reshape(-1))


def test_traces_of_weights_are_within_four_standard_errors_and_those_are_what_theory_says(net, batches):
    found = hawq.weight_traces(net, modules(net), batches, F.cross_entropy, probes=400, tolerance=0)
    for path, trace in found.items():
        h = exact_of_weight(net, path, batches)
        assert trace.probes == 400 and trace.elements == len(h)
        assert abs(trace.trace - h.trace().item()) < 4 * trace.error, path
        own = 2 * (h.square().sum() - h.diagonal().square().sum())  # of one block's probes alone
        assert trace.error > 0.8 * (own / 400).sqrt(), path


def test_traces_of_inputs_are_within_four_standard_errors_and_images_do_not_touch(net, batches):
    found = hawq.input_traces(net, modules(net), batches, F.cross_entropy, probes=400, tolerance=0)
    for path, trace in found.items():
        exact, cross = exact_of_input(net, path, batches)
        assert cross == 0
        assert abs(trace.trace - exact) < 4 * trace.error, path


class Bent(Net):
    """Piecewise linear in each layer's weights and inputs alone."""

    def forward(self, x):
        return self.last(torch.relu(self.hidden(torch.relu(self.norm(self.conv(x))).flatten(1))))


@pytest.fixture(scope="module")
def bent():
    torch.manual_seed(3)
    return Bent().double()


def test_where_a_network_is_piecewise_linear_traces_of_gauss_newton_are_the_hessians(bent, batches):
    every = modules(bent)
    found = hawq.weight_traces(bent, every, batches, F.cross_entropy, 400, 0, curvature="gauss-newton")
    read = hawq.input_traces(bent, every, batches, F.cross_entropy, 400, 0, curvature="gauss-newton")
    for path in every:
        exact = exact_of_weight(bent, path, batches).trace().item()
        assert found[path].probes == 400 and abs(found[path].trace - exact) < 4 * found[path].error, path
        exact, _ = exact_of_input(bent, path, batches)
        assert abs(read[path].trace - exact) < 4 * read[path].error, path


def test_the_error_of_a_gauss_newton_estimate_is_that_of_a_layer_probed_alone(bent, batches):
    """2 (|G|^2 - sum G_kk^2) of each batch, G the Gram matrix of roots J' S, one row for each image and class."""
    found = hawq.weight_traces(bent, modules(bent), batches, F.cross_entropy, 1200, 0, curvature="gauss-newton")
    images = sum(len(x) for x, _ in batches)
    for path, trace in found.items():
        variance = 0.0
        for x, _ in batches:
            def outputs(weight, x=x, path=path):
                return functional_call(bent, {f"{path}.weight": weight}, (x,))

            weight = bent.get_parameter(f"{path}.weight").detach()
            slope = torch.autograd.functional.jacobian(outputs, weight).flatten(2)
            p = bent(x).detach().softmax(1)
            root = p.sqrt().diag_embed() - p.unsqueeze(2) * p.sqrt().unsqueeze(1)
            rows = torch.einsum("nck,ncd->ndk", slope, root).flatten(0, 1) / images**0.5
            gram = rows @ rows.T
            variance += 2 * (gram.square().sum() - gram.diagonal().square().sum()).item()
        assert trace.error == pytest.approx((variance / 1200) ** 0.5, rel=0.1), path


@pytest.mark.parametrize("labels", [torch.tensor([[0, 3], [-100, 1], [2, -100]]),
                                    torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(5)).double()])
def test_labels_may_be_left_out_or_probabilities_and_outputs_many(labels):
    """Two classifications an image, by one linear layer: its Hessian is of Gauss and Newton, whole."""
    torch.manual_seed(6)
    net, x = nn.Sequential(nn.Linear(5, 8), nn.Unflatten(1, (4, 2))).double(), torch.randn(3, 5).double()
    found = hawq.weight_traces(net, {"0": net[0]}, [(x, labels)], F.cross_entropy, 400, 0, curvature="gauss-newton")
    exact = exact_of_weight(net, "0", [(x, labels)]).trace().item()
    assert abs(found["0"].trace - exact) < 4 * found["0"].error < 0.4 * exact


def test_a_search_takes_gauss_newton_of_cross_entropy_and_the_hessian_where_it_is_asked_for(net, batches, tmp_path):
    def traces(**given):
        return hawq.search(net, batches, OPTIONS, {"size": 10**6}, probes=5, keep=tmp_path, **given).omega.weights

    def rooted(out, labels):
        return F.cross_entropy(out, labels).sqrt()

    rest = (modules(net), batches, F.cross_entropy, 5)
    assert traces() == traces() == hawq.weight_traces(net, *rest, curvature="gauss-newton")
    assert traces(curvature="hessian") == hawq.weight_traces(net, *rest) != traces()
    assert traces(loss=rooted) == hawq.weight_traces(net, modules(net), batches, rooted, 5)
    with pytest.raises(LutraError, match=r"root of the curvature of .*rooted"):
        traces(loss=rooted, curvature="gauss-newton")
    with pytest.raises(LutraError, match="no curvature is called 'newton'"):
        traces(curvature="newton")


def test_few_probes_are_enough_for_a_loose_tolerance_and_the_same_for_a_seed(net, batches):
    few, again = (hawq.weight_traces(net, modules(net), batches, F.cross_entropy, 60, 0.5, seed=3) for _ in range(2))
    assert few == again and next(iter(few.values())).probes < 60


def test_the_network_is_left_as_it_was(net, batches):
    net.train()
    net.conv.weight.requires_grad_(False)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    hawq.search(net, batches, OPTIONS, {"size": 10**6}, probes=3)
    assert net.training and not net.conv.weight.requires_grad and net.hidden.weight.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    net.conv.weight.requires_grad_(True)


def test_errors_are_those_of_the_casts_that_quantize_puts_in(net, batches):
    errors = hawq.weight_errors(modules(net), hawq.RECIPE, {3, 6})
    for bits in (3, 6):
        quantised = q.quantize(_copy(net), q.Recipe(q.Fixed(bits, per_channel=True), first_last=0))
        q.calibrate(quantised, [b[0] for b in batches], "mse")
        for path in errors:
            error = (quantised.get_submodule(path).weight - net.get_submodule(path).weight).square().sum().item()
            assert errors[path][bits] == pytest.approx(error, rel=1e-9)


def _copy(net):
    fresh = Net().double()
    fresh.load_state_dict(net.state_dict())
    return fresh.eval()


def test_the_plan_is_the_best_of_all_within_the_limit(net, batches):
    limit = 0.45 * sum(p.numel() for n, p in net.named_parameters() if n.endswith("weight") and p.ndim > 1)
    found = hawq.search(net, batches, OPTIONS, {"size": limit}, probes=20)
    every = layers(net, batches[0][0][:1])
    paths = [p.path for p in every]
    ways = [dict(zip(paths, way, strict=True)) for way in itertools.product(OPTIONS, repeat=len(every))]
    legal = [w for w in ways if sum(size(p, w[p.path])["size"] for p in every) <= limit]
    best = min(sum(found.omega(p, w[p.path]) for p in every) for w in legal)
    assert found.plan.score == pytest.approx(best) and found.plan.cost["size"] <= limit
    assert len(set(found.plan.bits.values())) > 1  # mixed, as neither uniform choice is the best
    q.quantize(_copy(net), found.plan.recipe(hawq.RECIPE))


@pytest.mark.parametrize(("given", "said"), [
    (lambda b: ([], {"size": 1e6}), "there is no batch"),
    (lambda b: (b, {"size": 1.0}), "the least that can be reached"),
    (lambda b: (b, {}), "there is no limit"),
    (lambda b: ([(b[0][0] * float("nan"), b[0][1])], {"size": 1e6}), "the loss is nan"),
])
def test_bad_input_has_a_sentence(net, batches, given, said):
    with pytest.raises(LutraError, match=said):
        hawq.search(net, *given(batches)[:1], OPTIONS, given(batches)[1], probes=3)
