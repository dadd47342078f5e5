"""Casts of an ONNX graph as QONNX's quantisers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lutra.errors import LutraError

if TYPE_CHECKING:
    import onnx

DOMAIN = "lutra"  # of casts before they are replaced
QONNX = "qonnx.custom_op.general"
MODES = {  # rounding of ap_fixed -> what is added before, in units of the last place, and QONNX's mode
    "TRN": (0.0, "FLOOR"), "TRN_ZERO": (0.0, "DOWN"), "RND": (0.5, "FLOOR"), "RND_MIN_INF": (-0.5, "CEIL"),
    "RND_CONV": (0.0, "ROUND"), "RND_INF": (0.0, "HALF_UP"), "RND_ZERO": (0.0, "HALF_DOWN"),
}
SATURATING = ("SAT", "SAT_SYM")
FURTHEST = 100  # binary points from the unit: lutra::cast reads none beyond
MOVED = "_before_rounding"
Array = npt.NDArray[Any]


def with_quantisers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a Quant or BipolarQuant node for each cast; LutraError for one that QONNX has no word for."""
    from onnx import helper, numpy_helper

    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    constants = [n for n in model.graph.node if n.op_type == "Constant"]
    stored |= {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in constants}
    maker = _Maker(stored)
    nodes = [new for node in model.graph.node for new in (maker.nodes(node) if node.domain == DOMAIN else [node])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    known = {v.name: v for v in [*model.graph.value_info, *model.graph.output]}  # a cast may be an output
    for moved in (n for n in nodes if n.output[0].endswith(MOVED)):
        info = model.graph.value_info.add()
        info.CopyFrom(known[moved.output[0].removesuffix(MOVED)])
        info.name = moved.output[0]
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in maker.made.items())
    kept = [o for o in model.opset_import if o.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend([*kept, helper.make_opsetid(QONNX, 1)])
    return model


class _Maker:
    """Makes quantisers, and the constants that they read."""

    def __init__(self, stored: dict[str, Array]) -> None:
        self.stored = stored
        self.made: dict[str, Array] = {}

    def nodes(self, node: Any) -> Iterator[Any]:
        """What stands for a cast."""
        from onnx import helper

        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        match node.op_type:
            case "Cast":
                yield from self._cast(node, given)
            case "Scaled":
                bits, signed, narrow = _form(given["lo"], given["hi"])
                yield self._quant(node, node.input[0], self._scale(node), bits, signed, narrow, "ROUND")
            case _:
                scale = self._constant(node, "scale", self._scale(node))
                yield helper.make_node("BipolarQuant", [node.input[0], scale], list(node.output), name=node.name,
                                       domain=QONNX)

    def _cast(self, node: Any, given: dict[str, Any]) -> Iterator[Any]:
        from onnx import helper

        rounding, overflow = given["rounding"].decode(), given["overflow"].decode()
        source, fits = node.input[0], node.input[0] in self.stored  # a constant has been cast already
        if overflow not in SATURATING and not fits:
            raise LutraError(f"QONNX has no quantiser with overflow {overflow}", node.output[0], "use SAT or SAT_SYM")
        points = np.clip(np.floor(self.stored[node.input[1]].astype(np.float64) + 0.5), -FURTHEST, FURTHEST)
        scale = np.ldexp(1.0, -points.astype(np.int64))
        before, mode = MODES[rounding]
        if before and not fits:
            half = self._constant(node, "half", before * scale)
            yield helper.make_node("Add", [source, half], [node.output[0] + MOVED], name=node.name + MOVED)
            source = node.output[0] + MOVED
        narrow = overflow == "SAT_SYM" and bool(given["signed"])
        yield self._quant(node, source, scale, given["width"], bool(given["signed"]), narrow, mode)

    def _quant(self, node: Any, source: str, scale: Array, bits: int, signed: bool, narrow: bool, mode: str) -> Any:
        from onnx import helper

        inputs = [source, self._constant(node, "scale", scale), self._constant(node, "zero", np.zeros(())),
                  self._constant(node, "bits", np.array(float(bits)))]
        return helper.make_node("Quant", inputs, list(node.output), name=node.name, domain=QONNX, signed=int(signed),
                                narrow=int(narrow), rounding_mode=mode)

    def _scale(self, node: Any) -> Array:
        return self.stored[node.input[1]].astype(np.float64)

    def _constant(self, node: Any, what: str, value: Array) -> str:
        name = f"{node.output[0]}_{what}"
        self.made[name] = np.asarray(value, np.float32)
        return name


def _form(lo: int, hi: int) -> tuple[int, bool, bool]:
    """Bits, sign and narrowness of integers from lo to hi."""
    for bits, signed, narrow in product(range(1, 25), (False, True), (False, True)):
        half = 1 << (bits - 1)
        ends = (narrow - half, half - 1) if signed else (0, 2 * half - 1 - narrow)
        if ends == (lo, hi):
            return bits, signed, narrow
    raise LutraError(f"levels from {lo} to {hi} are not those of a number of bits", hint="use -8 to 7, or 0 to 15")
