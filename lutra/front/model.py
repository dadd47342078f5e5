"""What a model file says."""

from __future__ import annotations

from dataclasses import dataclass

from lutra.ir import Graph, Range


@dataclass(frozen=True)
class Port:
    """An input or output as the file declares it: its name and its ONNX shape, None for a dynamic batch axis."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Model:
    """A model file: its source graph, in double precision, and the facts around it.

    annotation: the integers that the file itself says it is fed (FINN's `quantization_annotation`), else None.
    sha256, size: of the file's bytes.
    """

    name: str
    graph: Graph
    input: Port
    outputs: tuple[Port, ...]
    annotation: Range | None
    sha256: str
    size: int

    @property
    def output(self) -> Port:
        """The first output."""
        return self.outputs[0]
