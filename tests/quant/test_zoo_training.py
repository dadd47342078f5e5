"""Training of the zoo's networks: resumed runs equal uninterrupted ones, what comes out equals its integers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import lutra
import lutra.quant as q
from lutra.cli import call
from lutra.errors import LutraError
from lutra.train.batches import epoch, moved
from lutra.train.checkpoint import read, write
from lutra.train.data import Images
from lutra.train.session import Options, finished, settings_of, train, weights_of
from lutra.train.stages import Run
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.trainable import NETWORKS, trainable


def images(shape=(1, 28, 28), count=64, seed=0):
    """Two noisy halves: the label says which one is bright."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, count).astype(np.uint8)
    x = rng.integers(0, 100, (count, *shape)).astype(np.uint8)
    for i, label in enumerate(y):
        x[i, :, 2 * label : 2 * label + 3] += 150
    return Images(x, y, x[:24], y[:24])


def run(name="small_cnn", epochs=(1, 2), **chosen):
    plan = replace(trainable(name), flips=True)
    options = Options(float_epochs=epochs[0], epochs=epochs[1], batch=16, **chosen)
    return Run(plan, settings_of(name, options), images(plan.frame))


def steps(of, count=None):
    """The losses of the next steps."""
    return [now.loss for now, _ in zip(of.train(), range(count or 10**6), strict=False)]


@pytest.mark.parametrize("interrupted", [2, 4, 7, 11])  # in floating point, at its end, learning points, frozen
def test_a_resumed_run_equals_an_uninterrupted_one(interrupted, tmp_path):
    whole = run()
    losses = steps(whole)
    assert len(losses) == 12 and whole.net.lutra_casts.points_frozen
    first = run()
    before = []
    for now in first.train():
        before.append(now.loss)
        if len(before) == interrupted:
            write(tmp_path / "checkpoint.pt", first.state())
            break
    second = run()
    torch.rand(7)  # what others draw does not matter
    second.load(read(tmp_path / "checkpoint.pt"))
    assert before + steps(second) == losses
    for (k, a), (other, b) in zip(whole.net.state_dict().items(), second.net.state_dict().items(), strict=True):
        assert k == other and torch.equal(a, b), k
    assert torch.equal(whole.results(), second.results())


def test_seeds_decide():
    assert steps(run(epochs=(0, 1), seed=1)) == steps(run(epochs=(0, 1), seed=1))
    assert steps(run(epochs=(0, 1), seed=1)) != steps(run(epochs=(0, 1), seed=2))


def test_shares_of_processes_make_up_a_batch():
    found = images()
    whole, *parts = (next(epoch(found.x_train, found.y_train, 16, 0, 3, flips=True, part=p))
                     for p in ((0, 1), (0, 2), (1, 2)))
    for k in (0, 1):
        assert torch.equal(whole[k][0::2], parts[0][k]) and torch.equal(whole[k][1::2], parts[1][k])


def test_augmentation_moves_images_as_a_whole():
    x = torch.arange(1, 1 + 12 * 12, dtype=torch.uint8).view(1, 1, 12, 12).expand(200, 2, 12, 12)
    y = moved(x, torch.Generator().manual_seed(0))
    corners = set()
    for a, b in zip(x, y, strict=True):
        found = [(m, i, j) for m in (False, True) for i in range(-4, 5) for j in range(-4, 5)
                 if torch.equal(b, _shifted(a.flip(2) if m else a, i, j))]
        assert len(found) == 1
        corners |= set(found)
    assert {m for m, _, _ in corners} == {False, True} and {i for _, i, _ in corners} == set(range(-4, 5))


def _shifted(x, i, j):
    padded = torch.nn.functional.pad(x, (4, 4, 4, 4))
    return padded[:, 4 + i : 4 + i + x.shape[1], 4 + j : 4 + j + x.shape[2]]


def test_a_command_from_images_to_a_file_that_builds(tmp_path, capsys):
    found = images()
    np.savez(tmp_path / "images.npz", **vars(found))
    out = tmp_path / "out"
    line = ["train", "tfc", "--data", str(tmp_path), "--out", str(out), "--epochs", "1", "--batch", "16", "--check",
            "20", "--json"]
    assert call(line) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["outputs"] == said["equal"] == 200 and said["refused"] is None
    assert said["network"] == said["integers"]
    assert said["next"] == f"lutra build {out / 'network.onnx'} --device ecp5-85k"
    assert list((out / "logs").glob("events*"))
    x = torch.from_numpy(found.x_test) / 256
    plan = trainable("tfc")
    net = q.quantize(plan.make(plan.bits), plan.recipe(plan.bits))
    net.load_state_dict(read(out / "network.pt"))
    y = lutra.compile(out / "network.onnx", device="ecp5-85k").run(x.numpy())
    assert np.array_equal(y.argmax(1), net.eval()(x).argmax(1).numpy())
    assert call(line) == 2 and "lies there already" in capsys.readouterr().err
    assert call([*line, "--resume"]) == 0  # nothing is left to do: the same again
    assert json.loads(capsys.readouterr().out) == said


