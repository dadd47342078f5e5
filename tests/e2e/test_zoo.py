"""The published networks, compiled unchanged: reading = integers = RTL, on real data."""

import gzip

import numpy as np
import pytest
from reading import read

import lutra


def mnist(data):
    raw = gzip.decompress((data / "mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((data / "mnist/t10k-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


@pytest.fixture(scope="module", params=["TFC_1W1A", "TFC_1W2A"])
def tfc(request, data, cache):
    path = data / f"models/qonnx_model_zoo/{request.param}.onnx"
    acc = lutra.compile(path, "xc7z020", fps=1_562_500, input_range=(0, 255), input_scale=1 / 255, cache=cache)
    assert acc.interval <= 64
    return acc, path, {"TFC_1W1A": 0.9296, "TFC_1W2A": 0.9474}[request.param]


def test_tfc_equals_an_independent_reading_on_all_images(tfc, data):
    acc, path, accuracy = tfc
    x, labels = mnist(data)
    value, out, quantisers = read(path, x / 255.0)
    y = acc.run(x)
    assert np.array_equal(np.argsort(-y, kind="stable"), np.argsort(-value[out], kind="stable"))
    assert (y.argmax(1) == labels).mean() == pytest.approx(accuracy, abs=1e-9)
    np.testing.assert_allclose(acc.reference(x), value[out], rtol=1e-12)
    activations = [value[n.output[0]] / value[n.input[1]] for n in quantisers if len(value[n.output[0]]) == len(x)]
    ours = [v for n, v in zip(acc.lowered.graph.nodes, acc.integers(x), strict=True)
            if n.op.kind in ("threshold", "rescale", "table")]
    assert len(ours) == len(activations) == 4
    for mine, theirs in zip(ours, activations, strict=True):
        assert np.array_equal(mine.reshape(len(x), -1), theirs.reshape(len(x), -1))


def test_tfc_rtl_equals_the_integers_on_all_images(tfc, data):
    acc, _, _ = tfc
    x, _ = mnist(data)
    assert np.array_equal(acc.simulate(x, raw=True), acc.run(x, raw=True))
    assert np.array_equal(acc.simulate(x[:200], stalls=0.3, seed=1, raw=True), acc.run(x[:200], raw=True))
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_tfc_hls_equals_the_integers(tfc, data):
    acc, _, _ = tfc
    x, _ = mnist(data)
    assert np.array_equal(acc.simulate(x[:1000], backend="hls", raw=True), acc.run(x[:1000], raw=True))


def test_host_quantises_where_no_format_is_given(data, cache):
    acc = lutra.compile(data / "models/qonnx_model_zoo/TFC_1W2A.onnx", fps=100_000, cache=cache)
    x, _ = mnist(data)
    value, out, _ = read(data / "models/qonnx_model_zoo/TFC_1W2A.onnx", x / 255.0)
    assert np.array_equal(np.argsort(-acc.run(x / 255.0)), np.argsort(-value[out]))
    assert acc.lowered.input.range.levels == 3


def test_unsw(data, cache):
    path = data / "models/qonnx_model_zoo/unsw_nb15-mlp-w2a2.onnx"
    acc = lutra.compile(path, fps=100_000, cache=cache)
    x = np.random.default_rng(0).choice([-1, 1], (10_000, 600))
    value, out, _ = read(path, x)
    assert np.array_equal(acc.run(x), value[out])
    assert len(np.unique(acc.run(x))) == 2
    assert np.array_equal(acc.simulate(x[:500], stalls=0.2, raw=True), acc.run(x[:500], raw=True))
    assert np.array_equal(acc.simulate(x[:500], backend="hls", raw=True), acc.run(x[:500], raw=True))


def test_jet_tagger_needs_a_format_and_is_whole(data, cache):
    path = data / "models/qonnx_model_zoo/qkeras_jettagging.onnx"
    with pytest.raises(lutra.LutraError, match="input_range"):
        lutra.compile(path, cache=cache)
    acc = lutra.compile(path, "xc7z020", fps=200_000, input_range=(-(2**15), 2**15 - 1), input_scale=2**-10,
                        cache=cache)
    x = np.random.default_rng(0).integers(-4096, 4096, (5000, 16))
    value, out, _ = read(path, x * 2.0**-10)
    assert np.allclose(acc.run(x), value[out], rtol=1e-9)
    assert np.array_equal(acc.run(x).argmax(1), value[out].argmax(1))
    assert [n.op.kind for n in acc.lowered.graph.nodes].count("matmul") == 4
    assert acc.lowered.output.operations == ("softmax",)
    assert np.array_equal(acc.simulate(x[:500], stalls=0.3, raw=True), acc.run(x[:500], raw=True))
    assert np.array_equal(acc.simulate(x[:500], backend="hls", raw=True), acc.run(x[:500], raw=True))


def test_jet_tagger_at_the_clock_s_rate_is_one_circuit(data, cache):
    acc = lutra.compile(data / "models/qonnx_model_zoo/qkeras_jettagging.onnx", "xc7z020", fps=100e6, clock_mhz=100,
                        input_range=(-(2**15), 2**15 - 1), input_scale=2**-10, cache=cache)
    assert [s.unit.kind for s in acc.plan.stages] == ["region"]
    x = np.random.default_rng(1).integers(-4096, 4096, (1000, 16))
    assert acc.verify(x, stalls=0.3) == 5000
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}
    assert acc.interval == 1


def test_finn_tfc_gives_its_golden_output(data, cache):
    folder = data / "models/finn"
    acc = lutra.compile(folder / "tfc_w1a1_build_dataflow.onnx", fps=100_000, input_range=(0, 255), input_scale=1.0,
                        cache=cache)
    x, golden = np.load(folder / "input.npy"), np.load(folder / "expected_output.npy")
    assert np.array_equal(acc.run(x).reshape(golden.shape), golden)
    assert np.array_equal(acc.simulate(x).reshape(golden.shape), golden)
    assert acc.lowered.graph.outputs[0].op.kind == "argmax"
