"""Torch modules, by torch.export: nodes of ATen become calls of the importers of equal ONNX operators."""

from lutra.front.module.walk import load

__all__ = ["load"]
