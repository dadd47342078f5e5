"""`load`: a model file becomes a source graph, node by node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.front import quantisers, tensors
from lutra.front.batch import Moved, elsewhere, placed
from lutra.front.fold import fold
from lutra.front.model import Model, Port
from lutra.front.operators import CONSTANT, STANDARD, TABLES
from lutra.front.place import shown
from lutra.front.ports import annotation, columns_first, input_ports
from lutra.front.reading import File, read
from lutra.front.recurrent import HANDLERS as RECURRENT
from lutra.front.recurrent import LENGTHS_AT
from lutra.front.survey import Survey, survey
from lutra.front.values import LENGTHS, Call, Const, Stream, Value, check_size
from lutra.ir import REAL, Graph, Input, Node, Tensor

if TYPE_CHECKING:
    import onnx

TENSOR = 4  # AttributeProto.TENSOR
OLDEST = 7  # of the standard operators: before, broadcasting was an attribute


def load(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Model:
    """Read an ONNX or QONNX model: a path, the bytes of a file, or a ModelProto.

    Constants are folded, with batch = 1 where the batch axis is dynamic; what remains is a graph of source operators in
    double precision. LutraError in one sentence, with the node's place, for whatever stands in the way.
    """
    file = read(source)
    proto = file.proto.graph
    if proto.sparse_initializer:
        raise LutraError("sparse initialisers are not supported", "model", "store the weights as dense tensors")
    stored = {t.name: t for t in proto.initializer}
    columns = columns_first(proto)
    ports = input_ports(proto, set(stored), columns)
    found = survey(proto, stored, {p.name for p in ports})
    starts = {p.name: placed(_start(p), int(p.name in columns)) for p in ports}
    walk = _Walk(file, found, stored, _opset(file.proto))
    walk.run(starts)
    if walk.lengths is not None:
        ports, starts = (*ports, _port(LENGTHS, walk.lengths)), starts | {LENGTHS: walk.lengths}
    outputs = tuple(_output(o.name, walk.value(o.name), bool(columns)) for o in proto.output)
    graph = Graph((), tuple(v.node for v in outputs))
    used = tuple(p for p in ports if starts[p.name].node in graph.nodes)
    graph = Graph(tuple(starts[p.name].node for p in used), graph.outputs)
    ends = tuple(_port(o.name, v) for o, v in zip(proto.output, outputs, strict=True))
    said = tuple(annotation(proto, p.name) for p in used)
    return Model(file.name, graph, used, ends, said, file.sha256, file.size)


def _port(name: str, value: Stream) -> Port:
    """An output with its computed shape; its batch axis is as open as the inputs'."""
    return Port(name, (None, *value.shape[1:]) if value.dynamic and value.batch else value.shape)


def _start(port: Port) -> Stream:
    """Axis 0 is the batch where there are two axes or more."""
    shape = tuple(d or 1 for d in port.shape)
    batch = 1 if len(shape) > 1 else 0
    try:
        check_size(shape[batch:])
    except LutraError as e:
        raise LutraError(e.what, f"input {shown(port.name)}", e.hint) from e
    node = Node(Input(port.name, Tensor(shape[batch:], REAL)), (), f"input {shown(port.name)}")
    return Stream(node, shape[:batch], port.shape[0] is None)


def _output(name: str, value: Value, moved: bool) -> Stream:
    """An output with its frames first, wherever the file has them; moved: it may have them elsewhere, as inputs do."""
    if isinstance(value, Const):
        raise LutraError("it does not depend on any input of the model", f"output {shown(name)}",
                         "leave it out of the exported model")
    if isinstance(value, Moved) and not moved:
        raise LutraError("a Transpose moves the batch axis", f"output {shown(name)}", "the batch axis must stay first")
    return placed(value, 0)


def _opset(proto: Any) -> int:
    version = max((o.version for o in proto.opset_import if o.domain in STANDARD), default=0)
    uses = any(n.domain in STANDARD for n in proto.graph.node)
    if uses and version < OLDEST:
        raise LutraError(f"the model uses ONNX opset {version}, older than {OLDEST}", "model",
                         "convert it with onnx.version_converter.convert_version(model, 13)")
    return int(version)


