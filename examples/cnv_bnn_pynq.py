"""Bring in CNV-W1A1, the trained binary CIFAR-10 network of BNN-PYNQ, as QONNX.

    python examples/cnv_bnn_pynq.py                    # writes cnv_w1a1.onnx and cnv_w1a1_folding.toml
    python examples/cnv_bnn_pynq.py --check            # and tests it on the 10,000 images, in plain NumPy

The weights are `models/bnn_pynq/cnvW1A1_cifar10_dense.npz` under the data folder (--data, $LUTRA_DATA): `w<l>` packed
bits of +-1, `s<l>` shapes, `t<l>` thresholds. A layer's output is acc > t. In layer 0 acc is the dot product with the
pixels in units of 1/256; in the others it counts agreeing bits, acc = (x + n) / 2 for a bipolar dot product x of n
terms. Here each becomes x - c >= 0 with c half a step of acc above the threshold, so that nothing lies on the edge.
The folds are those of BNN-PYNQ's overlay (Umuroglu et al., FPGA 2017).
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
QONNX = "qonnx.custom_op.general"
POOLED = (1, 3)  # layers that a 2 x 2 max-pool follows
CONVOLUTIONS = 6
PIXEL_BITS = 8  # the pixels are -128..127 in units of 1/128; white saturates
# (PE, SIMD) of each layer in the overlay. Its last layer has 64 rows, PE 4; ours has the 10 that are used.
FOLDS = ((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (2, 1))


def default_data() -> Path:
    """$LUTRA_DATA, else beside the repository."""
    return Path(os.environ.get("LUTRA_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def parameters(data: Path) -> tuple[list[Array], list[Array]]:
    """Weights of +-1 (out, in, 3, 3) or (out, in), and the real constant that each layer but the last compares with."""
    with np.load(data / "models" / "bnn_pynq" / "cnvW1A1_cifar10_dense.npz") as z:
        shapes = [z[f"s{i}"] for i in range(9)]
        weights = [np.unpackbits(z[f"w{i}"])[: s.prod()].reshape(s) * 2.0 - 1 for i, s in enumerate(shapes)]
        steps = [z[f"t{i}"] + 0.5 for i in range(8)]
    return weights, [steps[0] / 256, *(2 * t - w[0].size for t, w in zip(steps[1:], weights[1:8], strict=True))]


def images(data: Path) -> tuple[Array, Array]:
    """The 10,000 CIFAR-10 test images, (N, 3, 32, 32) of 0..255, and their labels."""
    from PIL import Image

    with np.load(data / "cifar10" / "test.npz") as z:
        parts = [np.asarray(Image.open(io.BytesIO(z[f"w{i}"].tobytes()))) for i in range(20)]
        return np.concatenate(parts).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2), z["labels"]


def build(weights: list[Array], limits: list[Array]) -> onnx.ModelProto:
    """The network as QONNX: input (N, 3, 32, 32) in 0..1, output (N, 10) bipolar dot products."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: Any) -> str:
        array = np.asarray(value)
        constants.append(numpy_helper.from_array(array if array.dtype == np.int64 else array.astype(np.float32), name))
        return name

    def add(kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        domain = QONNX if kind in ("Quant", "BipolarQuant") else ""
        nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    one = constant("one", 1.0)
    value = add("Sub", "centred", add("Mul", "doubled", "image", constant("two", 2.0)), one)
    grid = [constant("pixel_scale", 1 / 128), constant("zero", 0.0), constant("pixel_bits", float(PIXEL_BITS))]
    value = add("Quant", "pixels", value, *grid, signed=1, narrow=0, rounding_mode="FLOOR")
    for i, w in enumerate(weights):
        convolution = i < CONVOLUTIONS
        kernel = add("BipolarQuant", f"weights{i}", constant(f"w{i}", w if convolution else w.T), one)
        if i == CONVOLUTIONS:
            value = add("Reshape", "flat", value, constant("flat_shape", np.array([0, -1])))
        value = (add("Conv", f"conv{i}", value, kernel, kernel_shape=[3, 3]) if convolution
                 else add("MatMul", f"dense{i}", value, kernel))
        if i < len(limits):
            limit = constant(f"t{i}", limits[i].reshape((-1, 1, 1) if convolution else (-1,)))
            value = add("BipolarQuant", f"sign{i}", add("Sub", f"shifted{i}", value, limit), one)
        if i in POOLED:
            value = add("MaxPool", f"pool{i}", value, kernel_shape=[2, 2], strides=[2, 2])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("image", ["N", 3, 32, 32]), (value, ["N", 10]))]
    graph = helper.make_graph(nodes, "cnv_w1a1", ends[:1], ends[1:], constants)
    domains = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8, producer_name="examples/cnv_bnn_pynq.py")


def folding() -> str:
    """The overlay's folds as a folding file."""
    rows = (f"[matmul{i}]\npe = {pe}\nsimd = {simd}\n" for i, (pe, simd) in enumerate(FOLDS))
    return "\n".join(["# CNV-W1A1 as in BNN-PYNQ: the slowest layers take 32,768 cycles", *rows])


def predict(x: Array, weights: list[Array], limits: list[Array]) -> Array:
    """Scores (N, 10) of images 0..255 (N, 3, 32, 32), in single precision: all sums are exact in it."""
    y = (np.clip(np.floor((x / 255 * 2 - 1) * 128), -128, 127) / 128).astype(np.float32).transpose(0, 2, 3, 1)
    for i, w in enumerate(weights):
        if i < CONVOLUTIONS:
            h, v = y.shape[1] - 2, y.shape[2] - 2
            y = np.concatenate([y[:, r : r + h, c : c + v] for r in range(3) for c in range(3)], -1)
            w = w.transpose(0, 2, 3, 1).reshape(len(w), -1)
        y = y.reshape(len(y), -1) if i == CONVOLUTIONS else y
        y = y @ w.T.astype(np.float32)
        y = np.where(y - limits[i] >= 0, np.float32(1), np.float32(-1)) if i < len(limits) else y
        if i in POOLED:
            y = y.reshape(len(y), y.shape[1] // 2, 2, y.shape[2] // 2, 2, -1).max((2, 4))
    return y


def main() -> None:
    """Write the two files; with --check, test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the two files")
    parser.add_argument("--check", action="store_true", help="test accuracy on all 10,000 images")
    args = parser.parse_args()

    weights, limits = parameters(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    onnx.save(build(weights, limits), str(args.out / "cnv_w1a1.onnx"))
    (args.out / "cnv_w1a1_folding.toml").write_text(folding())
    print(f"wrote {args.out / 'cnv_w1a1.onnx'} and {args.out / 'cnv_w1a1_folding.toml'}")
    if args.check:
        x, labels = images(args.data)
        right = sum(int((predict(x[i : i + 250], weights, limits).argmax(1) == labels[i : i + 250]).sum())
                    for i in range(0, len(x), 250))
        print(f"{right} of {len(x)} images right: {right / len(x):.2%}")


if __name__ == "__main__":
    main()
