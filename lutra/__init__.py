"""From a quantised neural network to a verified FPGA accelerator.

>>> import lutra
>>> acc = lutra.compile("model.onnx", device="ecp5-85k", fps=100_000)        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutra.errors import LutraError

if TYPE_CHECKING:
    from lutra.accelerator import Accelerator
    from lutra.build import compile, load
    from lutra.explanation import explain

__all__ = ["Accelerator", "LutraError", "__version__", "compile", "explain", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # loaded when first asked for: `import lutra` itself stays light
    if name in ("compile", "load"):
        from lutra import build

        return getattr(build, name)
    if name == "explain":
        from lutra.explanation import explain

        return explain
    if name == "Accelerator":
        from lutra.accelerator import Accelerator

        return Accelerator
    raise AttributeError(f"module 'lutra' has no attribute {name!r}")
