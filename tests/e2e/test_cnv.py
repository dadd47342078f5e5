"""CNV-W1A1, the binary CIFAR-10 network of BNN-PYNQ: converted, compiled with the published folds, held to its RTL."""

import io
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lutra

EXAMPLE = Path(__file__).parents[2] / "examples" / "cnv_bnn_pynq.py"
PIXELS = {"input_range": (0, 255), "input_scale": 1 / 255}


@pytest.fixture(scope="module")
def cnv(data, tmp_path_factory):
    """The converted model and the folds of the published accelerator."""
    folder = tmp_path_factory.mktemp("cnv")
    argv, sys.argv = sys.argv, [str(EXAMPLE), "--data", str(data), "--out", str(folder)]
    try:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    finally:
        sys.argv = argv
    return folder / "cnv_w1a1.onnx", folder / "cnv_w1a1_folding.toml"


def images(data):
    z = np.load(data / "cifar10" / "test.npz")
    pixels = np.asarray(Image.open(io.BytesIO(z["w0"].tobytes()))).reshape(-1, 32, 32, 3)
    return pixels.transpose(0, 3, 1, 2), z["labels"][:500]


def test_published_folds_interval_and_rtl(cnv, data, cache):
    model, folding = cnv
    acc = lutra.compile(model, "xc7z020", folding=folding, **PIXELS, cache=cache)
    products = {n: c for n, c in acc.plan.cycles.items() if n.startswith("matmul") and "_" not in n}
    # The published last layer is padded to 64 classes (8192 cycles with pe=4); ours has its 10, and pe=2.
    assert list(products.values()) == [32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 2560]
    assert acc.interval == 32768
    x, labels = images(data)
    y = acc.run(x)
    assert np.array_equal(y[:100], acc.reference(x[:100]))
    assert (y.argmax(1) == labels).mean() > 0.78
    assert acc.verify(x[:10], stalls=0.1, seed=3) == 100
    assert acc.verify(x[:100], backend="hls") == 1000
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_own_folds_for_a_rate(cnv, data, cache):
    acc = lutra.compile(cnv[0], "xc7z020", fps=3000, **PIXELS, cache=cache)
    assert acc.interval <= 100e6 / 3000
    assert max(acc.plan.share.values()) <= 1
    assert acc.verify(images(data)[0][:4]) == 40
