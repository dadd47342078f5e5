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

    inputs: as the file declares them, but those on which no output depends. annotations: for each the integers that the
    file itself says it is fed (FINN's `quantization_annotation`, or an integer data type), else None.
    sha256, size: of the file's bytes.
    """

    name: str
    graph: Graph
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    annotations: tuple[Range | None, ...]
    sha256: str
    size: int

    @property
    def input(self) -> Port:
        """The first input."""
        return self.inputs[0]

    @property
    def annotation(self) -> Range | None:
        """The first input's."""
        return self.annotations[0]

    @property
    def output(self) -> Port:
        """The first output."""
        return self.outputs[0]
