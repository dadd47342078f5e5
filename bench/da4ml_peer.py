"""A network of the integer graph as da4ml makes it: ported to its tracing API, pipelined, printed as its own Verilog.

The port is the straightforward one: matrices by its solver, a requantiser as an addition and its own `quantize`, which
saturates and rounds halves up, the only rounding to the nearest that it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import da4ml
import numpy as np
from da4ml.codegen.rtl.verilog import pipeline_logic_gen
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
from da4ml.trace.pipeline import to_pipeline

from lutra.ir import Array, Graph, Node
from lutra.ops.matmul.op import MatMul
from lutra.ops.rescale.op import Rescale

HARDWARE = HWConfig(1, -1, -1)  # the default of da4ml's own command line, as is the solver's delay constraint
OPTIONS = {"hard_dc": 2}
TOP = "network"


@dataclass(frozen=True)
class Peer:
    """A traced network: `comb` its operations, `pipe` the same cut into stages."""

    comb: Any
    pipe: Any

    @property
    def latency(self) -> int:
        """Cycles from an input's being there to its output's: a register before each stage, one behind the last."""
        return len(self.pipe.solutions) + 1

    def evaluate(self, frames: Array) -> Array:
        """Its results, by its own interpreter of the operations that are printed."""
        return np.asarray(self.comb.predict(frames.astype(np.float64))).astype(np.int64)

    def files(self) -> dict[str, str]:
        """Its Verilog, the library's modules first."""
        library = Path(da4ml.__file__).parent / "codegen" / "rtl" / "verilog" / "source"
        texts = {path.stem: path.read_text() for path in sorted(library.glob("*.v"))}
        texts |= pipeline_logic_gen(self.pipe, TOP)
        return {f"{name}.sv": text for name, text in texts.items()}


def ported(graph: Graph, levels: int) -> Peer:
    """A chain of matrix products and requantisers, a register every `levels` adders."""
    (start,), (end,) = graph.inputs, graph.outputs
    x = FixedVariableArrayInput(start.out.shape, hwconf=HARDWARE, solver_options=OPTIONS)
    y = x.quantize(1, start.out.range.bits - 1, 0) if start.out.range.signed else x.quantize(0, start.out.range.bits, 0)
    for node in _chain(start, end):
        y = _step(node, y)
    comb = comb_trace(x, y)
    return Peer(comb, to_pipeline(comb, levels, verbose=False))


def _chain(start: Node, end: Node) -> Sequence[Node]:
    found: list[Node] = []
    while end is not start:
        found.append(end)
        (end,) = end.args
    return found[::-1]


def _step(node: Node, x: Any) -> Any:
    match node.op:
        case MatMul(weights):
            return x @ weights.array.T.astype(np.float64)
        case Rescale(mul, add, shift, _, 0, hi) if (mul.array == 1).all() and (hi + 1).bit_count() == 1:
            scaled = (x + add.array.astype(np.float64)) * 2.0**-shift
            return scaled.quantize(0, hi.bit_length(), 0, overflow_mode="SAT", round_mode="RND")
    raise AssertionError(f"{node.op} is not in the port")
