"""From the source graph to the integer graph, in one walk.

Each tensor of the source is followed as a View: which integers on which stream, in which order, with which elementwise
operations pending. Shape operations change only the order, elementwise ones only the chain; a unit that needs integers
resolves the chain exactly (rules/solve.py). FINN (Umuroglu 2017, section 4.2.2; Blott 2018) gets there by moving and
absorbing float operations one rewriting at a time; here nothing is moved, so there is no order of passes that a network
must suit, and what can't be resolved is known by its node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lutra.errors import LutraError
from lutra.ir import Constant, Graph, Input, Node, Tensor, rewrite
from lutra.ops import source as src
from lutra.ops.base import Hardware
from lutra.ops.reshape.op import Reshape
from lutra.ops.sequence import sequences_of
from lutra.ops.source import Elementwise, real
from lutra.rules.affine import affine
from lutra.rules.argmax import lower_argmax
from lutra.rules.ends import InputEnd, OutputEnd
from lutra.rules.entry import InputFormat, input_end, lengths_end, longest_of, moved, ops_graph
from lutra.rules.gated import gated_product
from lutra.rules.integers import Lowering, Proof
from lutra.rules.interleave import interleaved
from lutra.rules.joins import lower_concat, lower_pairwise
from lutra.rules.linear import lower_conv, lower_matmul, lower_transposed
from lutra.rules.order import cut, upsampled
from lutra.rules.pairs import Pair
from lutra.rules.recurrent import lower_sequence, marked
from lutra.rules.simplify import RULES, merged
from lutra.rules.spatial import lower_average, lower_maxpool, lower_pad
from lutra.rules.view import Chain, View
from lutra.rules.weights import check_weights

Given = InputFormat | Mapping[str, InputFormat] | None
Views = dict[Node, View]
LAYERS = (src.MatMul, src.Conv, src.ConvTranspose)
HARD = (*LAYERS, src.MaxPool, src.AveragePool, src.Recurrent)  # never left to the host


@dataclass(frozen=True)
class Lowered:
    """The integer graph, what the host does at its ends (in the model's order), and how each chain was shown equal.
    Ends are of the model's frames, of which one of the graph's may be several (see `lutra.rules.interleave`).
    """

    graph: Graph
    inputs: tuple[InputEnd, ...]
    outputs: tuple[OutputEnd, ...]
    proofs: tuple[Proof, ...]

    @property
    def given(self) -> tuple[tuple[int, ...], ...]:
        """The shape that one of the model's frames has on each output's stream."""
        count, shapes = sequences_of(self.graph), (n.out.shape for n in self.graph.outputs)
        return tuple(shape if count == 1 else (shape[0] // count, *shape[1:]) for shape in shapes)

    @property
    def input(self) -> InputEnd:
        """The first input's end."""
        return self.inputs[0]

    @property
    def output(self) -> OutputEnd:
        """The first output's end."""
        return self.outputs[0]


def lower(
    source: Graph, given: Given, family: str, low: Lowering | None = None, interleave: int = 1
) -> Lowered:
    """The integer graph of a source graph; LutraError names the node in the way.

    given: what the hardware is fed, for all inputs or by an input's name; without it the model's own input quantiser
    says it (the host then quantises). family: for which devices the cheapest exact form of a chain is chosen. low:
    keeps what was solved before an error, for those who want to say it. interleave: how many sequences a frame of the
    integer graph is, of which recurrent layers take a column each in turn.
    """
    low = low or Lowering(family)
    _check_quantised(source)
    ends, starts, views, host = _begin(source, given)
    for node in source.nodes:
        if isinstance(node.op, Input) or node in host or node in views:
            continue
        args = tuple(views[a] for a in node.args if a in views)
        after = _step(low, args, node) if len(args) == len(node.args) else None
        if after is not None:
            views[node] = low.settle(after, node.loc) if _shared(source, node) else after
        else:
            _only_host(node, views)
    done = [_output(low, node, views) for node in source.outputs]
    graph = merged(rewrite(Graph(tuple(starts), tuple(node for node, _ in done)), RULES))
    graph = merged(rewrite(graph, (gated_product,)))
    alone = graph.inputs
    graph = marked(merged(rewrite(interleaved(graph, interleave), RULES)))
    if not any(isinstance(n.op, Hardware) for n in graph.nodes):
        raise LutraError("no operator of the model is quantised: there is nothing to build", "model",
                         "export the model with Quant nodes")
    fed = tuple(replace(e, shape=n.out.shape) for e, n in zip(ends, alone, strict=True))
    return Lowered(graph, fed, tuple(end for _, end in done), tuple(low.proofs))


def _check_quantised(source: Graph) -> None:
    """LutraError, at the first layer, for a model in which nothing is quantised at all."""
    layers = [(n.op, n.loc) for n in source.nodes if isinstance(n.op, LAYERS)]
    if any(isinstance(n.op, Elementwise) and n.op.finite for n in source.nodes) or any(
            op.quant is not None for op, _ in layers):
        return
    for op, loc in layers:
        try:
            check_weights(op.weights.array, None, loc)
        except LutraError as e:
            raise LutraError("its weights are real numbers, and nothing in the model is quantised", loc,
                             "train it with quantisation, or quantise it with onnxruntime.quantization first") from e


def _shared(source: Graph, node: Node) -> bool:
    """Whether several operators read it: what a quantiser gives is then made once, and few bits fork."""
    return len(source.users[node]) > 1


def _begin(source: Graph, given: Given) -> tuple[list[InputEnd], list[Node], Views, set[Node]]:
    """The ends of all inputs, the integer graph's inputs, the views that stand there, and what the host does before."""
    ends: list[InputEnd] = []
    starts: list[Node] = []
    views: Views = {}
    host: set[Node] = set()
    data = sum(longest_of(source, start) is None for start in source.inputs)
    for k, start in enumerate(source.inputs):
        assert isinstance(start.op, Input)
        longest = longest_of(source, start)
        own = given.get(start.op.name) if isinstance(given, Mapping) else given
        done, fed, end = input_end(source, start, own) if longest is None else ((), (start,), lengths_end(longest))
        name = "lengths" if longest else "x" if data == 1 else f"x{k}"
        node = Node(Input(name, Tensor(end.shape, end.range)))
        chain: Chain = (src.Mul(end.scale),)
        if end.offset.array.any():
            chain = (*chain, src.Add(end.offset))
        ends.append(end)
        starts.append(node)
        views |= dict.fromkeys(fed, View(node, end.order.array, chain))
        host |= {start, *done}
    return ends, starts, views, host


def _step(low: Lowering, views: tuple[View, ...], node: Node) -> View | None:
    """The view after one source operation; None where it is one for the host."""
    op, loc = node.op, node.loc
    if isinstance(op, src.Pairwise):
        return lower_pairwise(low, views, op, loc)
    if isinstance(op, src.Sequence):
        return lower_sequence(low, views, op, loc)
    if isinstance(op, src.Concat):
        return lower_concat(low, views, op, loc)
    (view,) = views
    match op:
        case Elementwise():
            return view.extended(op, loc)
        case Reshape() | src.Permute() | src.DepthToSpace() | src.SpaceToDepth():
            return view.reindexed(lambda index: moved(op, index))
        case src.Slice() | src.Take():
            return cut(low, view, moved(op, view.index), loc)
        case src.Upsample():
            return upsampled(low, view, op.factors, loc)
        case src.MatMul():
            return lower_matmul(low, view, op, loc)
        case src.Conv():
            return lower_conv(low, view, op, loc)
        case src.ConvTranspose():
            return lower_transposed(low, view, op, loc)
        case src.MaxPool():
            return lower_maxpool(low, view, op, loc)
        case src.AveragePool():
            return lower_average(low, view, op, loc)
        case src.Pad():
            return lower_pad(low, view, op, loc)
        case src.ArgMax():
            return lower_argmax(low, view, op, loc)
        case src.TopK(k=1, indices=True):
            return lower_argmax(low, view, src.ArgMax(op.axis), loc)
    return None


def _only_host(node: Node, views: Views) -> None:
    """LutraError where a layer for the hardware follows one for the host."""
    if not isinstance(node.op, HARD) and not (isinstance(node.op, Elementwise) and node.op.finite):
        return
    first = node
    while (before := next((a for a in first.args if a not in views), None)) is not None:
        first = before
    raise LutraError(f"{first.op.kind} works on real numbers in the middle of the network, before {node.loc}",
                     first.loc, "only after the last quantised layer can it be left to the host")


def _output(low: Lowering, node: Node, views: Views) -> tuple[Node, OutputEnd]:
    """An output's node and end. What is pending is resolved: quantisers in hardware, the affine part in the output's
    scale, the rest as host operations.
    """
    rest: list[Node] = []
    while node not in views:
        if len(node.args) != 1:
            raise LutraError(f"{node.op.kind} of {len(node.args)} streams works on real numbers at the model's end",
                             node.loc, "quantise its inputs, or make each an output of the model")
        rest.insert(0, node)
        (node,) = node.args
    view = low.if_integer(views[node], rest[0].loc if rest else "the model's output")
    if isinstance(view.node.op, Pair):
        raise LutraError("it adds numbers whose scales have no common divisor, and nothing quantises the sum",
                         view.node.loc, "put a quantiser behind the addition, or give both inputs one scale")
    count = next((i for i, _ in enumerate(view.chain) if affine(view.chain[: i + 1], view.node) is None),
                 len(view.chain))
    found = affine(view.chain[:count], view.node)
    assert found is not None
    inner = ops_graph([(op, "") for op in view.chain[count:]], view.node.out.shape)
    outer = ops_graph([(n.op, n.loc) for n in rest], view.index.shape)
    return view.node, OutputEnd(real(found[0]), real(found[1]), inner, Constant(view.index), outer)
