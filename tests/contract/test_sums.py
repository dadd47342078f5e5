"""Depthwise with weights of 1 alone, which has no product: the sums of average pooling, of inputs of every coding."""

import numpy as np
from cases import Bench, Case, differences

from lutra.ir import Constant, Input, Node, Range, Tensor
from lutra.ops import Fold
from lutra.ops.depthwise.op import Depthwise


def test_sums_of_every_coding(cache):
    ranges = (Range(-8, 7), Range(0, 15), Range(-1, 1, 2), Range(-9, 6, 3))
    ones = Depthwise(Constant(np.ones((4, 9), np.int64)))
    nodes = [Node(ones, (Node(Input("x", Tensor((2, 36), r))),)) for r in ranges]
    built = Bench.build([Case(n, Fold(p, p)) for n in nodes for p in (1, 4)], cache)
    assert all(c.stage.block.params["WBITS"] == 0 for c in built.cases)
    for stalls in ((0.0, 0.0), (0.3, 0.5)):
        assert differences(built.run(start=1, stalls=stalls)) == []
