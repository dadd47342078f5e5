"""From a model file to a source graph: ONNX with QONNX's quantisers, ONNX's own, or operators on integers."""

from lutra.front.model import Model, Port
from lutra.front.onnx import load

__all__ = ["Model", "Port", "load"]
