"""The model files of other projects, as they are: what is quantised compiles exactly, what is not is refused in one
sentence that names the layer. Their RTL: the smallest here, all of them by bench/model_files.py.
"""

import numpy as np
import pytest

import lutra
from lutra.front import load
from lutra.ir import Range
from lutra.rules.entry import InputFormat
from lutra.rules.lower import lower
from lutra.sim.reference import Runner

HLS4ML = "hls4ml_example_models/onnx"
EXACT = {  # and what they are fed where they do not say it themselves
    f"{HLS4ML}/bnn_model_fc_1layer.onnx": None,
    f"{HLS4ML}/branched_model_ch_last.onnx": None,
    f"{HLS4ML}/separable_conv_model_ch_last.onnx": None,
    "qonnx/espcn_subpixel_quant.onnx": (Range(0, 255), 1 / 256),
    "qonnx/eltwise_chanlast_testcase.onnx": (Range(-128, 127), 1 / 16),
    "finn/residual_testcase.onnx": (Range(-8, 7), 1.0),
    "finn/cybsec_PE_SIMD.onnx": (Range(-1, 1, 2), 1.0),
}
REAL = [f"{HLS4ML}/{name}.onnx" for name in (
    "conv1d_small_keras", "conv2d_small_keras", "conv2d_small_mp_keras", "dense_big_keras", "three_layer_keras",
    "three_layer_pytorch", "two_layer_keras", "two_layer_pytorch")] + [
    "qonnx/espcn_nn_resize_float.onnx", "qonnx/espcn_subpixel_float.onnx", "qonnx/mnist_conv_float.onnx"]


@pytest.mark.parametrize("name", EXACT)
def test_quantised_ones_are_exact(data, name):
    model, given = load(data / "models" / name), EXACT[name]
    low = lower(model.graph, None if given is None else InputFormat(*given), "xcup")
    (end,) = low.inputs
    rng = np.random.default_rng(0)
    frames = max(1, 10_000 // end.order.array.size)
    x = end.range.lo + end.range.step * rng.integers(0, end.range.levels, (frames, *end.source_shape))
    real = end.scale.array * x + end.offset.array
    y = Runner(low.graph).run(end.integers(real))
    wanted = model.graph.evaluate(end.real(real))[model.graph.outputs[0]]
    np.testing.assert_allclose(low.output.real(y), wanted, rtol=1e-12, atol=1e-12)
    assert len(np.unique(y)) > 1


@pytest.mark.parametrize("name", REAL)
def test_real_ones_are_refused_at_their_first_layer(data, name):
    with pytest.raises(lutra.LutraError, match="real numbers, and nothing in the model is quantised") as e:
        lutra.compile(data / "models" / name)
    assert "(node " in str(e.value) and "\n" not in str(e.value)


def test_a_residual_network_through_the_rtl(data, cache):
    acc = lutra.compile(data / "models/finn/residual_testcase.onnx", "xcu280", fps=2500, input_range=(-8, 7),
                        input_scale=1.0, cache=cache)
    x = np.random.default_rng(0).integers(-8, 8, (2, 32, 32, 16))
    assert acc.verify(x, stalls=0.2) == 2 * 32 * 32 * 16
    cycles = acc.measure(frames=4)
    assert (cycles["interval"], cycles["latency"]) == (acc.interval, acc.latency)
