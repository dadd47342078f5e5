"""Networks as torch's two exporters write them: our reference against torch."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lutra.front import load


class Block(nn.Module):
    """A residual block."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
                                  nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out))
        self.short = nn.Identity()
        if c_in != c_out:
            self.short = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        return F.relu(self.long(x) + self.short(x))


class Shuffle(nn.Module):
    """ShuffleNet's halves and its exchange of channels."""

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([b, a * 2], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Excite(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Indexed(nn.Module):
    """Means, maxima, sums and parts."""

    def forward(self, x):
        return torch.cat([x.mean((2, 3)), x.amax((2, 3)), x[:, 1:, -1, 1], x[:, 0, 0, ::2], x.sum((1, 2))], 1)


ACTIVATIONS = (nn.Hardswish(), nn.SiLU(), nn.GELU(), nn.GELU("tanh"), nn.Hardsigmoid(), nn.PReLU(4), nn.LeakyReLU(0.2),
               nn.ELU(), nn.SELU(), nn.CELU(0.5), nn.Mish(), nn.ReLU6(), nn.Hardtanh(), nn.Tanh(),
               nn.Sigmoid())
NETWORKS = {  # the network and the shape of a frame
    "resnet": (lambda: nn.Sequential(Block(3, 4, 1), Block(4, 4, 1), Block(4, 8, 2), nn.AdaptiveAvgPool2d(1),
                                     nn.Flatten(), nn.Linear(8, 5)), (3, 8, 8)),
    "activations": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), *ACTIVATIONS), (3, 4, 4)),
    "shuffles": (lambda: nn.Sequential(nn.Conv2d(3, 8, 1), Shuffle(), nn.PixelShuffle(2), nn.PixelUnshuffle(2),
                                       Excite(8)), (3, 4, 4)),
    "pools": (lambda: nn.Sequential(nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False),
                                    nn.AdaptiveAvgPool2d(2), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(3, 4)),
              (3, 16, 16)),
    "upward": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2),
                                     nn.Upsample(scale_factor=2, mode="nearest"), nn.Upsample(size=(96, 64))),
               (3, 4, 4)),
    "one axis": (lambda: nn.Sequential(nn.Conv1d(3, 6, 3, padding="same"), nn.BatchNorm1d(6), nn.ReLU(),
                                       nn.Conv1d(6, 6, 5, groups=6, stride=2), nn.AvgPool1d(2), nn.Flatten(),
                                       nn.Linear(24, 3), nn.Softmax(1)), (3, 20)),
    "indexed": (Indexed, (3, 4, 4)),
}


def made(name):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    build, shape = NETWORKS[name]
    net = build().eval()
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net, torch.randn(3, *shape)


@pytest.mark.parametrize("dynamic", [True, False], ids=["batch", "one"])
@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])
@pytest.mark.parametrize("name", NETWORKS)
def test_exported_networks_compute_what_torch_computes(name, dynamo, dynamic, tmp_path):
    net, x = made(name)
    options = {}
    if dynamic:
        options = ({"dynamic_shapes": ({0: torch.export.Dim("N")},)} if dynamo else {"dynamic_axes": {"x": {0: "N"}}})
    if name == "indexed" and dynamo:
        options = {}  # its positional shapes need a Sequential
    torch.onnx.export(net, (x if dynamic else x[:1],), tmp_path / "net.onnx", dynamo=dynamo, input_names=["x"],
                      external_data=False, verbose=False, **options)
    loaded = load(tmp_path / "net.onnx")
    y = loaded.graph.evaluate(x.numpy())[loaded.graph.outputs[0]]
    np.testing.assert_allclose(y, net(x).detach().numpy(), rtol=1e-4, atol=2e-6)
