"""From the source graph to the integer graph, in one walk.

Each tensor of the source is followed as a View: which integers on which stream, in which order, with which elementwise
operations pending. Shape operations change only the order, elementwise ones only the chain; a unit that needs integers
resolves the chain exactly (rules/solve.py). FINN (Umuroglu 2017, section 4.2.2; Blott 2018) gets there by moving and
absorbing float operations one rewriting at a time; here nothing is moved, so there is no order of passes that a network
must suit, and what can't be resolved is known by its node.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lutra.errors import LutraError
from lutra.ir import REAL, Array, Constant, Graph, Input, Node, Tensor, rewrite
from lutra.ops import source as src
from lutra.ops.argmax.op import ArgMax
from lutra.ops.base import Unit
from lutra.ops.pad.op import Pad
from lutra.ops.rescale.op import Rescale
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import Elementwise, real
from lutra.rules.ends import InputEnd, OutputEnd
from lutra.rules.entry import InputFormat, input_end, moved, ops_graph
from lutra.rules.integers import Lowering, Proof, affine
from lutra.rules.linear import image, lower_conv, lower_matmul, lower_maxpool, plane
from lutra.rules.simplify import RULES
from lutra.rules.view import View, reshaped


@dataclass(frozen=True)
class Lowered:
    """The integer graph, what the host does at its ends (in the model's order), and how each chain was shown equal."""

    graph: Graph
    inputs: tuple[InputEnd, ...]
    outputs: tuple[OutputEnd, ...]
    proofs: tuple[Proof, ...]

    @property
    def input(self) -> InputEnd:
        """The first input's end."""
        return self.inputs[0]

    @property
    def output(self) -> OutputEnd:
        """The first output's end."""
        return self.outputs[0]


def lower(source: Graph, given: InputFormat | None, family: str) -> Lowered:
    """The integer graph of a source graph of one input and one output; LutraError names the node in the way.

    given: what the hardware is fed; None where the model's own input quantiser says it (the host then quantises).
    family: for which devices the cheapest exact form of a chain is chosen.
    """
    path = _path(source)
    low = Lowering(family, [])
    split, end = input_end(path, given)
    node = Node(Input("x", Tensor(end.shape, end.range)))
    chain: tuple[Elementwise, ...] = (src.Mul(end.scale),)
    if end.offset.array.any():
        chain = (*chain, src.Add(end.offset))
    state = View(node, end.order.array, chain)
    rest = path[split:]
    for i, n in enumerate(rest):
        after = _step(low, state, n)
        if after is None:
            _only_host(rest[i:])
            return _finish(low, end, state, rest[i:])
        state = after
    return _finish(low, end, state, [])


def _path(source: Graph) -> list[Node]:
    """The source's nodes in order, from its one input to its one output."""
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise LutraError(f"the model has {len(source.inputs)} inputs and {len(source.outputs)} outputs", "model",
                         "only models with one input and one output are supported in this version")
    for node, users in source.users.items():
        if len(users) > 1:
            names = " and ".join(u.loc or u.op.kind for u in users[:2])
            raise LutraError(f"its result feeds {len(users)} operators ({names})", node.loc or "the model's input",
                             "branches are not supported in this version")
    return [n for n in source.nodes if not isinstance(n.op, Input)]


def _step(low: Lowering, view: View, node: Node) -> View | None:
    """The view after one source operation; None where it is one for the host."""
    op, loc = node.op, node.loc
    match op:
        case Elementwise():
            return view.extended(op, loc)
        case Reshape() | src.Permute():
            return view.reindexed(lambda index: moved(op, index))
        case src.MatMul():
            return lower_matmul(low, view, op, loc)
        case src.Conv():
            return lower_conv(low, view, op, loc)
        case src.MaxPool():
            return lower_maxpool(low, view, op, loc)
        case src.Pad():
            return _pad(low, view, op, loc)
        case src.ArgMax():
            return _argmax(low, view, op, loc)
        case src.TopK(k=1, indices=True):
            return _argmax(low, view, src.ArgMax(op.axis), loc)
    return None


def _pad(low: Lowering, view: View, op: src.Pad, loc: str) -> View:
    """Zero padding of the spatial axes of a channels-first tensor."""
    if op.value != 0 or op.before[0] or op.after[0] or len(op.before) not in (2, 3):
        raise LutraError(f"padding {op.before}, {op.after} with {op.value:g} is not supported", loc,
                         "pad rows and columns of (C, H, W) with 0")
    ints = low.integers(view, loc, zero=True)
    frame, order = image(view, loc)
    zero = int(np.rint(-ints.offset / ints.scale).flat[0])
    pad = Pad(plane(op.before[1:], 0), plane(op.after[1:], 0), zero)
    node = Node(pad, (reshaped(ints.node, frame),), loc)
    index = np.arange(node.out.size).reshape(node.out.shape)[..., order].transpose(2, 0, 1)
    chain: tuple[Elementwise, ...] = (src.Mul(real(ints.scale)),)
    if ints.offset.any():
        chain = (*chain, src.Add(real(ints.offset)))
    return View(node, index.reshape(op.infer(Tensor(view.index.shape, REAL)).shape), chain)


def _argmax(low: Lowering, view: View, op: src.ArgMax, loc: str) -> View | None:
    """In hardware where the integers order as the reals do: one rising affine function for all channels, or offsets of
    whole steps; None (the host's) otherwise.
    """
    view = low.if_integer(view, loc)
    found = affine(view.chain, view.node)
    c = view.channels
    flat = view.index.reshape(-1, c) if view.index.shape[-1:] == (c,) else None
    in_order = flat is not None and op.axis == view.index.ndim - 1 and (
        flat == np.arange(view.index.size).reshape(-1, c)).all()
    if found is None or not in_order or found[0].size > 1 or found[0] <= 0:
        return None
    node, steps = view.node, found[1] / found[0]
    if steps.size > 1:
        whole = np.rint(steps - steps.min())
        if (np.abs(steps - steps.min() - whole) > 1e-9).any():
            return None
        node = _shifted(node, whole.astype(np.int64), loc)
    node = Node(ArgMax(), (node,), loc)
    return View(node, np.arange(node.out.size).reshape(*view.index.shape[:-1], 1), (src.Mul(real(1.0)),))


def _shifted(node: Node, add: Array, loc: str) -> Node:
    lo, hi = node.out.range.lo, node.out.range.hi + int(add.max())
    return Node(Rescale(Constant(np.ones(1, np.int64)), Constant(add), 0, False, lo, hi), (node,), loc)


def _only_host(rest: list[Node]) -> None:
    """LutraError where a layer for the hardware follows one for the host."""
    for node in rest[1:]:
        if isinstance(node.op, (src.MatMul, src.Conv, src.MaxPool)) or (
                isinstance(node.op, Elementwise) and node.op.finite):
            first = rest[0]
            raise LutraError(f"{first.op.kind} works on real numbers in the middle of the network, before {node.loc}",
                             first.loc, "only after the last quantised layer can it be left to the host")


def _finish(low: Lowering, end: InputEnd, view: View, rest: list[Node]) -> Lowered:
    """Resolve what is pending at the end: quantisers in hardware, the affine part in the output's scale, the rest as
    host operations.
    """
    view = low.if_integer(view, rest[0].loc if rest else "the model's output")
    count = next((i for i, _ in enumerate(view.chain) if affine(view.chain[: i + 1], view.node) is None),
                 len(view.chain))
    found = affine(view.chain[:count], view.node)
    assert found is not None
    inner = ops_graph([(op, "") for op in view.chain[count:]], view.node.out.shape)
    outer = ops_graph([(n.op, n.loc) for n in rest], view.index.shape)
    inputs = Graph((_input_of(view.node),), (view.node,))
    graph = rewrite(inputs, RULES)
    if not any(isinstance(n.op, Unit) for n in graph.nodes):
        raise LutraError("no operator of the model is quantised: there is nothing to build", "model",
                         "export the model with Quant nodes")
    output = OutputEnd(real(found[0]), real(found[1]), inner, Constant(view.index), outer)
    return Lowered(graph, (replace(end, shape=graph.inputs[0].out.shape),), (output,), tuple(low.proofs))


def _input_of(node: Node) -> Node:
    while node.args:
        node = node.args[0]
    return node
