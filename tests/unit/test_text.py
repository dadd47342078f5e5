"""The text form of graphs: exact round trips, and a sentence with the line for damaged text."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutra.errors import LutraError
from lutra.front import load
from lutra.ir import REAL, Array, Constant, Graph, Input, Node, Op, Range, Tensor
from lutra.ir.text import from_text, tag, to_text
from lutra.ops import source as src
from lutra.ops import units
from lutra.ops.pad.op import Pad
from lutra.ops.source import operators, real

OPS = (*units(), *operators())


@dataclass(frozen=True)
class Anything(Op):
    """An operator with one field of any kind."""

    value: object

    def infer(self, *args: Tensor) -> Tensor:
        return Tensor((1,), Range(0, 1)) if not args else args[0]

    def evaluate(self, *args: Array) -> Array:
        return args[0]


def chain(*ops):
    first = node = Node(Input("x", Tensor((3, 4, 4), REAL)), (), "input 'x'")
    for i, op in enumerate(ops):
        node = Node(op, (node,), f"node {i}")
    return Graph((first,), (node,))


def same(a, b):
    """Equal in everything that the text says."""
    pairs = list(zip(a.nodes, b.nodes, strict=True))
    index = [{n: i for i, n in enumerate(g.nodes)} for g in (a, b)]
    return all(m.op == n.op and m.loc == n.loc and m.out == n.out and
               [index[0][k] for k in m.args] == [index[1][k] for k in n.args] for m, n in pairs) and all(
        [index[0][n] for n in getattr(a, e)] == [index[1][n] for n in getattr(b, e)] for e in ("inputs", "outputs"))


GRAPH = chain(
    src.Conv(real(np.random.default_rng(0).normal(size=(2, 3, 3, 3))), (1, 1), (1, 1), (1, 1), (1, 1), 1,
             (Constant(np.arange(54).reshape(2, 3, 3, 3)), real(0.1))),
    src.BatchNorm(*(real(np.full((2, 1, 1), v)) for v in (0.1, 1 / 3, -0.0, 1e-300)), 1e-5),
    src.Clip(real(-np.inf), real(np.inf)), src.Trunc(*(real(1.0) for _ in range(5)), None, "FLOOR"),
    src.Trunc(*(real(1.0) for _ in range(5)), (-8, 7), "ROUND"),
    src.Quant(real(0.5), real(0.0), 4, True, False, "ROUND"), src.Reshape((32,)), src.Softmax((0,)),
    src.TopK(2, 0, True),
)


def test_round_trip_of_source_operators():
    text = to_text(GRAPH)
    back = from_text(text, OPS)
    assert same(GRAPH, back) and to_text(back) == text
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 4))
    assert np.array_equal(GRAPH.evaluate(x)[GRAPH.outputs[0]], back.evaluate(x)[back.outputs[0]])


def test_it_is_readable():
    lines = to_text(chain(src.Mul(real(2.0)), src.Reshape((48,)))).splitlines()
    assert lines[:6] == [
        "lutra graph 1",
        """%0 = Input(name="x", tensor=[3,4,4] real) : [3,4,4] real @ "input 'x'\"""",
        f"%1 = source.Mul(value=${real(2.0).digest[:12]})(%0) : [3,4,4] real @ \"node 0\"",
        "%2 = Reshape(shape=(48,))(%1) : [48] real @ \"node 1\"",
        "inputs %0",
        "outputs %2",
    ]
    assert len(lines) == 7 and lines[6].startswith(f"${real(2.0).digest[:12]} = <f8 [] ")


def test_hardware_and_source_operators_of_one_name_differ():
    assert tag(src.MatMul) == "source.MatMul" and tag(src.Reshape) == "Reshape"
    tags = [tag(op) for op in OPS]
    assert len(tags) == len(set(tags))
    assert {u.__name__ for u in units()} <= set(tags)


@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_1W2A", "unsw_nb15-mlp-w2a2", "qkeras_jettagging"])
def test_round_trip_of_published_models(name, data):
    graph = load(data / f"models/qonnx_model_zoo/{name}.onnx").graph
    assert same(graph, from_text(to_text(graph), OPS))


arrays = st.builds(
    lambda kind, shape, seed: np.random.default_rng(seed).integers(0, 2, shape).astype(kind),
    st.sampled_from(["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"]),
    st.lists(st.integers(0, 4), max_size=4).map(tuple), st.integers(0, 99))
ranges = st.builds(lambda lo, n, step: Range(lo, lo + n * step, step), st.integers(-(2**70), 2**70), st.integers(0, 99),
                   st.integers(1, 9))
shapes = st.lists(st.integers(1, 2**31), max_size=4).map(tuple)
tensors = st.builds(Tensor, shapes, st.one_of(st.just(REAL), ranges))
plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**90), 2**90), st.floats(allow_nan=False), st.text(), ranges,
                  tensors, arrays.map(Constant))
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=8)


