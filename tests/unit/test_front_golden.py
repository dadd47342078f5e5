"""Published models, imported and evaluated in double precision, against what their own tools compute."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from lutra.front import load
from lutra.ir import Range

GOLDEN = Path(__file__).parents[1] / "data"
ZOO, HLS4ML = "models/qonnx_model_zoo", "models/hls4ml_example_models/onnx"


def outputs(model, x):
    return model.graph.evaluate(x)[model.graph.outputs[0]]


@pytest.mark.parametrize("name", [
    f"{ZOO}/TFC_1W1A.onnx", f"{ZOO}/TFC_1W2A.onnx", f"{ZOO}/unsw_nb15-mlp-w2a2.onnx", f"{ZOO}/qkeras_jettagging.onnx",
    f"{HLS4ML}/conv1d_small_keras.onnx", f"{HLS4ML}/conv2d_small_keras.onnx", "models/qonnx/mnist_conv_float.onnx",
])
def test_evaluate_agrees_with_qonnx_within_single_precision(name, data):
    path = data / name
    with np.load(GOLDEN / f"golden_{path.stem}.npz") as golden:
        x, expected = golden["x"], golden["y"]
    y = outputs(load(path), x)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=2e-6, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name, equal", [
    ("models/qonnx/espcn_subpixel_quant.onnx", 0.999), ("models/qonnx/residual_block_clean.onnx", 1.0),
    (f"{HLS4ML}/conv2d_small_mp_keras.onnx", 1.0), (f"{HLS4ML}/separable_conv_model_ch_last.onnx", 1.0),
    (f"{HLS4ML}/branched_model_ch_last.onnx", 1.0),
])
def test_images_agree_with_qonnx(name, equal, data):
    """A sample of the result for seeded images. `equal`: how many agree within single precision, which
    rounds near ties to other levels.
    """
    model = load(data / name)
    with np.load(GOLDEN / f"golden_{Path(name).stem}.npz") as golden:
        expected = golden["y"]
    x = np.random.default_rng(0).integers(0, 256, [d or 1 for d in model.input.shape]) / 256
    y = outputs(model, x).ravel()
    y = y[:: max(1, y.size // 5000)]
    close = np.isclose(y, expected, rtol=2e-6, atol=2e-6 * np.abs(expected).max())
    assert y.shape == expected.shape and close.mean() >= equal and len(np.unique(expected)) >= 5


def mnist(data):
    raw = gzip.decompress((data / "mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((data / "mnist/t10k-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255
    return images, np.frombuffer(labels, np.uint8, offset=8)


@pytest.mark.parametrize("name, right", [("TFC_1W1A", 9296), ("TFC_1W2A", 9474)])
def test_tfc_accuracy_on_all_mnist_test_images(name, right, data):
    x, labels = mnist(data)
    assert (outputs(load(data / ZOO / f"{name}.onnx"), x).argmax(axis=1) == labels).sum() == right


def test_finn_tfc_gives_its_expected_labels(data):
    folder = data / "models/finn"
    model = load(folder / "tfc_w1a1_build_dataflow.onnx")
    y = outputs(model, np.load(folder / "input.npy"))
    assert y.dtype == np.int64
    assert np.array_equal(y, np.load(folder / "expected_output.npy").reshape(y.shape))
    assert model.annotation == Range(0, 255)


@pytest.mark.parametrize("name, shape, annotation", [
    ("TFC_1W1A", (1, 1, 28, 28), None), ("unsw_nb15-mlp-w2a2", (1, 600), Range(-1, 1, 2)),
    ("qkeras_jettagging", (1, 16), None),
])
def test_facts_of_the_file(name, shape, annotation, data):
    path = data / ZOO / f"{name}.onnx"
    model = load(path)
    assert (model.name, model.input.shape, model.annotation) == (name, shape, annotation)
    assert model.size == path.stat().st_size
    assert load(path.read_bytes()).sha256 == model.sha256


def test_weights_remember_their_quantisers(data):
    for name in ("TFC_1W1A", "TFC_1W2A", "qkeras_jettagging", "unsw_nb15-mlp-w2a2"):
        graph = load(data / ZOO / f"{name}.onnx").graph
        products = [n.op for n in graph if n.op.kind == "matmul"]
        assert len(products) == 4
        for op in products:
            integers, scale = (c.array for c in op.quant)
            assert integers.dtype == np.int64 and scale.size == 1
            assert np.array_equal(integers * scale, op.weights.array)
