"""From a model to a source graph: ONNX with QONNX's quantisers, ONNX's own, or operators on integers; torch modules."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from lutra.errors import LutraError
from lutra.front.model import Model, Port

if TYPE_CHECKING:
    import onnx
    from torch import nn

    Source = str | os.PathLike[str] | bytes | onnx.ModelProto | nn.Module

__all__ = ["Model", "Port", "Source", "load"]


def load(source: Source, example: Any = None) -> Model:
    """Read a model: an ONNX file (its path or bytes, a ModelProto), or a torch module with an example of its input."""
    torch = sys.modules.get("torch")  # who has a module has imported it
    if torch is not None and isinstance(source, torch.nn.Module):
        from lutra.front.module import load as from_module

        if example is None:
            raise LutraError("there is no example of the network's input", "example",
                             "give one: lutra.compile(net, torch.zeros(1, 3, 32, 32))")
        return from_module(source, example)
    if example is not None:
        raise LutraError("an example is given for a model file, whose inputs' shapes are known", "example",
                         "leave it out; the device is given by name: device=...")
    from lutra.front.onnx import load as from_file

    file: Any = source
    return from_file(file)
