"""The zoo's models: the papers' sizes, seeded weights, scales that use their ranges, arguments that do not fit."""

import json

import numpy as np
import pytest
from onnx import numpy_helper

from lutra.cli import call
from lutra.errors import LutraError
from lutra.front import load
from lutra.zoo import NETWORKS, build

# Parameters of the usual implementations less biases and batch normalisation; of ResNet-50 torchvision has 25,557,032.
WEIGHTS = {"mobilenet_v1": 4_209_088, "mobilenet_v2": 3_469_760, "resnet18": 11_678_912, "resnet50": 25_502_912,
           "resnet20": 270_896}


@pytest.mark.parametrize("name", WEIGHTS)
def test_as_many_weights_as_the_paper(name):
    model = build(name)
    count = sum(int(np.prod(i.dims)) for i in model.graph.initializer if i.name.endswith(".weight"))
    assert count == WEIGHTS[name]


def test_same_seed_same_model():
    once, again, other = (build("resnet20", seed=s).SerializeToString() for s in (5, 5, 6))
    assert once == again and once != other


@pytest.mark.parametrize("bits", [(1, 1), (2, 3), (8, 8)], ids=str)
@pytest.mark.parametrize("name", ["resnet20", "inception", "vgg10_1d", "mobilenet_v2", "unet"])
def test_quantisers_use_their_ranges(name, bits):
    """What flows is neither constant nor clipped away, and the images still differ at the end."""
    small = {"resnet20": {}, "inception": {}, "vgg10_1d": {"size": 256}, "mobilenet_v2": {"size": 64, "width": 0.5},
             "unet": {"size": 32, "width": 0.25}}[name]
    model = load(build(name, bits, **small).SerializeToString()).graph
    x = np.random.default_rng(1).uniform(-0.5, 0.5, (2, *model.inputs[0].out.shape)) + 0.5 * (name != "vgg10_1d")
    values = model.evaluate(x)
    inner = [values[n] for n in model.nodes if n.op.kind in ("quant", "bipolarquant")][1:]
    for v in inner:
        counts = np.unique(v, return_counts=True)[1]
        assert len(counts) > 0.3 * min(2 ** bits[1], v.size // 8) and counts.max() < 0.95 * v.size
    assert (inner[-1][0] != inner[-1][1]).any()


def test_weights_have_their_bits():
    model = build("resnet20", (3, 4))
    given = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    widths = {k[: -len(".weight_quant_bits")]: int(v) for k, v in given.items() if k.endswith(".weight_quant_bits")}
    assert widths.pop("stem.conv") == 8 and widths.pop("classifier") == 8
    assert set(widths.values()) == {3} and len(widths) == 20


@pytest.mark.parametrize("arguments, words", [
    ({"name": "resnet51"}, "resnet51"), ({"name": "resnet20", "bits": (4, 9)}, "9-bit"),
    ({"name": "resnet20", "size": 20}, "size 20"), ({"name": "unet", "width": 0.0}, "width 0"),
])
def test_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(LutraError, match=words):
        build(**arguments)


def test_command_line(tmp_path, capsys):
    assert call(["zoo", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(NETWORKS)
    path = tmp_path / "new" / "net.onnx"
    assert call(["zoo", "inception", "--weights", "1", "--size", "16", "--width", "0.5", "-o", str(path)]) == 0
    assert path.read_bytes() == build("inception", (1, 4), size=16, width=0.5).SerializeToString()
    assert call(["zoo", "lenet"]) == 2 and "lenet" in capsys.readouterr().err
