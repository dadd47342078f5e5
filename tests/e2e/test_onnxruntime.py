"""Networks quantised by onnxruntime.quantization with real calibration data: our reference against ONNX Runtime."""

import gzip

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
import pytest
import torch
import torch.ao.quantization as tq
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from torch import nn

import lutra
from lutra.errors import LutraError
from lutra.front import load
from lutra.ops import source as src

NEAR = 1e-4  # of a step: how near a tie single precision, a hundred operations deep, may decide the other way
QUANTISED = ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "QLinearAdd", "QGemm", "QLinearGlobalAveragePool",
             "QLinearConcat", "QLinearLeakyRelu")


@pytest.fixture(scope="module")
def digits(data):
    raw = gzip.decompress((data / "mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    return (np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255).astype(np.float32)


class Calibration(CalibrationDataReader):
    """The last images, one at a time."""

    def __init__(self, name, images):
        self.items = iter([{name: image[None]} for image in images])

    def get_next(self):
        return next(self.items, None)


class Residual(nn.Module):
    """A small convolutional network with a shortcut, a grouped convolution and a global average."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.long = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.LeakyReLU(0.125),
                                  nn.Conv2d(8, 8, 1))
        self.last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        x = self.first(x)
        return self.last(torch.cat([torch.relu(x + self.long(x)), x], 1))


@pytest.fixture(scope="module")
def networks(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("float")
    model = onnx.version_converter.convert_version(onnx.load(data / "models/qonnx/mnist_conv_float.onnx"), 13)
    onnx.save(model, folder / "mnist.onnx")
    torch.manual_seed(0)
    net = Residual().eval()
    torch.onnx.export(net, (torch.zeros(1, 1, 28, 28),), folder / "residual.onnx", dynamo=False, opset_version=17)
    return folder


def with_integers(path):
    """The model with the results of all its quantising operators as outputs."""
    model = onnx.load(path)
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    live = {i.name for i in model.graph.input} - set(kinds)
    for node in model.graph.node:
        if not live & set(node.input):
            continue  # of weights
        live |= set(node.output)
        if node.op_type in QUANTISED:
            zero = node.input[{"QLinearConcat": 1}.get(node.op_type, len(node.input) - 1)]
            if node.op_type == "QLinearConv":
                zero = node.input[7]
            model.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], kinds[zero], None))
    return model


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    frames = [session.run(None, {name: frame[None]}) for frame in x]
    return [np.concatenate(values) for values in zip(*frames, strict=True)]


def unexplained(graph, values, theirs):
    """Integers that differ from ONNX Runtime's in the first quantiser of a frame to differ, though the quotient is not
    near a tie; and how many differ in all.
    """
    clean = np.ones(len(theirs[0]), bool)
    strange = total = 0
    for node, expected in zip(graph.outputs, theirs, strict=True):
        if not isinstance(node.op, src.QuantizeLinear):
            continue
        differs = values[node] != expected
        total += int(differs.sum())
        quotient = values[node.args[0]] / node.op.scale.array
        tie = np.abs(np.abs(quotient - np.trunc(quotient)) - 0.5) < NEAR
        strange += int((differs & ~tie)[clean].sum())
        clean &= ~differs.reshape(len(clean), -1).any(axis=1)
    return strange, total


@pytest.mark.parametrize("network", ["mnist", "residual"])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=lambda f: f.name)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QUInt8, QuantType.QInt8], ids=lambda k: k.name)
def test_static_quantisation(network, form, per_channel, kind, networks, digits, tmp_path):
    source, path = networks / f"{network}.onnx", tmp_path / "quantised.onnx"
    name = onnx.load(source).graph.input[0].name
    quantize_static(source, path, Calibration(name, digits[-40:]), quant_format=form, per_channel=per_channel,
                    activation_type=kind, weight_type=QuantType.QInt8)
    x = digits[:100]
    model = with_integers(path)
    graph = load(model).graph
    assert sum(isinstance(n.op, src.QuantizeLinear) for n in graph.outputs) >= 6
    assert all(n.op.quant is not None for n in graph if isinstance(n.op, (src.Conv, src.MatMul)))
    values = graph.evaluate(x)
    theirs = run(model, x)
    strange, total = unexplained(graph, values, theirs)
    assert strange == 0 and total <= 50
    whole = load(path).graph
    assert (whole.evaluate(x)[whole.outputs[0]].argmax(1) == theirs[0].argmax(1)).mean() >= 0.99


class Stubbed(nn.Module):
    """What eager quantisation-aware training in torch takes."""

    def __init__(self):
        super().__init__()
        self.start, self.add = tq.QuantStub(), torch.ao.nn.quantized.FloatFunctional()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.long = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.last = nn.Linear(8 * 49, 10)

    def forward(self, x):
        x = self.first(self.start(x))
        x = nn.functional.avg_pool2d(self.add.add(x, self.long(x)), 2)
        return self.last(x.flatten(1))


@pytest.mark.parametrize("network", ["mnist", "residual"])
def test_it_compiles_as_it_is(network, networks, digits, tmp_path, cache):
    source, path = networks / f"{network}.onnx", tmp_path / "quantised.onnx"
    name = onnx.load(source).graph.input[0].name
    quantize_static(source, path, Calibration(name, digits[-40:]), per_channel=True, activation_type=QuantType.QInt8,
                    weight_type=QuantType.QInt8)
    acc = lutra.compile(path, cache=cache)
    x = digits[:100]
    y = acc.run(x)
    np.testing.assert_allclose(y, acc.reference(x), rtol=1e-9, atol=1e-9)
    assert (y.argmax(1) == run(onnx.load(path), x)[0].argmax(1)).mean() >= 0.99


@pytest.mark.filterwarnings("ignore")
def test_fake_quantisation_of_torch(digits, tmp_path):
    """Weights of 8 bits whose largest is on a tie (scale = max / 127.5), activations of 7 by a Clip."""
    torch.manual_seed(0)
    net = Stubbed().train()
    net.qconfig = tq.get_default_qat_qconfig("fbgemm", version=0)
    net = tq.prepare_qat(net)
    net(torch.tensor(digits[-64:]))
    net.eval().apply(tq.disable_observer)
    path = tmp_path / "net.onnx"
    torch.onnx.export(net, (torch.zeros(1, 1, 28, 28),), path, dynamo=False, opset_version=18)
    graph = load(path).graph
    quantisers = [n.op for n in graph if isinstance(n.op, src.QuantizeLinear)]
    assert len(quantisers) == 6 and all((q.lo, q.hi) == (0, 127) for q in quantisers)
    values = graph.evaluate(digits[:100])
    assert np.isclose(values[graph.outputs[0]], run(onnx.load(path), digits[:100])[0], atol=1e-5).all(1).mean() >= 0.99


def test_sixteen_bits(networks, digits, tmp_path):
    path = tmp_path / "quantised.onnx"
    quantize_static(networks / "residual.onnx", path, Calibration("input.1", digits[-10:]),
                    activation_type=QuantType.QInt16, weight_type=QuantType.QInt8)
    graph = load(path).graph
    x = digits[:20]
    y = graph.evaluate(x)[graph.outputs[0]]
    np.testing.assert_allclose(y, run(onnx.load(path), x)[0], atol=2e-4)


def test_dynamic_quantisation_is_refused_in_a_sentence(networks, tmp_path):
    quantize_dynamic(networks / "residual.onnx", tmp_path / "dynamic.onnx")
    with pytest.raises(LutraError, match=r"DynamicQuantizeLinear.*quantise statically"):
        load(tmp_path / "dynamic.onnx")
