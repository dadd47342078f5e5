"""Train the small network that Lutra ships, and write it as QONNX.

    python examples/train_digits.py            # writes lutra/data/digits.onnx and lutra/data/digits_test.npz

Data: the 1,797 handwritten digits of 8 x 8 pixels, 0..16, that scikit-learn bundles. The network is a convolutional
one with ternary weights and 2-bit activations, trained with straight-through gradients (Hubara et al., JMLR 2018) in
plain NumPy. Every random number has a seed; the same NumPy gives the same file.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float64]
LEVELS = 3  # of a 2-bit activation: 0..3
STEP = 0.5  # what one level is worth
EPS = 1e-5


@dataclass
class Dense:
    """Ternary weights (outputs, inputs), batch normalisation, ReLU and a 2-bit quantiser."""

    weights: Array
    last: bool = False
    gamma: Array = field(init=False)
    beta: Array = field(init=False)
    mean: Array = field(init=False)
    var: Array = field(init=False)
    grads: list[Array] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.weights)
        self.gamma, self.beta, self.mean, self.var = np.ones(n), np.zeros(n), np.zeros(n), np.ones(n)

    @property
    def scale(self) -> float:
        """What one step of the weights is worth: the mean magnitude (Li et al., Ternary weight networks, 2016)."""
        return float(np.float32(np.abs(self.weights).mean() * 1.4))

    def levels(self) -> Array:
        """The weights as -1, 0, 1."""
        return np.clip(np.rint(self.weights / self.scale), -1, 1)

    def forward(self, x: Array, train: bool) -> Array:
        """(rows, inputs) to (rows, outputs)."""
        self.x = x
        z = x @ (self.levels() * self.scale).T
        if self.last:
            return z
        mean, var = (z.mean(0), z.var(0)) if train else (self.mean, self.var)
        if train:
            self.mean, self.var = 0.9 * self.mean + 0.1 * mean, 0.9 * self.var + 0.1 * var
        self.deviation = np.sqrt(var + EPS)
        self.unit = (z - mean) / self.deviation
        self.y = self.gamma * self.unit + self.beta
        return np.clip(np.rint(self.y / STEP), 0, LEVELS) * STEP

    def backward(self, grad: Array) -> Array:
        """Gradient of the loss by the input; keeps those by the parameters. Rounding passes the gradient on."""
        tail: list[Array] = []
        if not self.last:
            grad = grad * ((self.y > 0) & (self.y < LEVELS * STEP))
            tail = [(grad * self.unit).sum(0), grad.sum(0)]
            grad = grad * self.gamma
            grad = (grad - grad.mean(0) - self.unit * (grad * self.unit).mean(0)) / self.deviation
        self.grads = [grad.T @ self.x, *tail]
        return grad @ (self.levels() * self.scale)

    def parameters(self) -> list[Array]:
        """What is trained, in the order of `grads`."""
        return [self.weights] if self.last else [self.weights, self.gamma, self.beta]


def windows(x: Array, pad: int) -> Array:
    """(N, H, W, C) to (N, OH, OW, 9 C), rows of 3 x 3 windows in the order (row, column, channel)."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    h, w = x.shape[1] - 2, x.shape[2] - 2
    return np.concatenate([x[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], -1)


def unwindows(grad: Array, channels: int, pad: int) -> Array:
    """The transpose of `windows`."""
    n, h, w, _ = grad.shape
    out = np.zeros((n, h + 2, w + 2, channels))
    for k in range(9):
        out[:, k // 3 : k // 3 + h, k % 3 : k % 3 + w] += grad[..., k * channels : (k + 1) * channels]
    return out[:, pad : h + 2 - pad, pad : w + 2 - pad]


class Network:
    """Convolution 3 x 3, max-pool 2 x 2, convolution 3 x 3, fully connected: 8 x 8 x 1 to 10."""

    def __init__(self, rng: np.random.Generator, first: int = 8, second: int = 16) -> None:
        def draw(n: int, m: int) -> Array:
            return rng.normal(0, 1 / np.sqrt(m), (n, m))

        self.layers = [Dense(draw(first, 9)), Dense(draw(second, 9 * first)), Dense(draw(10, 4 * second), last=True)]

    def forward(self, x: Array, train: bool = False) -> Array:
        """(N, 8, 8, 1) to logits (N, 10)."""
        a, b, c = self.layers
        self.rows = windows(x, 1)
        y = a.forward(self.rows.reshape(-1, 9), train).reshape(len(x), 4, 2, 4, 2, -1)
        pooled = y.max((2, 4))
        best = y == pooled[:, :, None, :, None]
        self.winners = best / best.sum((2, 4), keepdims=True)
        z = windows(pooled, 0)
        return c.forward(b.forward(z.reshape(-1, z.shape[-1]), train).reshape(len(x), -1), train)

    def backward(self, grad: Array) -> None:
        """Gradients of all parameters from that of the logits."""
        a, b, c = self.layers
        n, first = len(grad), len(a.weights)
        grad = b.backward(c.backward(grad).reshape(n * 4, -1)).reshape(n, 2, 2, -1)
        grad = unwindows(grad, first, 0)[:, :, None, :, None] * self.winners
        a.backward(grad.reshape(-1, first))


def shifted(x: Array, rng: np.random.Generator) -> Array:
    """Each batch moved by at most one pixel, with blanks coming in."""
    i, j = rng.integers(0, 3, 2)
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, i : i + 8, j : j + 8]


def train(x: Array, labels: Array, epochs: int, seed: int) -> Network:
    """Adam (Kingma and Ba, 2015) with a cosine step size, on batches of 50."""
    rng = np.random.default_rng(seed)
    net = Network(rng)
    params = [p for layer in net.layers for p in layer.parameters()]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    steps, step = epochs * (len(x) // 50), 0
    for _ in range(epochs):
        for batch in rng.permutation(len(x))[: len(x) // 50 * 50].reshape(-1, 50):
            step += 1
            logits = net.forward(shifted(x[batch], rng), train=True)
            p = np.exp(logits - logits.max(1, keepdims=True))
            net.backward((p / p.sum(1, keepdims=True) - np.eye(10)[labels[batch]]) / len(batch))
            rate = 0.01 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for value, grad, (m, v) in zip(params, (g for la in net.layers for g in la.grads), moments, strict=True):
                m += 0.1 * (grad - m)
                v += 0.001 * (grad * grad - v)
                value -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return net


class Writer:
    """Collects the nodes and initialisers of a QONNX graph whose value runs from node to node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.value = "image"

    def constant(self, name: str, value: object) -> str:
        """A float32 initialiser (int64 where integers are given)."""
        array = np.asarray(value)
        array = array if array.dtype == np.int64 else array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, name: str, *more: str, domain: str = "", **attributes: object) -> str:
        """One node that takes the running value and becomes it."""
        self.nodes.append(helper.make_node(kind, [self.value, *more], [name], name=name, domain=domain, **attributes))
        self.value = name
        return name

    def quant(self, name: str, scale: float, bits: int, signed: int, of: str | None = None) -> str:
        """A Quant node; of a constant where `of` names one."""
        kept = self.value
        self.value = of or kept
        more = [self.constant(f"{name}_{key}", v) for key, v in (("scale", scale), ("zero", 0), ("bits", bits))]
        out = self.add("Quant", name, *more, domain="qonnx.custom_op.general", signed=signed, narrow=signed,
                       rounding_mode="ROUND")
        self.value = kept if of else out
        return out

    def activation(self, name: str, layer: Dense) -> None:
        """Batch normalisation, ReLU and 2-bit quantiser."""
        stats = [self.constant(f"{name}_{k}", getattr(layer, k)) for k in ("gamma", "beta", "mean", "var")]
        self.add("BatchNormalization", f"{name}_norm", *stats, epsilon=EPS)
        self.add("Relu", f"{name}_relu")
        self.quant(f"{name}_quant", STEP, 2, 0)

    def ternary(self, name: str, layer: Dense, weights: Array) -> str:
        """The weights as float constant and Quant node."""
        return self.quant(f"{name}_ternary", layer.scale, 2, 1, of=self.constant(f"{name}_weights", weights))


def export(net: Network) -> onnx.ModelProto:
    """The network as QONNX: input (N, 1, 8, 8), pixels / 16; output (N, 10) logits."""
    w = Writer()
    a, b, c = net.layers
    w.quant("pixels", 1 / 16, 5, 0)
    for name, layer, pad in (("conv1", a, 1), ("conv2", b, 0)):
        kernel = layer.weights.reshape(len(layer.weights), 3, 3, -1).transpose(0, 3, 1, 2)
        w.add("Conv", name, w.ternary(name, layer, kernel), kernel_shape=[3, 3], pads=[pad] * 4, strides=[1, 1])
        w.activation(name, layer)
        if pad:
            w.add("MaxPool", "pool", kernel_shape=[2, 2], strides=[2, 2])
    w.add("Flatten", "flat", axis=1)
    dense = c.weights.reshape(10, 2, 2, -1).transpose(0, 3, 1, 2).reshape(10, -1)  # ONNX flattens (C, H, W)
    w.add("MatMul", "logits", w.ternary("dense", c, dense.T))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])
    graph = helper.make_graph(w.nodes, "digits", [image], [logits], w.constants)
    domains = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8, producer_name="examples/train_digits.py")


def main() -> None:
    """Train, test, write."""
    from sklearn.datasets import load_digits

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(__file__).parents[1] / "lutra" / "data"
    parser.add_argument("--out", type=Path, default=folder, help="folder for the two files")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    images, labels = digits.images[order].astype(np.uint8), digits.target[order]
    held = 360  # a fifth, never trained on
    x = images[..., None] / 16.0
    net = train(x[held:], labels[held:], args.epochs, args.seed)
    right = (net.forward(x[:held]).argmax(1) == labels[:held]).mean()
    args.out.mkdir(parents=True, exist_ok=True)
    onnx.save(export(net), str(args.out / "digits.onnx"))
    np.savez_compressed(args.out / "digits_test.npz", images=images[:held], labels=labels[:held].astype(np.uint8))
    print(f"{right:.2%} of {held} held-out images; wrote {args.out / 'digits.onnx'}")


if __name__ == "__main__":
    main()
