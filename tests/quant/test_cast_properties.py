"""What casts promise: gradients, idempotence, monotony, codewords."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lutra.quant as q
from lutra.errors import LutraError
from lutra.quant.khot import codewords, khot
from lutra.quant.modes import OVERFLOWS, ROUNDINGS, clip, edges
from lutra.quant.scaled import binary, scaled, ternary

MODES = [(r, o, s) for r, o, s in product(ROUNDINGS, OVERFLOWS, (True, False)) if s or o != "WRAP_SM"]


def gradients(x, fraction, width, rounding, overflow, signed, g):
    x, point = x.clone().requires_grad_(), torch.tensor(float(fraction), dtype=x.dtype).requires_grad_()
    q.cast(x, width, point, rounding, overflow, signed).backward(g)
    return x.grad, point.grad


@pytest.mark.parametrize("rounding, overflow, signed", MODES)
def test_gradients_are_differences_of_the_surrogate(rounding, overflow, signed):
    """The surrogate keeps each number's state: in range x + 2**-f e with its rounding error e held (so d/dx is 1),
    else 2**-f times the limit. SAT_ZERO's limit is 0; those that wrap have SAT's.
    """
    torch.manual_seed(0)
    width, fraction, h = 5, 3, 1e-6
    x = torch.randn(500, dtype=torch.float64) * 3
    g = torch.randn_like(x)
    own = "SAT" if overflow.startswith("WRAP") else overflow
    hat = q.cast(x, width, fraction, rounding, own, signed)
    lo, hi = clip(width, signed, own)
    y = x * 2**fraction
    word = q.cast(x, 40, fraction, rounding) * 2**fraction
    inside = (word >= lo) & (word <= hi)
    assert 50 < inside.sum() < 450
    error, limit = word - y, hat * 2**fraction

    def surrogate(x, f):
        return torch.where(inside, x + 2.0**-f * error, 2.0**-f * limit)

    gx, gf = gradients(x, fraction, width, rounding, overflow, signed, g)
    along_x = (surrogate(x + h, fraction) - surrogate(x - h, fraction)) / (2 * h)
    along_f = (surrogate(x, fraction + h) - surrogate(x, fraction - h)) / (2 * h)
    assert torch.allclose(gx, g * along_x, atol=1e-6)
    assert math.isclose(float(gf), float((g * along_f).sum()), rel_tol=1e-5)


def test_gradients_of_points_for_each_channel_add_up():
    torch.manual_seed(0)
    x, g = torch.randn(2, 3, 40, dtype=torch.float64), torch.randn(2, 3, 40, dtype=torch.float64)
    points = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64).requires_grad_()
    free = x.clone().requires_grad_()
    q.cast(free, 4, points).backward(g)
    for c in range(3):
        gx, gf = gradients(x[:, c], c + 1, 4, "RND", "SAT", True, g[:, c])
        assert torch.equal(free.grad[:, c], gx)
        assert torch.isclose(points.grad[c, 0], gf)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(-4, 14), st.sampled_from(MODES), st.integers(0, 2**31))
def test_casts_are_idempotent_and_saturation_is_monotone(width, fraction, modes, seed):
    rounding, overflow, signed = modes
    x = torch.randn(200, generator=torch.Generator().manual_seed(seed)) * 2.0 ** (width - fraction)
    once = q.cast(x, width, fraction, rounding, overflow, signed)
    assert torch.equal(q.cast(once, width, fraction, rounding, overflow, signed), once)
    if overflow in ("SAT", "SAT_SYM"):
        assert (q.cast(x.sort().values, width, fraction, rounding, overflow, signed).diff() >= 0).all()


@pytest.mark.parametrize("rounding, overflow, signed", MODES)
def test_edges_tell_what_is_in_range(rounding, overflow, signed):
    """Each neighbour of the bounds in single precision, by the words of a format that is wide enough."""
    width = 3
    lo, hi = clip(width, signed, overflow)
    low, high = edges(width, signed, rounding, overflow, False)
    steps = torch.arange(-16, 17) / 8
    near = torch.cat([torch.tensor([low, high])[:, None].repeat(1, 3).flatten(), lo + steps, hi + steps])
    near = torch.cat([near, near.nextafter(torch.tensor(99.0)), near.nextafter(torch.tensor(-99.0))])
    word = q.cast(near, 20, 0, rounding)
    assert torch.equal((near > low) & (near < high), (word >= lo) & (word <= hi))


def test_codewords_of_the_literature():
    assert [len(codewords(8, k)) for k in (1, 2, 3)] == [9, 37, 93]
    assert len(codewords(8, 2, True)) == 52
    with pytest.raises(LutraError, match="9 ones of 8 bits"):
        q.KHot(8, 9)


@pytest.mark.parametrize("width, ones, digits", [(8, 1, False), (8, 2, False), (6, 3, False), (8, 2, True),
                                                 (5, 5, True)])
def test_the_nearest_codeword(width, ones, digits):
    torch.manual_seed(0)
    x = torch.cat([torch.randn(500) * 2 ** (width - 4), torch.arange(-600, 600) / 8])
    found = (khot(x, torch.tensor(2.0), width, ones, digits) * 4).double()
    table = torch.tensor(codewords(width, ones, digits), dtype=torch.float64)
    if not digits:
        assert max(int(abs(w)).bit_count() for w in found.tolist()) == ones
    distances = (x.double().abs()[:, None] * 4 - table).abs()
    assert torch.equal(found.abs(), table[distances.argmin(1)])  # the first of two equal ones is the smaller
    assert (found * x >= 0).all()


def test_all_ones_are_plain_integers():
    x = torch.arange(-3000, 3000) / 64
    plain = q.cast(x, 7, 2, "RND_ZERO", "SAT_SYM")
    assert torch.equal(khot(x, torch.tensor(2.0), 6, 6, False), plain)
    for grown in (khot, lambda x, f, *_: q.cast(x, 7, f, "RND_ZERO", "SAT_SYM")):
        free, point = x.clone().requires_grad_(), torch.tensor(2.0, requires_grad=True)
        grown(free, point, 6, 6, False).sum().backward()
        if grown is khot:
            first = free.grad, point.grad
    assert torch.equal(free.grad, first[0]) and torch.isclose(point.grad, first[1], rtol=1e-4)


def test_learned_scales():
    x = torch.tensor([-1.0, -0.4, 0.25, 0.3, 0.75, 9.0], dtype=torch.float64).requires_grad_()
    s = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    y = scaled(x, s, -2, 1)
    assert y.tolist() == [-1.0, -0.5, 0.0, 0.5, 0.5, 0.5]
    y.backward(torch.ones(6, dtype=torch.float64))
    assert x.grad.tolist() == [1, 1, 1, 1, 0, 0]
    inside = sum(math.floor(v + 0.5) - v for v in (-2.0, -0.8, 0.6)) + (0 - 0.5)  # 1/2 goes to the even 0
    assert math.isclose(float(s.grad), inside + 1 + 1)


def test_binary_and_ternary():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.7]).requires_grad_()
    s = torch.tensor(0.25, requires_grad=True)
    y = binary(x, s)
    assert y.tolist() == [-0.25, -0.25, 0.25, 0.25]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1] and s.grad == 0
    t = ternary(x, s, torch.tensor(0.5))
    assert t.tolist() == [-0.25, 0, 0, 0.25]


@pytest.mark.parametrize("arguments, said", [
    ({"rounding": "HALF"}, "no rounding is called 'HALF'"), ({"overflow": "CLIP"}, "no overflow is called 'CLIP'"),
    ({"width": 25}, "25 bits in torch.float32"), ({"width": 0}, "a width of 0 bits"),
    ({"overflow": "WRAP_SM", "signed": False}, "without a sign"), ({"fraction": float("nan")}, "binary point is nan")])
def test_mistakes_are_said(arguments, said):
    with pytest.raises(LutraError, match=said):
        q.cast(torch.ones(2), **arguments)


def test_half_precision_and_memory_orders():
    x = torch.randn(2, 8, 5, 5)
    wanted = q.cast(x, 6, 3)
    assert torch.equal(q.cast(x.to(memory_format=torch.channels_last), 6, 3), wanted)
    assert torch.equal(q.cast(x.transpose(1, 3), 6, 3), wanted.transpose(1, 3))
    half = x.bfloat16()
    assert torch.equal(q.cast(half, 6, 3), q.cast(half.float(), 6, 3).bfloat16())
    assert q.cast(torch.ones(0, 3), 6, 3).shape == (0, 3)
    strided = x.clone()[:, :, ::2].requires_grad_()
    q.cast(strided, 6, 3).sum().backward()
    torch.library.opcheck(torch.ops.lutra.cast, (x.clone().requires_grad_(), torch.tensor(3.0), 6, True, "RND", "SAT"))
