"""A float ResNet-20 for CIFAR-10, quantised to 8 bits by ONNX Runtime: the way of an ordinary user.

    python examples/resnet20_qdq.py resnet20-12fca82f.th cifar10/ resnet20_int8.onnx

The checkpoint is that of Y. Idelbayev's ResNets for CIFAR-10 (option A shortcuts: every second pixel, channels padded
with zeros; He et al., "Deep Residual Learning", CVPR 2016, section 4.2). It is written as ONNX operators, its
normalisations folded into the convolutions by ONNX Runtime, and calibrated on 500 training images. Needs torch and
onnxruntime.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
STAGES = ((16, 1), (32, 2), (64, 2))
BLOCKS = 3  # of each stage
SPAN = {"input_range": (0, 255), "input_scale": 1.0}  # the model takes pixels and normalises them itself


class Writer:
    """Collects nodes and initialisers of a graph."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.state, self.nodes, self.tensors = state, [], {}

    def constant(self, name: str, array: np.ndarray) -> str:
        """An initialiser."""
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        """An operator, whose result has its name."""
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def conv(self, x: str, at: str, norm: str, stride: int) -> str:
        """Convolution 3x3 and normalisation."""
        w = self.constant(f"{at}.weight", self.state[f"{at}.weight"])
        y = self.node("Conv", [x, w], at, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride])
        parts = [self.constant(f"{norm}.{p}", self.state[f"{norm}.{p}"])
                 for p in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", [y, *parts], norm)

    def block(self, x: str, at: str, width: int, stride: int) -> str:
        """Two convolutions beside a shortcut."""
        y = self.node("Relu", [self.conv(x, f"{at}.conv1", f"{at}.bn1", stride)], f"{at}.relu1")
        y = self.conv(y, f"{at}.conv2", f"{at}.bn2", 1)
        if stride > 1:
            ends = [self.constant(f"{at}.{n}", np.array(v, np.int64)) for n, v in (
                ("starts", [0, 0]), ("ends", [2**31, 2**31]), ("axes", [2, 3]), ("steps", [2, 2]))]
            x = self.node("Slice", [x, *ends], f"{at}.every_second")
            pads = self.constant(f"{at}.pads", np.array([0, width // 4, 0, 0, 0, width // 4, 0, 0], np.int64))
            x = self.node("Pad", [x, pads], f"{at}.more_channels")
        return self.node("Relu", [self.node("Add", [y, x], f"{at}.add")], f"{at}.relu2")


def float_model(checkpoint: Path) -> onnx.ModelProto:
    """The float network on pixels 0 to 255, (N, 3, 32, 32) to (N, 10)."""
    import torch

    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    g = Writer({k.removeprefix("module."): v.numpy() for k, v in saved.items()})
    scale = g.constant("scale", (1 / 255 / STD).astype(np.float32).reshape(3, 1, 1))
    shift = g.constant("shift", (-MEAN / STD).astype(np.float32).reshape(3, 1, 1))
    x = g.node("Add", [g.node("Mul", ["pixels", scale], "scaled"), shift], "normalised")
    x = g.node("Relu", [g.conv(x, "conv1", "bn1", 1)], "relu1")
    for stage, (width, stride) in enumerate(STAGES, 1):
        for k in range(BLOCKS):
            x = g.block(x, f"layer{stage}.{k}", width, stride if k == 0 else 1)
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "mean")], "flat")
    last = [g.constant(f"linear.{p}", g.state[f"linear.{p}"]) for p in ("weight", "bias")]
    g.node("Gemm", [x, *last], "logits", transB=1)
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", *s])
            for n, s in (("pixels", [3, 32, 32]), ("logits", [10]))]
    graph = helper.make_graph(g.nodes, "resnet20", ends[:1], ends[1:], list(g.tensors.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def quantised(model: onnx.ModelProto, images: np.ndarray, per_channel: bool = True) -> onnx.ModelProto:
    """Static 8-bit quantisation in QDQ form, calibrated on images (N, 3, 32, 32) of pixels 0 to 255."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(images[i : i + 1].astype(np.float32) for i in range(len(images)))

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {"pixels": image}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(model, folder / "float.onnx")
        quant_pre_process(folder / "float.onnx", folder / "ready.onnx")
        quantize_static(folder / "ready.onnx", folder / "int8.onnx", Reader(), quant_format=QuantFormat.QDQ,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=per_channel)
        return onnx.load(folder / "int8.onnx")


def cifar(folder: Path, part: str, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels of one file of the data set, such as "test" or "train_1"."""
    from PIL import Image

    z = np.load(folder / f"{part}.npz")
    pages = 20 if count is None else -(-count // 500)
    x = np.concatenate([np.asarray(Image.open(io.BytesIO(z[f"w{i}"].tobytes()))) for i in range(pages)])
    x = x.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)[:count]
    return np.ascontiguousarray(x), z["labels"][: len(x)]


def main() -> None:
    """Quantise and write."""
    checkpoint, data, target = map(Path, sys.argv[1:4])
    images, _ = cifar(data, "train_1", 500)
    onnx.save(quantised(float_model(checkpoint), images), target)


if __name__ == "__main__":
    main()