def test_scales_move_by_a_share_of_themselves():
    of = run("tfc", epochs=(0, 3))
    losses, scales = [], []
    for now in of.train():
        losses.append(now.loss)
        scales.append([float(s.point.detach()) for s in q.sites(of.net) if not s.shift])
    first, last = np.array(scales[0]), np.array(scales[-1])
    assert first.size == 4 and (first < 0.08).all()  # far below a binary point's rate times the number of steps
    assert (last != first).any() and (np.abs(np.log2(last / first)) <= 0.012 * len(losses)).all()


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in ("fracbnn", "resnet20", "ocr")])
def test_every_network_trains(name, tmp_path):
    """By its own recipe, two batches of eight; what comes out compiles, and its integers are the network's."""
    plan = trainable(name)
    options = Options(float_epochs=0, epochs=1, batch=8, checked=8, device="xcu280")
    of = Run(plan, settings_of(name, options), images(plan.frame, 16))
    before = {k: v.clone() for k, v in of.net.state_dict().items()}
    assert len(steps(of)) == 2
    assert all(p.grad is not None and bool((p.grad != 0).any()) for n, p in of.net.named_parameters()
               if n in before and n.endswith("weight"))
    outcome = finished(of, tmp_path, options)
    assert outcome.refused is None and outcome.equal == outcome.outputs == 80


def test_a_published_checkpoint(data):
    weights = weights_of(data / "models" / "resnet_cifar10" / "resnet20-12fca82f.th")
    net = ResNet(3)
    net.load_state_dict(weights)
    assert torch.equal(net.layer3[2].conv2.weight, weights["layer3.2.conv2.weight"])


@pytest.mark.parametrize("chosen, said", [
    ({"epochs": 0}, "epochs: 0"), ({"rate": 0.0}, "rate: 0.0"), ({"rate": float("nan")}, "rate: nan"),
    ({"seed": -1}, "seed: -1"), ({"batch": 1}, "batch: 1"), ({"weights": 0}, "bits: 0"),
])
def test_options_out_of_range(chosen, said):
    with pytest.raises(LutraError, match=said):
        settings_of("tfc", Options(**chosen))


def test_bad_checkpoints(tmp_path):
    net = ResNet(1)
    state = net.state_dict()
    state["conv1.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "no.pt").write_bytes(b"nothing")
    for file, said in (("nan.pt", "'conv1.weight' has a number that is not finite"), ("list.pt", "holds no weights"),
                       ("no.pt", "not a checkpoint, or it is damaged"), ("none.pt", "no such file")):
        with pytest.raises(LutraError, match=said):
            weights_of(tmp_path / file)
    of = run(epochs=(0, 1))
    with pytest.raises(LutraError, match="not this network's weights"):
        of.start(ResNet(1).state_dict())
    saved = of.state()
    with pytest.raises(LutraError, match="another seed"):
        run(epochs=(0, 1), seed=5).load(saved)
    with pytest.raises(LutraError, match="not a checkpoint of this network"):
        run(epochs=(0, 1)).load({"settings": saved["settings"]})


def test_a_run_that_diverges_stops():
    of = run(epochs=(1, 1))
    steps(of, 2)
    of.net.fc.bias.data[0] = float("nan")
    with pytest.raises(LutraError, match="the loss is nan"):
        steps(of)
    of = run(epochs=(0, 1))
    for now in of.train():
        if now.batch == 2:
            of.net.block[0].parametrizations.weight.original.data[0] = float("nan")
            with pytest.raises(LutraError, match="block"):
                steps(of)
            break


def overflowing(of, bad):
    """Let the gradients of these steps of a run overflow, as those of long sequences do."""
    weight, seen = next(p for p in of.net.parameters() if p.dim() == 4), iter(range(10**6))
    weight.register_hook(lambda g: g * torch.inf if next(seen) in bad else g)


@pytest.mark.parametrize("steepest", [float("inf"), 1.0])
def test_steps_of_infinite_gradients_are_left_out(steepest, monkeypatch):
    monkeypatch.setattr(Run, "STEEPEST", steepest)
    of, before = run(epochs=(2, 1)), []
    overflowing(of, {1, 2, 5})
    found = []
    for now, _ in zip(of.train(), range(8), strict=False):
        after = [p.detach().clone() for p in of.net.parameters()]
        found.append((now.skipped, all(map(torch.equal, before, after)) if before else False))
        before = after
    assert found == [(0, False), (1, True), (2, True), (2, False), (0, False), (1, True), (1, False), (1, False)]
    assert all(bool(p.isfinite().all()) for p in before)


def test_a_run_of_infinite_gradients_stops(monkeypatch):
    monkeypatch.setattr("lutra.train.stages.PATIENCE", 3)
    of = run(epochs=(3, 1))
    overflowing(of, {0, 1, 3, 4, 5})
    with pytest.raises(LutraError, match=r"gradients of 3 steps in a row are not finite .*lower the learning rate"):
        steps(of)
    assert (of.epoch, of.batch) == (1, 1)


def test_other_sizes_are_refused(tmp_path):
    np.savez(tmp_path / "images.npz", **vars(images()))
    with pytest.raises(LutraError, match=r"28 x 28 pixels in 1 channel.*32 x 32 pixels in 3 channels"):
        train("cnv", tmp_path, tmp_path / "out", Options(epochs=1))
    with pytest.raises(LutraError, match="choose one of tfc"):
        train("alexnet", tmp_path, tmp_path / "out", Options())
