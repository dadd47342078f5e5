"""`load`: a torch module becomes a source graph, through torch.export, with no file in between.

What does not depend on the network's input is computed by PyTorch's own operators, in the precision that they have: a
trained network's constants are just what the network itself uses. What does depend on it becomes the import of equal
ONNX operators (operators.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutra.errors import LutraError
from lutra.front.batch import Moved
from lutra.front.model import Model, Port
from lutra.front.module import program as aten
from lutra.front.module import tensors
from lutra.front.module.call import Aten, Stacked
from lutra.front.module.columns import translated
from lutra.front.module.export import exported, torch_folder
from lutra.front.module.operators import TRANSLATORS
from lutra.front.module.place import operator, places
from lutra.front.place import shown
from lutra.front.values import LENGTHS, Stream, check_size
from lutra.ir import REAL, Graph, Input, Node, Tensor

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

SUPPORTED = ("supported are convolutions, linear layers, BatchNorm, pooling, activations of one number, sums and "
             "products, cat, views, slices, padding, nearest upsampling, argmax, softmax, the casts of lutra.quant and "
             "recurrent layers that it has quantised")


def load(net: nn.Module, example: Any) -> Model:
    """The source graph of a network, which is set to evaluation mode and left in it.

    example: what its forward takes, with the batch axis first: a tensor, a tuple of tensors, or a mapping by argument
    names. Its values do not matter, its shape does. LutraError names the operator and the line of the user's source.
    """
    walk = _Walk(exported(net, example))
    outputs = walk.run()
    graph = Graph((), tuple(s.node for s in outputs))
    used = [name for name, s in walk.starts.items() if s.node in graph.nodes]
    graph = Graph(tuple(walk.starts[name].node for name in used), graph.outputs)
    ends = tuple(Port(str(n.name), (None, *s.shape[1:])) for n, s in zip(walk.ends, outputs, strict=True))
    ports = tuple(Port(name, (None, *walk.starts[name].shape[1:])) for name in used)
    sha256, size = aten.digest(walk.nodes, walk.held)
    return Model(type(net).__name__, graph, ports, ends, (None,) * len(ports), sha256, size)


class _Walk:
    """Reads the nodes of an exported graph in order, those that an output needs."""

    def __init__(self, program: ExportedProgram) -> None:
        self.ends = aten.outputs(program)
        self.nodes = aten.needed(program.graph.nodes, self.ends)
        self.held = aten.held(program)
        self.live = aten.live(self.nodes, self.held)
        self.places = places(self.live, torch_folder())
        self.starts: dict[str, Stream] = {}
        self.values: dict[Any, Any] = {}  # node -> Stream, a torch tensor or number, or a tuple of those
        self.quantised = tensors.Quantised()

    def run(self) -> tuple[Stream, ...]:
        """The outputs, in order; LutraError where one does not depend on the input."""
        self._check_known()
        for node in self.nodes:
            if node.op == "placeholder":
                self.values[node] = self.held[node.name] if node.name in self.held else self._start(node)
            elif node.op == "call_function":
                self.values[node] = self._located(node) if node in self.places else self._constant(node)
        return tuple(self._output(n) for n in self.ends)

    def _check_known(self) -> None:
        """LutraError for operators on the network's data that are not supported: the first, and which others."""
        unknown = [n for n in self.live if n.op != "call_function" or (
            operator(n) != "getitem" and aten.key(n) not in TRANSLATORS)]
        if unknown:
            others = sorted({operator(n) for n in unknown} - {operator(unknown[0])})
            more = f", nor {', '.join(others)} further on" if others else ""
            raise LutraError(f"the operator {operator(unknown[0])} is not supported{more}", self.places[unknown[0]],
                             SUPPORTED)

    def _start(self, node: Any) -> Any:
        """An input of the network: its first axis is the batch."""
        value = node.meta.get("val")
        if not hasattr(value, "shape"):
            return value
        at = f"input {shown(node.name)}"
        shape = tuple(int(d) for d in value.shape)
        check_size(shape[1:])
        start = Stream(Node(Input(str(node.name), Tensor(shape[1:], REAL)), (), at), shape[:1], True)
        return self.starts.setdefault(str(node.name), start)

    def _lengths(self, x: Stream) -> Stream:
        """The input that says how long each sequence is, one for all of the network's."""
        node = Node(Input(LENGTHS, Tensor((1,), REAL)), (), f"input {LENGTHS}")
        return self.starts.setdefault(LENGTHS, Stream(node, x.batch, x.dynamic))

    def _constant(self, node: Any) -> Any:
        args, kwargs = (_stood_in(self._resolved(v)) for v in (node.args, node.kwargs))
        value = tensors.computed(node.target, args, kwargs)
        if hasattr(node.target, "_schema"):
            given = aten.arguments(node, args, kwargs)
            self.quantised.note(node, aten.key(node), given, (args[1:], kwargs))
        return value

    def _located(self, node: Any) -> Any:
        try:
            return self._result(node)
        except LutraError as e:
            raise LutraError(e.what, e.at or self.places[node], e.hint) from e
        except MemoryError as e:
            raise LutraError("there is not enough memory for its result", self.places[node], "use a smaller one") from e

    def _result(self, node: Any) -> Any:
        args, kwargs = self._resolved(node.args), self._resolved(node.kwargs)
        if operator(node) == "getitem":
            return args[0][args[1]]
        named, sources = (aten.arguments(node, *both) for both in ((args, kwargs), (node.args, node.kwargs)))
        given = {k: self.quantised.const(v, sources[k]) for k, v in named.items()}
        shapes = aten.shapes(node)
        key = aten.key(node)
        result = translated(key, Aten(operator(node), self.places[node], given, shapes, self._lengths),
                            TRANSLATORS[key])
        for value, shape in zip(result if isinstance(result, tuple) else (result,), shapes, strict=False):
            if isinstance(value, Stream) and value.shape != shape:
                raise LutraError(f"its result of shape {shape} would have the shape {value.shape} for other batches",
                                 hint="give an example of two frames or more, and keep the batch axis first")
        return result

    def _resolved(self, value: Any) -> Any:
        """Arguments with nodes replaced by what they stand for."""
        if isinstance(value, (list, tuple)):
            return type(value)(self._resolved(v) for v in value)
        if isinstance(value, dict):
            return {k: self._resolved(v) for k, v in value.items()}
        return self.values[value] if aten.is_node(value) else value

    def _output(self, node: Any) -> Stream:
        value = self.values[node]
        if isinstance(value, Stacked):
            raise LutraError("its first axis is not the batch", f"output {shown(node.name)}",
                             "give each part as an output of its own, as h_n[-1]")
        if isinstance(value, Moved):
            raise LutraError("its first axis is not the batch", f"output {shown(node.name)}", "transpose it back")
        if not isinstance(value, Stream):
            raise LutraError("it does not depend on the network's input", f"output {shown(node.name)}",
                             "leave it out of what forward returns")
        return value


def _stood_in(value: Any) -> Any:
    """Streams replaced by empty tensors of their shape, for operators that read no more of them."""
    if isinstance(value, (list, tuple)):
        return type(value)(_stood_in(v) for v in value)
    if isinstance(value, dict):
        return {k: _stood_in(v) for k, v in value.items()}
    return tensors.empty(value.shape) if isinstance(value, Stream) else value
