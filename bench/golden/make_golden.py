"""Golden outputs: what the qonnx package itself computes, in single precision, for `tests/unit/test_front_golden.py`.

Run it in an environment of its own, because qonnx and onnx must be of versions that execute together:

    python -m venv golden && golden/bin/pip install qonnx==1.0.0 onnx==1.17.0
    golden/bin/python bench/golden/make_golden.py DATA tests/data

DATA is the folder of real data ($LUTRA_DATA). Inputs are seeded; each file holds arrays `x` and `y`, a frame a row.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

FRAMES = 16
ZOO = "models/qonnx_model_zoo"
HLS4ML = "models/hls4ml_example_models/onnx"


def digits(data, shape, rng):
    raw = gzip.decompress((data / "mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, *shape)
    return (images[:FRAMES] / 255.0).astype(np.float32)


def bipolar(data, shape, rng):
    return rng.choice([-1.0, 1.0], (FRAMES, *shape)).astype(np.float32)


def grid(data, shape, rng):
    return (np.rint(rng.normal(0, 1, (FRAMES, *shape)) * 1024) / 1024).astype(np.float32)


MODELS = {
    f"{ZOO}/TFC_1W1A.onnx": digits,
    f"{ZOO}/TFC_1W2A.onnx": digits,
    f"{ZOO}/unsw_nb15-mlp-w2a2.onnx": bipolar,
    f"{ZOO}/qkeras_jettagging.onnx": grid,
    f"{HLS4ML}/conv1d_small_keras.onnx": grid,
    f"{HLS4ML}/conv2d_small_keras.onnx": grid,
    "models/qonnx/mnist_conv_float.onnx": digits,
}


def golden(path, x):
    model = ModelWrapper(str(path)).transform(InferShapes())
    constants = {t.name for t in model.graph.initializer}
    (name,) = [i.name for i in model.graph.input if i.name not in constants]
    model.set_tensor_shape(name, [1, *x.shape[1:]])
    out = model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {name: frame[None]})[out] for frame in x])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    for name, inputs in MODELS.items():
        path = args.data / name
        model = ModelWrapper(str(path))
        constants = {t.name for t in model.graph.initializer}
        (first,) = [i for i in model.graph.input if i.name not in constants]
        shape = tuple(d.dim_value for d in first.type.tensor_type.shape.dim)[1:]
        x = inputs(args.data, shape, np.random.default_rng(0))
        y = golden(path, x)
        np.savez_compressed(args.out / f"golden_{path.stem}.npz", x=x, y=y)
        print(f"{path.stem}: {x.shape} -> {y.shape}")


if __name__ == "__main__":
    main()
