"""MatMul: ranges, codes, kernels, folds, schedule, refusals. Its RTL is the contract suite's business,
but for the pairs of 8 bits."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.hw.circuit import Adder
from lutra.ir import Constant, Graph, Input, Node, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.matmul.op import MatMul, unrolled
from lutra.ops.matmul.size import depth_of_dot, popcount_bits
from lutra.plan.assemble import assemble
from lutra.sim.rtl import RtlModel, from_words, to_words
from lutra.tools.cache import Cache

BIPOLAR = Range(-1, 1, 2)


def matmul(rows) -> MatMul:
    return MatMul(Constant(np.array(rows, np.int64)))


def test_bipolar_by_bipolar_is_a_popcount():
    op, x = matmul([[1, -1, 1], [-1, -1, -1]]), Tensor((3,), BIPOLAR)
    y = op.infer(x)
    assert y == Tensor((2,), Range(-3, 3, 2))
    assert not op.bias(BIPOLAR).any()
    values = np.array([[1, -1, -1]])
    products = BIPOLAR.encode(values)[:, None] == BIPOLAR.encode(op.weights.array)
    assert np.array_equal(y.range.encode(op.evaluate(values)), products.sum(axis=-1))


@pytest.mark.parametrize("rows, x, y", [
    ([[1, 2], [-3, 0]], Range(0, 3), Range(-9, 9)),
    ([[1, 1]], Range(0, 3), Range(0, 6)),
    ([[0, 0]], Range(-8, 7), Range(0, 0)),
    ([[5]], Range(-8, 7), Range(-40, 35)),
    ([[2, 1]], BIPOLAR, Range(-3, 3, 2)),
    ([[2, 1], [1, 1]], BIPOLAR, Range(-3, 3)),
    ([[1, -1]], Range(-3, 6, 3), Range(-9, 9, 3)),
    ([[-1, -1]], BIPOLAR, Range(-2, 2, 2)),
])
def test_the_range_is_the_narrowest(rows, x, y):
    op = matmul(rows)
    assert op.infer(Tensor((len(rows[0]),), x)).range == y
    ends = np.array(np.meshgrid(*[[x.lo, x.hi]] * len(rows[0]))).reshape(len(rows[0]), -1).T
    assert (op.evaluate(ends).min(), op.evaluate(ends).max()) == (y.lo, y.hi)


@pytest.mark.parametrize("rows, bits", [([[1, 1]], 1), ([[-1, -1]], 1), ([[1, -1]], 1), ([[0, 1]], 1), ([[-1, 0]], 1),
                                        ([[1, 0], [-1, 1]], 2), ([[7, -8]], 4), ([[0, 0]], 1)])
def test_weights_take_few_bits(rows, bits):
    assert matmul(rows).coding.bits == bits


@pytest.mark.parametrize("largest, kind", [(2**8, np.float32), (2**20, np.float64), (2**15, np.float32)])
def test_kernels_use_the_fastest_type_that_is_exact(largest, kind):
    x = Tensor((5, 4), Range(-largest, largest - 1))
    rng = np.random.default_rng(0)
    op = matmul(rng.integers(-100, 101, (3, 4)))
    values = rng.integers(-largest, largest, (7, 5, 4))
    for given in (np.int32, np.int64, np.float32, np.float64):
        fast = op.kernel(x)(values.astype(given))
        assert fast.dtype == kind
        assert np.array_equal(fast, op.evaluate(values))


@pytest.mark.parametrize("rows, columns, weight, value, kind", [
    (7, 2890, 1, 1, np.float32),  # the largest sums of which two lie in 24 bits
    (7, 2900, 1, 1, np.float32),  # and one where they no longer do
    (64, 784, 1, 1, np.float32),
    (1, 300, 1, 3, np.float32),
    (5, 160, 500, 500, np.float64),
    (5, 160, 700, 600, np.float64),
])
def test_rows_that_share_a_product_stay_apart_at_the_extremes(rows, columns, weight, value, kind):
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], (rows, columns))
    signs[:2] = [[1], [-1]][:rows]
    op = matmul(weight * signs)
    x = np.concatenate([value * signs, -value * signs, rng.integers(-value, value + 1, (40, columns))])
    y = op.kernel(Tensor((columns,), Range(-value, value)))(x)
    assert y.dtype == kind
    assert np.array_equal(y, op.evaluate(x))


def test_kernels_go_to_integers_beyond_double_precision():
    op = matmul([[2**14, 1]])
    x = Tensor((2,), Range(0, 2**45))  # wider than hardware takes; the kernel only cares for magnitudes
    assert int(op.kernel(x)(np.array([[2**45, 1]]))[0, 0]) == 2**59 + 1


def test_schedule_of_two_pixels():
    op, x = matmul(np.ones((4, 6))), Tensor((2, 6), Range(0, 1))
    loop = op.loop(Fold(2, 2), x)
    assert loop.slots == op.cycles(Fold(2, 2), x) == 12
    assert loop.reads.tolist() == [1, 2, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6]
    assert loop.writes.tolist() == [2, 5, 8, 11]


def test_weight_words_hold_a_tile_each():
    w = np.arange(24).reshape(4, 6)
    block = matmul(w).block(Fold(2, 3), Tensor((6,), Range(0, 1)))
    memory = block.memories["WEIGHTS"]
    assert memory.width == 2 * 3 * 5
    word = memory.words[1 * 2 + 1]  # nf = 1, sf = 1: rows 2 and 3, columns 3 to 5
    assert [word >> (5 * lane) & 31 for lane in range(6)] == [*w[2, 3:], *w[3, 3:]]


def test_bipolar_lanes_are_stored_with_their_parities():
    """Of three groups of three lanes, the third lanes hold parities; the tenth lane stays as it is."""
    w = np.random.default_rng(0).choice([-1, 1], (1, 10))
    (word,) = matmul(w).block(Fold(1, 10), Tensor((10,), BIPOLAR)).memories["WEIGHTS"].words
    bits = [word >> lane & 1 for lane in range(10)]
    codes = [int(c) for c in w[0] > 0]
    assert bits[:6] + bits[9:] == codes[:6] + codes[9:]
    assert bits[6:9] == [codes[i] ^ codes[3 + i] ^ codes[6 + i] for i in range(3)]


def test_folds_are_all_pairs_of_divisors_cheapest_first():
    op, x = matmul(np.ones((4, 6))), Tensor((6,), Range(0, 1))
    *folds, last = op.folds(x)
    assert last == Fold(4, 6, mul="adders")
    assert len(set(folds)) == 3 * 4
    lanes = [f.pe * f.simd for f in folds]
    assert lanes == sorted(lanes)


def test_depths_and_sizes_of_popcounts():
    assert [depth_of_dot(n, 1, 1, False) for n in (1, 3, 4, 6, 9, 21, 24, 32)] == [3, 3, 5, 5, 5, 6, 6, 6]
    assert [depth_of_dot(n, 1, 1, True) for n in (1, 2, 3, 4, 9, 16, 32)] == [4, 4, 4, 5, 6, 6, 7]
    assert popcount_bits(3, False) == popcount_bits(3, True) == (2, 0, 2)


FORMS = [(2, 2, "lut", "planes"), (8, 8, "auto", "pairs"), (8, 8, "dsp", "dsp"), (8, 8, "dsp2", "dsp2"),
         (4, 4, "lut", "pairs"), (4, 4, "dsp2", None), (16, 8, "dsp2", None), (1, 8, "dsp", None)]


@pytest.mark.parametrize("x_bits, w_bits, mul, name", FORMS)
def test_the_form_follows_the_widths_unless_it_is_named(x_bits, w_bits, mul, name):
    half = 1 << (w_bits - 1)
    op, x = matmul(np.tile([-half, half - 1], (4, 8))), Tensor((16,), Range(0, 2**x_bits - 1))
    fold = Fold(4, 16, "lut", mul)
    if name is None:
        with pytest.raises(LutraError, match=f"mul='{mul}' for products of {x_bits} by {w_bits} bits"):
            op.block(fold, x)
    else:
        assert op.form(fold, x) == name
        assert op.features(fold, x, "xc7").get("dsp", 0) == {"dsp": 64, "dsp2": 32}.get(name, 0)
        assert (mul in {f.mul for f in op.folds(x) if (f.pe, f.simd) == (4, 16)}) == (mul != "lut")


@pytest.mark.parametrize("mul", ["lut", "dsp", "dsp2"])
@pytest.mark.parametrize("x", [Range(-128, 127), Range(0, 255)], ids=str)
@pytest.mark.parametrize("signed", [True, False])
def test_every_pair_of_8_bits_is_multiplied_exactly(mul, x, signed, cache):
    """Each weight with each input, beside it in the same block the weights at the ends of their range."""
    w = np.arange(-128, 128) if signed else np.arange(256)
    ends = np.array([w[0], w[-1]])
    weights = np.stack([w, np.tile(ends, 128), w[::-1], np.tile(ends.repeat(2), 64)], axis=1)
    node = Node(matmul(weights.reshape(-1, 1)), (Node(Input("x", Tensor((1,), x))),))
    design = assemble(Graph(node.args, (node,)), {node: Fold(4, 1, "block", mul)}, {})
    values, y = x.values(), node.out.range
    run = RtlModel.build_many((design,), Cache(cache), fast=False).run(to_words(x.encode(values).reshape(-1, 1), 8))
    found = y.decode(from_words(run.words, 4, y.bits)).reshape(256, -1)
    assert np.array_equal(found, values[:, None] * weights.reshape(-1))


@pytest.mark.parametrize("make, words", [
    (lambda: matmul([[1, 2]]).infer(Tensor((3,), BIPOLAR)), "2 columns for 3 channels"),
    (lambda: matmul([1, 2]).infer(Tensor((2,), BIPOLAR)), "no integer matrix"),
    (lambda: MatMul(Constant(np.ones((2, 2)))).infer(Tensor((2,), BIPOLAR)), "float64"),
    (lambda: matmul([[2**17]]).infer(Tensor((1,), BIPOLAR)), "18 bits"),
    (lambda: matmul([[1]]).infer(Tensor((1,), Range(0, 2**17))), "18 bits"),
    (lambda: matmul([[1, 2]]).cycles(Fold(2, 1), Tensor((2,), BIPOLAR)), "pe=2 does not divide 1"),
    (lambda: matmul([[1, 2]]).block(Fold(1, 1, "moon"), Tensor((2,), BIPOLAR)), "moon"),
    (lambda: matmul([[1, 2]]).block(Fold(1, 1, "lut", "sun"), Tensor((2,), BIPOLAR)), "mul='sun'"),
    (lambda: matmul([[1, 2]]).block(Fold(1, 1, mul="adders"), Tensor((2,), Range(0, 1))), "pe=1 simd=1.*all rows"),
    (lambda: matmul([[1, 2]]).block(Fold(1, 2, mul="adders"), Tensor((2,), BIPOLAR)), "integers of step 1"),
])
def test_refusals_show_the_value(make, words):
    with pytest.raises(LutraError, match=words):
        make()


def test_a_graph_of_adders_is_the_matrix_and_only_that():
    op, x = matmul([[7, 0, -14], [-1, 0, 2], [0, 0, 0], [7, 1, -14]]), Tensor((3,), Range(-8, 7))
    made = unrolled(op, x)
    cells = made.circuit.cells
    assert made.outputs[2] is None
    assert made.outputs[0].index != made.outputs[1].index
    assert 3 + 3 <= len(cells) <= 3 + 6
    assert all(isinstance(cell, Adder) and cell.right.index < k for k, cell in enumerate(cells[3:], 3))
    values = made.circuit.evaluate(np.array([[3, 5, -8], [-8, 7, 7]]))
    assert [int(v) for v in values[made.outputs[0].index] * 2**made.outputs[0].shift] == [133, -154]
    block = op.block(Fold(4, 3, mul="adders"), x)
    assert block.module in block.text
    assert block.params == block.memories == {}
    other = matmul([[7, 0, -14], [-1, 0, 2], [0, 0, 0], [7, 2, -14]]).block(Fold(4, 3, mul="adders"), x)
    assert other.module != block.module


def test_where_weights_live():
    op, x = matmul(np.tile([[1, -1]], (64, 128))), Tensor((256,), BIPOLAR)
    assert op.block(Fold(64, 4), x).params["BLOCK"] == 0  # 64 words
    assert op.block(Fold(4, 16), x).params["BLOCK"] == 64  # 256 words of 64 bits, one slice
    assert op.block(Fold(4, 16, "lut"), x).params["BLOCK"] == 0
    assert op.features(Fold(4, 16), x, "xc7")["bram"] == 2
    assert op.features(Fold(4, 16, "lut"), x, "xc7")["bram"] == 0
