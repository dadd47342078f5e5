"""`lutra quantize --data`: bits chosen on labelled images, training after the choice, what is taken up again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lutra
import lutra.quant as q
from lutra.cli import call
from lutra.errors import LutraError
from lutra.quant import hawq
from lutra.quant.hawq.gauss_newton import GaussNewton
from lutra.quant.search.costs import Bits
from lutra.quant.search.plan import BitPlan
from lutra.train import tuning
from lutra.train.by_data import Options, by_data
from lutra.train.by_data import drawn as drawn_by
from lutra.train.data import Images, load
from lutra.train.limits import Limits
from lutra.train.quantising import Asked
from lutra.train.subject import of_user
from lutra.train.tuning import Tuning

MAKE = '''
from pathlib import Path

import torch
from torch import nn


def make():
    net = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 2),
                        nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))
    net.load_state_dict(torch.load(Path(__file__).parent / "net.pt", weights_only=True))
    return net, torch.zeros(1, 1, 8, 8)


def frozen():
    net, example = make()
    for p in net.parameters():
        p.requires_grad_(False)
    return net, example


def broken():
    net, example = make()
    net[0].weight.data[0] = float("nan")
    return net, example


def shared():
    net, example = make()
    net.append(nn.Linear(4, 4)).append(nn.Linear(4, 4))
    net[-1].weight = net[-2].weight
    return net, example
'''
SEARCH = ("--images", 128, "--probes", 6, "--weights", "2,4,8", "--json")


def drawn(count, seed):
    """Four classes: which quarter of a noisy image is bright."""
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 150, (count, 1, 8, 8)), random.integers(0, 4, count)
    for image, k in zip(x, y, strict=True):
        image[0, 4 * (k // 2) : 4 * (k // 2) + 4, 4 * (k % 2) : 4 * (k % 2) + 4] += 90
    return x.astype(np.uint8), y.astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """net.py, its trained weights, and images."""
    made = tmp_path_factory.mktemp("data")
    (made / "net.py").write_text(MAKE)
    (made / "images").mkdir()
    (x, y), (xt, yt) = drawn(512, 0), drawn(200, 1)
    np.savez(made / "images" / "a.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 2),
                        nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for k in range(60):
        picked = slice(64 * (k % 8), 64 * (k % 8) + 64)
        loss = F.cross_entropy(net(torch.from_numpy(x[picked]).float() / 255), torch.from_numpy(y[picked]).long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.save(net.state_dict(), made / "net.pt")
    return made


def command(folder, capsys, *arguments, function="make"):
    code = call(["quantize", f"{folder / 'net.py'}:{function}", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def subject(folder):
    import runpy

    return of_user(*runpy.run_path(str(folder / "net.py"))["make"]())


def test_the_command_chooses_within_two_limits_and_writes_what_build_reads(folder, tmp_path, capsys):
    out = tmp_path / "out"
    code, said, err = command(folder, capsys, "--data", folder / "images", "--method", "hawq", "--max-bitops", 40e3,
                              "--size", 200, "--activations", "4,8", *SEARCH, "-o", out)
    assert code == 0, err
    told, plan = json.loads(said), BitPlan.read(out / "plan.json")
    assert plan.method == "hawq" and plan.limits == {"size": 200.0, "bitops": 40e3}
    assert all(plan.cost[name] <= limit for name, limit in plan.limits.items())
    assert len(set(plan.bits.values())) > 1 and all(r.score >= 0 for rated in plan.layers.values() for r in rated)
    net = q.quantize(subject(folder).net, plan.recipe(hawq.RECIPE))
    net.load_state_dict(torch.load(out / "network.pt", weights_only=True))
    images = load(folder / "images", (1, 8, 8))
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(images.x_test).float() / 255)
    right = (expected.argmax(1).numpy() == images.y_test).mean()
    assert told["checked"] == 200 and told["accuracy"]["quantised"] == pytest.approx(right) and right > 0.7
    found = plan.measured
    assert (found.by, found.count, found.trained) == ("accuracy", 200, None)
    assert found.floating == pytest.approx(told["accuracy"]["float"]) and found.floating > 0.9
    uniform = subject(folder).net
    q.calibrate(q.quantize(uniform, replace(plan, bits=dict.fromkeys(plan.bits, Bits(4, 4))).recipe(hawq.RECIPE)),
                [drawn_by(images, subject(folder).normalise, 128, 0)[0]], "mse")
    with torch.no_grad():
        answers = uniform.eval()(torch.from_numpy(images.x_test).float() / 255).argmax(1).numpy()
    assert dict(found.uniform)[Bits(4, 4)] == pytest.approx((answers == images.y_test).mean())
    compiled = lutra.compile(out / "network.onnx").run(images.x_test.astype(np.float32) / 255)
    np.testing.assert_array_equal(compiled, expected.numpy())
    assert "Ω" in (out / "report.html").read_text()


def test_another_limit_takes_up_the_traces(folder, tmp_path, capsys, monkeypatch):
    arguments = ("--data", folder / "images", "--activations", "4,8", *SEARCH, "-o", tmp_path, "--bits")
    assert command(folder, capsys, *arguments, 4)[0] == 0
    first = BitPlan.read(tmp_path / "plan.json")
    monkeypatch.setattr(GaussNewton, "estimate", _refuse)
    assert command(folder, capsys, *arguments, 6)[0] == 0
    second = BitPlan.read(tmp_path / "plan.json")
    assert second.layers == first.layers and second.score < first.score
    code, _, err = command(folder, capsys, *arguments, 6, "--seed", 1)
    assert code == 2 and "a probe was taken" in err


def _refuse(*_):
    raise LutraError("a probe was taken")


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not(folder, tmp_path):
    class Stopped(Exception):
        pass

    def stop(now):
        if now.stage == "traces of weights" and now.done == 5:
            raise Stopped

    def search(keep, watch):
        x, labels = images.x_train[:96], images.y_train[:96]
        data = [(torch.from_numpy(x).float() / 255, torch.from_numpy(labels).long())]
        return hawq.search(subject(folder).net, data, Options(weights=(2, 4)).choices, {"size": 150.0}, probes=8,
                           tolerance=0, keep=keep, watch=watch).plan

    images = load(folder / "images", (1, 8, 8))
    with pytest.raises(Stopped):
        search(tmp_path, stop)
    steps = []
    again = search(tmp_path, steps.append)
    assert again == search(None, lambda now: None)
    assert [s.done for s in steps if s.stage == "traces of weights"] == [5, 6, 7, 8]


def test_training_that_was_stopped_ends_with_the_same_network(folder, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(now):
        if now.stage == "train, epoch 2" and now.done == 2:
            raise Stopped

    def run(out, watch):
        return by_data(subject(folder), load(folder / "images", (1, 8, 8)), out, Asked(Limits(bits=3)),
                       Options(weights=(2, 4), count=64, probes=2), Tuning(steps=16, batch=64), watch)

    monkeypatch.setattr(tuning, "EVERY", 3)
    with pytest.raises(Stopped):
        run(tmp_path / "a", stop)
    seen = []
    ends = [run(tmp_path / "a", seen.append), run(tmp_path / "b", lambda now: None)]
    assert next(s.done for s in seen if s.stage == "train, epoch 2") == 2  # behind the checkpoint of 9 steps
    assert ends[0].accuracy == ends[1].accuracy and set(ends[0].accuracy) == {"float", "quantised", "trained"}
    states = [torch.load(tmp_path / k / "network.pt", weights_only=True) for k in "ab"]
    assert all(torch.equal(v, states[1][k]) for k, v in states[0].items())
    assert ends[0].accuracy["trained"] > 0.8


def test_divergences_on_real_images_and_real_scales(folder, tmp_path, capsys):
    code, _, err = command(folder, capsys, "--data", folder / "images", "--method", "zeroq", "--bits", 4, *SEARCH,
                           "--mean", "0.4", "--deviation", "0.5", "--scales", "real", "-o", tmp_path)
    assert code == 0, err
    plan = BitPlan.read(tmp_path / "plan.json")
    assert plan.method == "zeroq"
    net = q.quantize(subject(folder).net, plan.recipe(hawq.DYADIC)).eval()
    net.load_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
    x = (torch.from_numpy(load(folder / "images", (1, 8, 8)).x_test).float() / 255 - 0.4) / 0.5
    with torch.no_grad():
        expected = net(x).numpy()
    compiled = lutra.compile(tmp_path / "network.onnx")
    unit = float(compiled.lowered.outputs[0].scale.array.min())
    assert 0 < unit < 0.1 and abs(compiled.run(x.numpy()) - expected).max() < unit / 100  # the same integers


@pytest.mark.parametrize("arguments, what", [
    (("--method", "hawq"), "needs images with labels"), (("--zero-shot", "--method", "hawq"), "without data"),
    (("--zero-shot", "--epochs", 1, "--range", 0, 1, "--bits", 4), "1 epochs without images"),
    (("--data", "none", "--bits", 4), "no such folder"), (("--data",), "nothing limits the plan"),
    (("--data", "--bits", 4, "--epochs", 1, "--steps", 9), "1 epochs and 9 steps"),
    (("--data", "--bits", 4, "--mean", "0.5,0.5", "--deviation", "1,1"), "for 1 channels"),
    (("--data", "--bits", 4, "--mean", "a"), "'a' is no list"),
    (("--data", "--size", 20, *SEARCH), "least that can be reached is"),
    (("--data", "--bits", 4, "--weights", "4,4"), "different numbers of bits"),
])
def test_what_the_user_can_mend_is_said(folder, tmp_path, capsys, arguments, what):
    given = [folder / "images" if a == "images" else a for a in _with_folder(arguments)]
    code, _, err = command(folder, capsys, *given, "-o", tmp_path)
    assert code == 2 and what in " ".join(err.split())


def _with_folder(arguments):
    """The folder behind --data where none is given."""
    for k, a in enumerate(arguments):
        yield a
        if a == "--data" and (k + 1 == len(arguments) or str(arguments[k + 1]).startswith("--")):
            yield "images"


@pytest.mark.parametrize("function, what", [("broken", "the loss is nan"), ("shared", "share one weight")])
def test_networks_that_cannot_be_searched_are_named(folder, tmp_path, capsys, function, what):
    code, _, err = command(folder, capsys, "--data", folder / "images", "--bits", 4, *SEARCH, "-o", tmp_path,
                           function=function)
    assert code == 2 and what in err


def test_frozen_layers_have_the_same_traces(folder, tmp_path, capsys):
    plans = []
    for function in ("make", "frozen"):
        out = tmp_path / function
        assert command(folder, capsys, "--data", folder / "images", "--bits", 4, *SEARCH, "-o", out,
                       function=function)[0] == 0
        plans.append(BitPlan.read(out / "plan.json"))
    assert plans[0] == plans[1]


def test_images_without_labels_are_refused_where_they_lie(folder):
    net = subject(folder).net
    for batch, what in ((torch.zeros(4, 1, 8, 8), "no labels"), ((torch.zeros(4, 1, 8, 8), None), "no labels"),
                        ((torch.zeros(4, 1, 8, 8), torch.zeros(3).long()), "4 images and labels of shape"),
                        ((torch.zeros(4, 1, 8, 8), torch.full((4,), 7)), "the loss refuses these labels")):
        with pytest.raises(LutraError, match=what):
            hawq.search(net, [batch], Options().choices, {"size": 200.0}, probes=2)


def test_a_loader_is_read_as_far_as_images_are_wanted(folder):
    images = load(folder / "images", (1, 8, 8))
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(images.x_train).float() / 255,
                                           torch.from_numpy(images.y_train).long())
    loader = torch.utils.data.DataLoader(pairs, 32)
    rest = (Options(weights=(2, 8)).choices, {"size": 150.0})
    found = hawq.search(subject(folder).net, loader, *rest, probes=3, images=64)
    few = [(x, y) for (x, y), _ in zip(loader, range(2), strict=False)]
    assert found.plan == hawq.search(subject(folder).net, few, *rest, probes=3).plan


def test_steps_are_taken_over_as_few_epochs_as_can_be(folder):
    images = load(folder / "images", (1, 8, 8))
    part = Tuning(steps=5, batch=64).run(subject(folder), hawq.RECIPE, images)
    assert (part.settings.epochs[1], part.batches) == (1, 5)
    twice = Tuning(steps=10, batch=64).run(subject(folder), hawq.RECIPE, images)
    assert (twice.settings.epochs[1], twice.batches) == (2, 5)
    assert isinstance(twice.images, Images) and len(twice.images.x_test) == 200
