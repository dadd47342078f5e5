"""PyTorch's operators on the network's data: which ONNX operators they equal."""

from __future__ import annotations

from collections.abc import Mapping

from lutra.front import torch_functions, torch_layers, torch_quant, torch_shapes
from lutra.front.torch_call import Translator

TRANSLATORS: Mapping[str, Translator] = {
    **torch_layers.TRANSLATORS, **torch_functions.TRANSLATORS, **torch_shapes.TRANSLATORS, **torch_quant.TRANSLATORS,
}
