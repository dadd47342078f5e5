"""The operators. `units()` finds every hardware operator in this folder; nothing is registered on import."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from lutra.ops.base import Cost, Fold, Hardware, Join, Loop, Unit

__all__ = ["Cost", "Fold", "Hardware", "Join", "Loop", "Unit", "units"]


@cache
def units() -> tuple[type[Hardware], ...]:
    """All hardware operators, by name: the set that the contract suite, the text form and the documentation take."""
    found: dict[str, type[Hardware]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg and module.name != "source":
            op = importlib.import_module(f"{__name__}.{module.name}.op")
            for _, cls in inspect.getmembers(op, inspect.isclass):
                if issubclass(cls, Hardware) and cls.__module__ == op.__name__:
                    assert cls.__name__ not in found, cls.__name__
                    found[cls.__name__] = cls
    return tuple(found[k] for k in sorted(found))
