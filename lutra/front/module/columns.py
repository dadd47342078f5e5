"""Data whose columns are before the batch inside of a network, as recurrent layers without `batch_first` have them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lutra.errors import LutraError
from lutra.front.batch import Moved, placed
from lutra.front.module.call import Aten, Translator

MOVING = ("aten::transpose", "aten::permute", "aten::select")  # say where the batch axis is then
# Each column by itself: the batch may as well be the first axis.
EACH = ("aten::linear", "aten::relu", "aten::alias", "aten::clone", "aten::contiguous", "aten::detach", "aten::dropout",
        "lutra::cast", "lutra::scaled", "lutra::binary", "lutra::ternary")
AT = 1  # where the batch is


def translated(key: str, a: Aten, translator: Translator) -> Any:
    """What an operator makes of its arguments, wherever their batch axis is.

    Raises LutraError: an operator that needs the batch first.
    """
    if key in MOVING or not any(isinstance(v, Moved) for value in a.args.values() for v in _parts(value)):
        return translator(a)
    if key in EACH and isinstance(a.first, Moved) and a.first.at == AT < len(a.first.shape) - 1:
        name = next(iter(a.args))
        found = translator(replace(a, args={**a.args, name: placed(a.first, 0)}))
        return placed(found, AT)
    raise LutraError(f"{a.name} reads data whose first axis is not the batch",
                     hint="transpose them back first: (batch, columns, inputs); or make the recurrent layer "
                          "batch_first=True")


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
