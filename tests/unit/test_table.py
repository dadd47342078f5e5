"""Table: entries by value, narrower inputs, kernels, memories, refusals."""

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.base import Fold
from lutra.ops.table.op import Table


def test_entries_go_by_the_value_not_by_its_code():
    op = Table(Constant(np.array([[10, 20, 30, 40], [1, 2, 3, 4]])), Range(-2, 1))
    x = np.array([[-2, 1], [0, -1]])
    assert op.evaluate(x).tolist() == [[10, 4], [30, 2]]
    assert op.kernel(Tensor((2,), op.of))(x.astype(np.float32)).tolist() == [[10, 4], [30, 2]]
    assert op.infer(Tensor((2,), op.of)).range == Range(1, 40)


def test_steps():
    op = Table(Constant(np.array([[-1, 1, -1]])), Range(-3, 3, 3))
    x = np.array([[-3], [0], [3]])
    assert op.evaluate(x).ravel().tolist() == [-1, 1, -1]
    assert op.kernel(Tensor((1,), op.of))(x).ravel().tolist() == [-1, 1, -1]
    assert op.infer(Tensor((1,), op.of)).range == Range(-1, 1, 2)
    assert op.block(Fold(), Tensor((1,), op.of)).memories["VALUES"].words == (0, 1, 0, 0)


def test_a_narrower_input_sees_its_own_entries():
    op, x = Table(Constant(np.array([[7, 8, 9, 99]])), Range(-2, 1)), Tensor((1,), Range(-1, 0))
    assert op.infer(x).range == Range(8, 9)
    assert op.block(Fold(), x).memories["VALUES"].words == (9, 8)  # code 0 is 0, code 1 is -1


def test_shared_tables_are_one_lane():
    op, x = Table(Constant(np.arange(4)[None]), Range(0, 3)), Tensor((6,), Range(0, 3))
    block = op.block(Fold(pe=3), x)
    assert (block.params["LANES"], block.params["NF"], len(block.memories["VALUES"].words)) == (1, 1, 4)


@pytest.mark.parametrize("values, of, x, words", [
    (np.zeros((1, 3), int), Range(0, 3), Range(0, 3), "4 values of 0..3"),
    (np.zeros((2, 4), int), Range(0, 3), Range(0, 3), "2 rows of values for 3 channels"),
    (np.zeros((1, 4)), Range(0, 3), Range(0, 3), "float64"),
    (np.zeros((1, 4), int), Range(0, 3), Range(0, 7), "0..3 for values in 0..7"),
    (np.zeros((1, 2**13), int), Range(0, 2**13 - 1), Range(0, 2**13 - 1), "8192 entries"),
])
def test_refusals_show_the_value(values, of, x, words):
    with pytest.raises(LutraError, match=words):
        Table(Constant(values), of).infer(Tensor((3,), x))
