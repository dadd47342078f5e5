"""The folding solver against brute force on small random chains."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lutra.ops.base import Fold
from lutra.plan.candidates import RESOURCES, Chain, Joint, Layer
from lutra.plan.goals import _fastest_within
from lutra.plan.solve import cheapest, measure, within

PRICES = np.array([1.0, 0.1, 3.0, 2.0])


@st.composite
def chains(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(1, 6))
        lanes = rng.choice([1, 2, 4], (n, 2))
        folds = tuple(Fold(pe=int(b), simd=int(a)) for a, b in lanes)
        costs = rng.integers(0, 20, (n, len(RESOURCES))).astype(float)
        layers.append(Layer(folds, lanes, rng.integers(1, 9, n), costs))
    joints = []
    for a, b in pairwise(layers):
        differ = a.outputs[:, None] != b.inputs[None, :]
        costs = rng.integers(0, 10, (*differ.shape, len(RESOURCES))) * differ[..., None]
        joints.append(Joint(rng.integers(1, 9, differ.shape) * differ, costs.astype(float)))
    return Chain((), tuple(layers), tuple(joints))


def interval_of(chain, picks):
    cycles = [int(layer.cycles[p]) for layer, p in zip(chain.layers, picks, strict=True)]
    for i, joint in enumerate(chain.joints):
        before, after = chain.layers[i], chain.layers[i + 1]
        cycles.append(int(joint.cycles[before.places[1][picks[i]], after.places[0][picks[i + 1]]]))
    return max(cycles)


def every(chain):
    return [(interval_of(chain, p), measure(chain, p)) for p in product(*(range(len(x.folds)) for x in chain.layers))]


@settings(max_examples=300, deadline=None)
@given(chains(), st.integers(1, 9))
def test_cheapest_is_the_cheapest_of_all(chain, interval):
    prices = [float(PRICES @ c.cost) for cycles, c in every(chain) if cycles <= interval]
    found = cheapest(chain, interval, PRICES)
    assert (found is None) == (not prices)
    if found is not None:
        assert interval_of(chain, found.picks) <= interval
        assert np.isclose(PRICES @ found.cost, min(prices))
        assert np.array_equal(found.cost, measure(chain, found.picks).cost)


@settings(max_examples=300, deadline=None)
@given(chains(), st.integers(1, 9), st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_within_finds_a_choice_exactly_where_one_fits(chain, interval, limits):
    limits = np.array(limits, dtype=float)
    fitting = [c for cycles, c in every(chain) if cycles <= interval and c.fits(limits)]
    found = within(chain, interval, PRICES, limits)
    assert (found is None) == (not fitting)
    if found is not None:
        assert found.fits(limits)
        assert interval_of(chain, found.picks) <= interval


@settings(max_examples=200, deadline=None)
@given(chains(), st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_bisection_finds_the_shortest_interval_that_fits(chain, limits):
    limits = np.array(limits, dtype=float)
    fitting = [cycles for cycles, c in every(chain) if c.fits(limits)]
    index, found = _fastest_within(chain, PRICES, limits)
    assert (found is None) == (not fitting)
    if found is not None:
        assert interval_of(chain, found.picks) == chain.intervals[index] == min(fitting)


@given(chains())
def test_intervals_hold_every_interval_that_exists(chain):
    assert {cycles for cycles, _ in every(chain)} <= set(chain.intervals.tolist())
