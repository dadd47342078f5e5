"""A smaller part of bench/fixed_point.py: MNIST and CIFAR-10 networks, PyTorch against integers and RTL."""

import sys

import pytest

pytest.importorskip("torch")
import fixed_point


@pytest.mark.parametrize("network, images, rtl", [("mnist", 300, 3), ("resnet20", 40, 0)])
def test_on_real_images(network, images, rtl, data, cache, monkeypatch, capsys):
    given = ["--network", network, "--images", images, "--rtl", rtl, "--data", data, "--cache", cache]
    monkeypatch.setattr(sys, "argv", ["fixed_point.py", *map(str, given)])
    fixed_point.main()  # exits where a bar is missed
    assert f"of {images * 10} outputs different from PyTorch's" in capsys.readouterr().out
