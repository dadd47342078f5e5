"""ResNet-20 for CIFAR-10, quantised to 8 bits by ONNX Runtime and compiled as it is: accuracy, agreement, RTL.

    python bench/resnet20.py                 # all of it
    python bench/resnet20.py --images 0      # without the RTL

The peer is ONNX Runtime itself on the same file. It computes in single precision, so its integers may differ from the
model's own operations in double precision where a quotient lies next to a tie; every difference of a layer, given that
layer's own inputs, is looked at.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from shared import REPO, Array, Board, parser

import lutra
from lutra.front import load
from lutra.ir import Graph, Node
from lutra.ops.source import QuantizeLinear

sys.path.insert(0, str(REPO / "examples"))
import resnet20_qdq as example

NEAR = 1e-4  # of a step: single precision of a sum of some hundred products, far below what a fault would be
LOOKED_AT = 100  # images whose layers are compared one by one


def session(model: onnx.ModelProto, plain: bool) -> onnxruntime.InferenceSession:
    """The peer; `plain`: without its fusions, each operator as it is written."""
    options = onnxruntime.SessionOptions()
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def logits(model: onnx.ModelProto, x: Array) -> Array:
    """The peer's results."""
    run = session(model, plain=False)
    return np.concatenate([run.run(None, {"pixels": x[i : i + 500].astype(np.float32)})[0]
                           for i in range(0, len(x), 500)])


def explained(model: onnx.ModelProto, graph: Graph, x: Array, board: Board) -> None:
    """Each quantised tensor of the peer against the operators before it, applied in double precision to the peer's own
    integers: where they differ, how far the number before rounding is from a tie.
    """
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    names = {n.name: n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    seen.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names.values())
    outputs = [o.name for o in seen.graph.output]
    found = dict(zip(outputs, session(seen, plain=True).run(outputs, {"pixels": x.astype(np.float32)}), strict=True))
    values: dict[Node, Array] = {graph.inputs[0]: x.astype(np.float64)}
    elements, differing, far = 0, 0, 0.0
    for node in graph.nodes[1:]:
        before = [values[a] for a in node.args]
        values[node] = node.op.evaluate(*before)
        name = node.loc.split("'")[1] if "'" in node.loc else ""
        if isinstance(node.op, QuantizeLinear) and name in names:
            theirs = found[names[name]].astype(np.float64)
            steps = before[0] / node.op.scale.array
            off = np.abs(np.abs(steps - np.floor(steps)) - 0.5)[values[node] != theirs]
            elements, differing, far = elements + theirs.size, differing + off.size, max(far, off.max(initial=0.0))
            values[node] = theirs
    board.show("integers of all layers compared", elements)
    board.show("of these different in single precision", differing)
    board.bar("farthest of these from a tie", far, "of a step", most=NEAR)


def main() -> None:
    """Quantise, compile, compare."""
    made = parser(__doc__)
    made.add_argument("--images", type=int, default=10, help="through the RTL")
    made.add_argument("--fps", type=float, default=1000, help="frames a second to plan for")
    args = made.parse_args()
    board = Board()
    checkpoint = args.data / "models" / "resnet_cifar10" / "resnet20-12fca82f.th"
    images, _ = example.cifar(args.data / "cifar10", "train_1", 500)
    model = example.quantised(example.float_model(checkpoint), images)
    x, labels = example.cifar(args.data / "cifar10", "test")
    begin = time.perf_counter()
    acc = lutra.compile(model, "xcu280", fps=args.fps, cache=args.cache, **example.SPAN)
    board.show("compiled", time.perf_counter() - begin, "s")
    ours, theirs = acc.run(x).argmax(1), logits(model, x).argmax(1)
    board.bar("same label as ONNX Runtime", float((ours == theirs).mean() * 100), "%", least=99.5)
    right, peer = float((ours == labels).mean() * 100), float((theirs == labels).mean() * 100)
    board.show("accuracy, ONNX Runtime", peer, "%")
    board.bar("accuracy, integers", right, "%", least=peer - 0.2)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "resnet20.onnx"
        onnx.save(model, path)
        explained(model, load(path).graph, x[:LOOKED_AT], board)
    same = (acc.run(x[:LOOKED_AT]) == acc.reference(x[:LOOKED_AT])).all()
    board.bar(f"{LOOKED_AT} images: integers equal double precision", float(same), least=1)
    if args.images:
        begin = time.perf_counter()
        board.show(f"{args.images} images through the RTL, all equal", acc.verify(x[: args.images]), "integers")
        board.show("simulated in", time.perf_counter() - begin, "s")
    board.end()


if __name__ == "__main__":
    main()
