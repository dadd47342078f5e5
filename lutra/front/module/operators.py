"""PyTorch's operators on the network's data: which ONNX operators they equal."""

from __future__ import annotations

from collections.abc import Mapping

from lutra.front.module import functions, layers, quant, recurrent, shapes
from lutra.front.module.call import Translator

TRANSLATORS: Mapping[str, Translator] = {
    **layers.TRANSLATORS, **functions.TRANSLATORS, **shapes.TRANSLATORS, **quant.TRANSLATORS,
    **recurrent.TRANSLATORS,
}