@given(values, st.text())
def test_every_kind_of_field_comes_back_the_same(value, loc):
    graph = Graph((), (Node(Anything(value), (), loc),))
    back = from_text(to_text(graph), (*OPS, Anything)).outputs[0]
    assert repr(back.op) == repr(graph.outputs[0].op) and back.op == graph.outputs[0].op and back.loc == loc


def test_nodes_shared_and_unused_inputs():
    x, y = (Node(Input(n, Tensor((2,), Range(0, 3)))) for n in "xy")
    a = Node(Anything(1), (x, x))
    graph = Graph((x, y), (a, x))
    assert same(graph, from_text(to_text(graph), (*OPS, Anything)))


def damaged(text):
    with pytest.raises(LutraError) as e:
        from_text(text, OPS)
    assert e.value.at and "\n" not in str(e.value)
    return str(e.value)


TEXT = to_text(chain(src.Mul(real(2.0)), src.Quant(real(0.5), real(0.0), 4, True, False, "ROUND"), src.Reshape((48,))))


@pytest.mark.parametrize("old, new, message", [
    ("lutra graph 1", "lutra graph 2", "line 1: this is not the text of a graph"),
    ("%1 = ", "%7 = ", "line 3: node %1 is expected here"),
    ("source.Mul", "source.Evil", "operator 'source.Evil' is not known"),
    ("source.Mul", "__import__", "operator '__import__' is not known"),
    ("(value=", "(other=", "source.Mul has the fields value, not other"),
    ("(value=$", "(value=!", "line 3: a value is expected at '!"),
    ("(value=$", "(value=$0000", "a value is expected at '$0000"),
    ("bits=4", "bits=four", "a value is expected at 'four'"),
    ("bits=4", 'bits="four"', "its values do not fit its operator"),
    ("bits=4", "bits=" + "9" * 5000, "a number of 5000 digits"),
    ("bits=4", "bits=" + "(" * 50 + ")" * 50, "a value is expected at '('"),
    ("bits=4", "bits=0", "0 bits is not between"),
    ("(%1)", "(%2)", "%2 stands before its own line"), ("(%1)", "(%99)", "%99 stands before its own line"),
    ("(%1)", "", "its values do not fit its operator"),
    (": [48] real", ": [47] real", "Reshape gives [48] real, the text says [47] real"),
    (": [48] real", ": [48] 1..0", "is not a range"), (": [48] real", ": [-48] real", "is not a shape"),
    ('@ "node 0"', '@ "node 0" 7', "the line should end at '7'"), ('@ "node 0"', '@ "node', "a string is expected"),
    ("outputs %3", "outputs %4", "there is no node '%4'"), ("outputs %3\n", "", "the inputs or the outputs"),
    ("inputs %0", "inputs %1", "an input of the graph is not an Input"), ("inputs %0", "puts %0", "begins with 'puts'"),
    ("= <f8 [] ", "= <f8 [9] ", "does not have 72 bytes"), ("= <f8 [] ", "= |O8 [] ", "a dtype is expected"),
    ("= <f8 [] ", "= <q8 [] ", "type <q8 are not known"), ("= <f8 [] ", "= <f8 [] !", "not compressed base64"),
    ("= <f8 [] ", f"= <f8 [{10**12}] ", "is too large"),
])
def test_damaged_text(old, new, message):
    assert old in TEXT
    assert message in damaged(TEXT.replace(old, new, 1))


def test_a_changed_constant_is_noticed():
    two, three = (to_text(chain(src.Mul(real(v)))).splitlines()[-1].split()[-1] for v in (2.0, 3.0))
    assert "is not what its digest says" in damaged(to_text(chain(src.Mul(real(2.0)))).replace(two, three))


def test_empty_and_cut_off_text():
    assert "line 1" in damaged("")
    for end in range(len(TEXT.splitlines()) - 1):
        damaged("\n".join(TEXT.splitlines()[:end]))


def test_a_constant_that_expands_without_end_is_stopped():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    lines = TEXT.splitlines()
    head = lines[-1].rsplit(" ", 1)[0]
    assert "does not have 8 bytes" in damaged("\n".join([*lines[:-1], f"{head} {bomb}"]))


def test_a_text_older_than_a_field_takes_its_default():
    node = Node(Pad((1, 0), (0, 2), 1), (Node(Input("x", Tensor((2, 2, 1), Range(0, 3)))),))
    text = to_text(Graph(node.args, (node,)))
    older = text.replace(", inside=(0, 0)", "")
    assert older != text and from_text(older, OPS).outputs[0].op == node.op
    assert "Pad has the fields" in damaged(older.replace("after=(0, 2), ", ""))


def test_what_a_prompt_shows_is_a_line_however_often_branches_meet():
    first = node = Node(Input("x", Tensor((3,), REAL)), (), "input 'x'")
    for i in range(60):  # 2**60 paths
        node = Node(src.AddStreams(), (node, node), f"sum {i}")
    assert repr(node) == "Node(addstreams of 2, [3] real, 'sum 59')"
    assert repr(Graph((first,), (node,))) == "Graph(61 nodes)"
