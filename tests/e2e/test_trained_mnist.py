"""The trained network that is kept in examples: it compiles without training, and is right about real images."""

import pytest

torch = pytest.importorskip("torch")
import trained_mnist  # noqa: E402  (of examples/)

import lutra  # noqa: E402


@pytest.fixture(scope="module")
def net():
    return trained_mnist.network()


@pytest.fixture(scope="module")
def acc(net, cache):
    return lutra.compile(net, torch.zeros(1, 1, 28, 28), device="ecp5-85k", fps=1000, cache=cache)


def test_real_images(net, acc, data):
    x, labels = trained_mnist.images(data / "mnist")
    with torch.no_grad():
        found = acc.run(x[:2000])
        assert torch.equal(found, net(x[:2000]))
    assert float((found.argmax(1) == labels[:2000]).float().mean()) > 0.97


def test_drawn_images_and_rtl(net, acc):
    x, _ = trained_mnist.images(None)
    with torch.no_grad():
        expected = net(x)
    assert torch.equal(acc.run(x), expected)
    assert torch.equal(acc.simulate(x[:2]), expected[:2])
    assert trained_mnist.CHECKPOINT.stat().st_size < 1 << 20
