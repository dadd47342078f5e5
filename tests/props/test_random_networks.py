"""Random networks: the source, the integer graph and the RTL agree; thousands by bench/random_networks.py."""

import numpy as np
import pytest
from drawn import network
from random_networks import Refused, compiled, same_integers, same_rtl

INTEGER, RTL = 240, 24
EACH = 8  # networks in one simulation


@pytest.mark.parametrize("first", range(0, INTEGER, 40))
def test_integer_graphs_equal_their_sources(first):
    refused = 0
    for seed in range(first, first + 40):
        try:
            same_integers(seed)
        except Refused:
            refused += 1
    assert refused <= 8, "a network in five, at most, may be beyond what there is"


@pytest.mark.parametrize("first", range(0, RTL, EACH))
def test_rtl_equals_the_integer_graph(cache, first):
    same_rtl(range(1000 + first, 1000 + first + EACH), cache)


def test_networks_are_of_all_kinds():
    kinds = set()
    for seed in range(200):
        graph, _ = network(seed)
        kinds |= {n.op.kind for n in graph.nodes}
    assert {"addstreams", "mulstreams", "concat", "averagepool", "maxpool", "conv", "upsample", "slice", "take",
            "depthtospace", "convtranspose", "quantizelinear", "bipolarquant", "matmul", "sigmoid"} <= kinds


def test_a_wrong_integer_is_found():
    low, graph, x = compiled(3)
    values = low.graph.evaluate(low.inputs[0].integers(x))
    wrong = low.outputs[0].real(values[low.graph.outputs[0]] + 1)
    right = graph.evaluate(low.inputs[0].real(x))[graph.outputs[0]]
    assert not np.allclose(wrong, right, rtol=1e-12, atol=1e-12)