class _Walk:
    """Reads the nodes in order and keeps what each tensor's name stands for."""

    def __init__(self, file: File, found: Survey, stored: Mapping[str, Any], opset: int) -> None:
        self.nodes, self.folder = file.proto.graph.node, file.folder
        self.found, self.stored, self.opset = found, stored, opset
        self.values: dict[str, Value] = {}
        self.starts: frozenset[str] = frozenset()
        self.lengths: Stream | None = None  # of the sequences, where the file has no input for them

    def run(self, starts: Mapping[str, Stream]) -> None:
        """Every tensor that the outputs need, from the inputs by name."""
        self.starts = frozenset(starts)
        self.values.update(starts)
        for index in self.found.order:
            node, loc = self.nodes[index], self.found.places[index]
            try:
                results = self._results(node, loc)
            except LutraError as e:
                raise LutraError(e.what, e.at or loc, e.hint) from e
            except MemoryError as e:
                raise LutraError("there is not enough memory for its result", loc, "use a smaller model") from e
            self.values.update((n, v) for n, v in zip(node.output, results, strict=False) if n)

    def value(self, name: str) -> Value:
        """What a name stands for; LutraError for a result that its operator does not give here."""
        if name not in self.values and name in self.stored:
            at = f"initialiser {shown(name)}"
            tensor = self.stored[name]
            self.values[name] = Const(tensors.array(tensor, self.folder, at), stored=tensor.data_type)
        if name not in self.values:
            raise LutraError(f"the further result {shown(name)} of its operator is not supported",
                             hint="use the first result only")
        return self.values[name]

    def _results(self, node: Any, loc: str) -> tuple[Value, ...]:
        inputs = self._with_lengths(node, tuple(self.value(n) if n else None for n in node.input))
        call = Call(node.op_type, loc, inputs, self._attributes(node, loc), self.opset, len(node.output))
        constant = fold(call) if node.domain in STANDARD else None
        if constant is not None:
            return (constant,)
        handler = TABLES[node.domain][call.op]
        if (moved := elsewhere(call, handler)) is not None:
            return (moved,)
        if call.op in CONSTANT or any(isinstance(v, Stream) for v in inputs):
            result = handler(call)
        else:
            result = quantisers.on_constant(call, handler)
        return result if isinstance(result, tuple) else (result,)

    def _with_lengths(self, node: Any, inputs: tuple[Value | None, ...]) -> tuple[Value | None, ...]:
        """Of a recurrent layer without `sequence_lens`, the inputs with the network's own input for them."""
        x, known = inputs[0] if inputs else None, inputs[LENGTHS_AT : LENGTHS_AT + 1] not in ((), (None,))
        if node.domain not in STANDARD or node.op_type not in RECURRENT or known or not isinstance(x, Stream):
            return inputs
        if self.lengths is None:
            if LENGTHS in self.starts:
                raise LutraError(f"the model has an input {shown(LENGTHS)}, but not for its sequences' lengths",
                                 hint="rename it")
            start = Node(Input(LENGTHS, Tensor((1,), REAL)), (), f"input {shown(LENGTHS)}")
            self.lengths = Stream(start, x.batch, x.dynamic)
        filled = (*inputs, *(None,) * LENGTHS_AT)
        return (*filled[:LENGTHS_AT], self.lengths, *inputs[LENGTHS_AT + 1 :])

    def _attributes(self, node: Any, loc: str) -> dict[str, Any]:
        found = {a.name: _attribute(a, self.folder, loc) for a in node.attribute}
        for a in node.attribute:
            if a.type == TENSOR and node.op_type == "Constant":
                found["stored"] = a.t.data_type
        if node.op_type == "Constant" and "value" not in found:
            plain = [v for k, v in found.items() if k.startswith("value_")]
            if len(plain) != 1 or isinstance(plain[0], str):
                raise LutraError("a Constant without one number or tensor", loc, "export the model again")
            found["value"] = np.asarray(plain[0])
        return found


def _attribute(attribute: Any, folder: Path | None, loc: str) -> Any:
    """By AttributeProto's type."""
    match attribute.type:
        case 1:
            return float(attribute.f)
        case 2:
            return int(attribute.i)
        case 3:
            return attribute.s.decode("utf-8", "replace")
        case 4:  # TENSOR
            return tensors.array(attribute.t, folder, loc)
        case 6:
            return [float(v) for v in attribute.floats]
        case 7:
            return [int(v) for v in attribute.ints]
        case 8:
            return [s.decode("utf-8", "replace") for s in attribute.strings]
    raise LutraError(f"attribute {shown(attribute.name)} has a type that is not supported", loc, "export it again")
