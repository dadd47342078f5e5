"""The integer runner equals the graph's own meaning, in parts or whole, for chains and for other graphs."""

import weakref
from dataclasses import dataclass

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node, Op, Range, Tensor
from lutra.ops.reshape.op import Reshape
from lutra.sim import reference
from lutra.sim.reference import Runner


@dataclass(frozen=True)
class Scale(Op):
    by: int

    def infer(self, *args):
        r = args[0].range
        return Tensor(args[0].shape, Range(r.lo * self.by, r.hi * self.by))

    def evaluate(self, *args):
        return args[0].astype(np.float32) * self.by


@dataclass(frozen=True)
class Sum(Op):
    def infer(self, *args):
        a, b = (t.range for t in args)
        return Tensor(args[0].shape, Range(a.lo + b.lo, a.hi + b.hi))

    def evaluate(self, *args):
        return args[0] + args[1]


def source():
    return Node(Input("x", Tensor((2, 3), Range(-8, 7))))


def chain():
    x = source()
    last = Node(Scale(5), (Node(Reshape((6,)), (Node(Scale(3), (x,)),)),))
    return Graph((x,), (last,))


def forked():
    x = source()
    a = Node(Scale(2), (x,))
    return Graph((x,), (Node(Sum(), (a, Node(Scale(7), (a,)))),))


def identity():
    x = source()
    return Graph((x,), (x,))


def several():
    """Two inputs, one of them read late; three outputs, one of them read inside too, one an input."""
    x, y = source(), Node(Input("y", Tensor((2, 3), Range(-8, 7))))
    a = Node(Scale(2), (x,))
    b = Node(Sum(), (a, y))
    return Graph((x, y), (b, a, y, Node(Sum(), (b, x))))


@pytest.mark.parametrize("count", [0, 1, 64])
@pytest.mark.parametrize("memory", [1, 700, 32 << 20])
def test_several_inputs_and_outputs(monkeypatch, count, memory):
    monkeypatch.setattr(reference, "MEMORY", memory)
    graph, rng = several(), np.random.default_rng(0)
    x, y = (rng.integers(-8, 8, (count, 2, 3)).astype(np.int8) for _ in range(2))
    values = graph.evaluate(x, y)
    found = Runner(graph).outputs((x, y))
    assert len(found) == 4
    for node, value in zip(graph.outputs, found, strict=True):
        assert value.dtype == np.int64 and np.array_equal(value, values[node])
    for node, value in zip(graph.nodes, Runner(graph).all(x, y), strict=True):
        assert np.array_equal(value, values[node])


def test_inputs_of_different_counts_are_an_error():
    with pytest.raises(LutraError, match="the inputs have 2 and 3 frames"):
        Runner(several()).outputs((np.zeros((2, 2, 3)), np.zeros((3, 2, 3))))


def test_values_go_with_their_last_reader(monkeypatch):
    """On the way through a long graph with a shortcut at each step, few values are there at a time."""
    begun, gone, most = [], [], []

    class Held(np.ndarray):
        pass

    def counted(self, a, b):
        made = (np.asarray(a) + np.asarray(b)).view(Held)
        weakref.finalize(made, gone.append, 1)
        begun.append(1)
        most.append(len(begun) - len(gone))
        return made

    monkeypatch.setattr(Sum, "evaluate", counted)
    x = before = source()
    node = Node(Sum(), (x, x))
    for _ in range(30):
        before, node = node, Node(Sum(), (node, before))
    Runner(Graph((x,), (node,))).run(np.ones((2, 2, 3), np.int8))
    assert len(most) == 31 and max(most) <= 3


@pytest.mark.parametrize("graph", [chain(), forked(), identity()], ids=["chain", "fork", "identity"])
@pytest.mark.parametrize("count", [0, 1, 5, 64])
@pytest.mark.parametrize("memory", [1, 700, 32 << 20])
def test_it_equals_the_graph(monkeypatch, graph, count, memory):
    monkeypatch.setattr(reference, "MEMORY", memory)
    x = np.random.default_rng(0).integers(-8, 8, (count, 2, 3)).astype(np.int8)
    runner, values = Runner(graph), graph.evaluate(x)
    y = runner.run(x)
    assert y.dtype == np.int64 and np.array_equal(y, values[graph.outputs[0]])
    for node, found in zip(graph.nodes, runner.all(x), strict=True):
        assert found.dtype == np.int64 and np.array_equal(found, values[node])


def test_parts_are_no_larger_than_memory(monkeypatch):
    sizes = []
    monkeypatch.setattr(Scale, "evaluate", lambda self, x: sizes.append(len(x)) or x * self.by)
    monkeypatch.setattr(reference, "MEMORY", 8 * 12 * 10)  # ten frames of the widest step: six numbers in, six out
    Runner(chain()).run(np.zeros((25, 2, 3), np.int64))
    assert sorted(sizes) == [5, 5, 10, 10, 10, 10]


@pytest.mark.parametrize("shape", [(4, 6), (2, 3), (0, 3, 2)])
def test_another_shape_is_an_error(shape):
    with pytest.raises(LutraError, match=r"frames have the shape .* the graph reads \(2, 3\)"):
        Runner(chain()).run(np.zeros(shape, np.int64))
