"""The folding solver against brute force on small random graphs: chains, branches, joins that tie their lanes."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lutra.ops.base import Fold
from lutra.plan.candidates import RESOURCES, Joint, Layer, Network
from lutra.plan.eased import eased
from lutra.plan.fitting import fastest_within
from lutra.plan.search import measure
from lutra.plan.solve import cheapest, within

PRICES = np.array([1.0, 0.1, 3.0, 2.0, 5.0])


def layer(rng, reads, most):
    """Candidates that read so many streams; those of a join mostly with one number of lanes for all of them."""
    n = int(rng.integers(1, most))
    lanes = rng.choice([1, 2, 4], (n, reads + 1))
    if reads > 1 and rng.integers(0, 3):
        lanes[:] = lanes[:, :1]
    costs = rng.integers(0, 20, (n, len(RESOURCES))).astype(float)
    return Layer((Fold(),) * n, lanes, rng.integers(1, 9, n), costs)


def joint(rng, layers, source, sink, port):
    before, after = layers[source].values[-1], layers[sink].values[port]
    differ = before[:, None] != after[None, :]
    costs = rng.integers(0, 10, (*differ.shape, len(RESOURCES))) * differ[..., None]
    return Joint(source, sink, port, rng.integers(1, 9, differ.shape) * differ, costs.astype(float))


@st.composite
def networks(draw):
    """Each layer reads the one before it, and some an earlier one too (the same one twice among them)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, branches = draw(st.integers(1, 5)), draw(st.booleans())
    layers, feeds = [], []
    for k in range(count):
        joins = branches and k > 0 and rng.integers(0, 2)
        feeds.append([k - 1, *rng.integers(0, k, rng.integers(1, 3))] if joins else [k - 1] if k else [])
        layers.append(layer(rng, max(len(feeds[-1]), int(rng.integers(0, 2)) if not k else 1), 7 if count < 5 else 4))
    joints = [joint(rng, layers, int(n), k, port) for k, some in enumerate(feeds) for port, n in enumerate(some)]
    return Network((), tuple(layers), tuple(joints))


def interval_of(net, picks):
    cycles = [int(layer.cycles[p]) for layer, p in zip(net.layers, picks, strict=True)]
    for j in net.joints:
        before, after = net.layers[j.source].places[picks[j.source]], net.layers[j.sink].places[picks[j.sink]]
        cycles.append(int(j.cycles[before[-1], after[j.port]]))
    return max(cycles)


def every(net):
    return [(interval_of(net, p), measure(net, p)) for p in product(*(range(len(x.folds)) for x in net.layers))]


@settings(max_examples=300, deadline=None)
@given(networks(), st.integers(1, 9))
def test_cheapest_is_the_cheapest_of_all(net, interval):
    prices = [float(PRICES @ c.cost) for cycles, c in every(net) if cycles <= interval]
    found = cheapest(net, interval, PRICES)
    assert (found is None) == (not prices)
    if found is not None:
        assert interval_of(net, found.picks) <= interval
        assert np.isclose(PRICES @ found.cost, min(prices))
        assert np.array_equal(found.cost, measure(net, found.picks).cost)


@settings(max_examples=300, deadline=None)
@given(networks(), st.integers(1, 9), st.lists(st.integers(0, 60), min_size=len(RESOURCES), max_size=len(RESOURCES)))
def test_within_finds_a_choice_exactly_where_one_fits(net, interval, limits):
    limits = np.array(limits, dtype=float)
    fitting = [c for cycles, c in every(net) if cycles <= interval and c.fits(limits)]
    found = within(net, interval, PRICES, limits)
    assert (found is None) == (not fitting)
    if found is not None:
        assert found.fits(limits)
        assert interval_of(net, found.picks) <= interval


@settings(max_examples=200, deadline=None)
@given(networks(), st.integers(1, 9), st.floats(0, 1))
def test_an_eased_choice_fits_and_is_no_dearer(net, interval, share):
    some = [c for cycles, c in every(net) if cycles <= interval]
    limits = np.quantile([c.cost for c in some], share, axis=0) if some else np.zeros(len(RESOURCES))
    known = within(net, interval, PRICES, limits)
    if known is None:
        return
    found = eased(net, interval, PRICES, limits, known)
    assert found.fits(limits) and interval_of(net, found.picks) <= interval
    assert np.allclose(found.cost, measure(net, found.picks).cost)
    assert PRICES @ found.cost <= PRICES @ known.cost
    assert PRICES @ found.cost >= min(PRICES @ c.cost for c in some if c.fits(limits)) - 1e-9
    if known.picks == cheapest(net, interval, PRICES).picks:
        assert found == known


def test_eased_choices_of_long_chains_are_near_the_relaxation():
    rng, gaps = np.random.default_rng(0), []
    for _ in range(20):
        layers = [layer(rng, 1, 12) for _ in range(30)]
        net = Network((), tuple(layers), tuple(joint(rng, layers, k - 1, k, 0) for k in range(1, len(layers))))
        free = cheapest(net, 9, PRICES)
        least = cheapest(net, 9, np.eye(len(RESOURCES))[2])
        limits = np.full(len(RESOURCES), np.inf)
        limits[2] = (free.cost[2] + 2 * least.cost[2]) / 3  # of the dearest resource less than what is cheapest takes
        known = within(net, 9, PRICES, limits)
        found = eased(net, 9, PRICES, limits, known)
        bound = max(float((PRICES + p * np.eye(len(RESOURCES))[2]) @ cheapest(
            net, 9, PRICES + p * np.eye(len(RESOURCES))[2]).cost) - p * limits[2] for p in np.linspace(0, 40, 81))
        assert bound - 1e-9 <= PRICES @ found.cost <= PRICES @ known.cost
        gaps.append((PRICES @ found.cost / bound, PRICES @ known.cost / bound))
    ours, before = np.mean(gaps, axis=0)
    assert ours - 1 < 0.02 and ours - 1 < (before - 1) / 2, (ours, before)


@settings(max_examples=200, deadline=None)
@given(networks(), st.lists(st.integers(0, 60), min_size=len(RESOURCES), max_size=len(RESOURCES)))
def test_bisection_finds_the_shortest_interval_that_fits(net, limits):
    limits = np.array(limits, dtype=float)
    fitting = [cycles for cycles, c in every(net) if c.fits(limits)]
    index, found = fastest_within(net, PRICES, limits)
    assert (found is None) == (not fitting)
    if found is not None:
        assert interval_of(net, found.picks) == net.intervals[index] == min(fitting)


@settings(deadline=None)
@given(networks())
def test_intervals_hold_every_interval_that_exists(net):
    assert {cycles for cycles, _ in every(net)} <= set(net.intervals.tolist())
