"""Integers behind real numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.rules.lattice import lattice


@given(st.floats(2**-10, 2**10, width=32), st.lists(st.integers(-127, 127), min_size=1, max_size=20))
def test_multiples_of_a_float32_scale_are_found_exactly(scale, integers):
    values = np.array(integers) * float(scale)
    found = lattice(values)
    assert found is not None
    assert np.array_equal(found.integers * found.scale, values)
    divisor = np.gcd.reduce(np.array(integers)) or 1
    assert np.array_equal(found.integers * divisor, np.array(integers))


def test_trained_floats_have_no_lattice():
    values = np.random.default_rng(0).normal(size=50).astype(np.float32).astype(np.float64)
    assert lattice(values) is None


def test_a_rounded_product_of_scales_still_counts():
    values = np.arange(-7, 8) * 0.1 * 0.3
    found = lattice(values)
    assert found is not None and found.scale == pytest.approx(0.03)
    assert np.array_equal(found.integers, np.arange(-7, 8))
