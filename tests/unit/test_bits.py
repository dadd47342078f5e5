"""Bipolar products by counting bits equal the matrix product, for every type that a kernel hands on."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.sim import bits
from lutra.tools.cache import Cache


def plain(weights):
    return lambda x: (x.astype(np.int64) @ weights.T).astype(np.float32)


@pytest.mark.parametrize("rows, columns", [(1, 1), (10, 64), (32, 63), (33, 65), (64, 784), (70, 2304)])
@pytest.mark.parametrize("kind", [np.int8, np.float32, np.int64, np.float64])
def test_it_equals_the_matrix_product(cache, rows, columns, kind):
    rng = np.random.default_rng(rows)
    weights = rng.choice([-1, 1], (rows, columns))
    x = np.concatenate([weights[:5], -weights[:5], rng.choice([-1, 1], (20, columns))]).astype(kind)
    run = bits.product(weights, lambda x: pytest.fail("the compiled product was not used"), Cache(cache))
    assert np.array_equal(run(x), plain(weights)(x))
    spread = np.repeat(x, 2, axis=1)[:, ::2]  # not contiguous
    assert np.array_equal(run(spread), plain(weights)(x))
    assert np.array_equal(run(x.reshape(2, -1, columns)), plain(weights)(x).reshape(2, -1, rows))


def test_without_a_compiler_the_plain_product_is_used(cache, monkeypatch):
    def none():
        raise LutraError("no compiler")

    weights = np.ones((2, 64), np.int64)
    kernel = plain(weights)
    monkeypatch.setattr(bits, "compiler", none)
    bits._library.cache_clear()
    assert bits.product(weights, kernel, Cache(cache)) is kernel
    bits._library.cache_clear()
