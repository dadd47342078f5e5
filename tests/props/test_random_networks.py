"""Random networks: the source, the integer graph and the RTL agree; thousands by bench/random_networks.py."""

import numpy as np
import pytest
from drawn import network
from random_networks import Refused, recurrent, same_integers, same_rtl, static

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


def test_recurrent_networks_equal_pytorch():
    refused = 0
    for seed in range(40):
        try:
            same_integers(seed, recurrent)
        except Refused:
            refused += 1
    assert refused <= 2


def test_rtl_of_recurrent_networks_equals_the_integer_graph(cache):
    assert same_rtl(range(100, 106), cache, recurrent) == 6


def test_a_wrong_integer_is_found():
    case = static(3)
    (y,) = case.low.graph.outputs
    wrong = case.low.outputs[0].real(case.low.graph.evaluate(*case.frames)[y] + 1)
    assert not np.allclose(wrong, case.wanted[0], rtol=1e-12, atol=1e-12)
