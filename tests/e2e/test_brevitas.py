"""A network trained with Brevitas in the test, exported in both of its forms: our reference against its own output."""

import numpy as np
import pytest
import torch
from brevitas import nn as qnn
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int8WeightPerTensorFloat, Int32Bias
from sklearn.datasets import load_digits
from torch import nn

import lutra
from lutra.front import load
from lutra.ops import source as src


class Net(nn.Module):
    """A convolution, a depthwise one around which a shortcut goes, and a classifier; weights of 3 bits."""

    def __init__(self):
        super().__init__()
        self.start = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.first = qnn.QuantConv2d(1, 8, 3, padding=1, weight_bit_width=3, weight_quant=Int8WeightPerChannelFloat,
                                     bias=True, bias_quant=Int32Bias)
        self.norm = nn.BatchNorm2d(8)
        self.relu = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
        self.depthwise = qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, weight_bit_width=3, bias=False,
                                         weight_quant=Int8WeightPerTensorFloat)
        self.after = qnn.QuantIdentity(bit_width=4, return_quant_tensor=True)
        self.add = qnn.QuantEltwiseAdd(input_quant=Int8ActPerTensorFloat, output_quant=Int8ActPerTensorFloat,
                                       return_quant_tensor=True)
        self.pool = nn.MaxPool2d(2)
        self.last = qnn.QuantLinear(128, 10, bias=True, weight_bit_width=3, bias_quant=Int32Bias)

    def forward(self, x):
        x = self.relu(self.norm(self.first(self.start(x))))
        x = self.pool(self.add(x, self.after(self.depthwise(x))))
        return self.last(x.flatten(1))


def values(y):
    return y.value if hasattr(y, "value") else y


@pytest.fixture(scope="module")
def trained():
    """The network, and images that it was not trained on with their labels."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32), torch.tensor(y)
    net = Net()
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(4):
        for i in range(0, 1500, 50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(values(net(x[i : i + 50])), y[i : i + 50]).backward()
            optimiser.step()
    return net.eval(), x[1500:], y[1500:].numpy()


def qcdq(net, path):
    export_onnx_qcdq(net, torch.zeros(1, 1, 8, 8), path, dynamo=False)


def qonnx(net, path):
    export_qonnx(net, torch.zeros(1, 1, 8, 8), path)


def qonnx_by_torchscript(net, path):
    export_qonnx(net, torch.zeros(1, 1, 8, 8), path, dynamo=False)


@pytest.mark.parametrize("export", [qcdq, qonnx, qonnx_by_torchscript], ids=lambda f: f.__name__)
def test_both_forms_compute_what_brevitas_computes(export, trained, tmp_path, cache):
    net, x, labels = trained
    export(net, str(tmp_path / "net.onnx"))
    expected = values(net(x)).detach().numpy()
    graph = load(tmp_path / "net.onnx").graph
    y = graph.evaluate(x.numpy())[graph.outputs[0]]
    assert (expected.argmax(1) == labels).mean() > 0.8
    near = np.isclose(y, expected, rtol=0, atol=2e-6 * np.abs(expected).max()).all(axis=1)
    assert near.mean() >= 0.99  # the others have a value on a rounding step of single precision
    assert (y.argmax(1) == expected.argmax(1)).mean() >= 0.99
    acc = lutra.compile(tmp_path / "net.onnx", cache=cache)
    np.testing.assert_allclose(acc.run(x.numpy()), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("export", [qcdq, qonnx], ids=lambda f: f.__name__)
def test_weights_have_three_bits_and_activations_their_own(export, trained, tmp_path):
    net, _, _ = trained
    export(net, str(tmp_path / "net.onnx"))
    graph = load(tmp_path / "net.onnx").graph
    layers = [n.op for n in graph if isinstance(n.op, (src.Conv, src.MatMul))]
    assert [op.quant[1].array.size for op in layers] == [8, 1, 1]
    for op, layer in zip(layers, (net.first, net.depthwise, net.last), strict=True):
        own = layer.quant_weight().int().numpy()
        assert np.array_equal(op.quant[0].array, own.T if isinstance(op, src.MatMul) else own)
        assert np.abs(own).max() == 3
    quantisers = [n.op for n in graph if isinstance(n.op, src.Elementwise) and n.op.finite]
    ranges = [(q.lo, q.hi) if isinstance(q, src.QuantizeLinear) else (q.codes.lo, q.codes.hi) for q in quantisers]
    assert ranges.count((0, 15)) == 1 and ranges.count((-8, 7)) == 1 and ranges.count((-128, 127)) >= 3
