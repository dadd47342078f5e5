"""The widths that were chosen, as a small JSON that a person reads, edits, and hands back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.quant.precrop.sizes import Sizes

VERSION = 1


@dataclass(frozen=True)
class Count:
    """Of the network as it is, and with the widths chosen."""

    before: int
    after: int

    @property
    def share(self) -> float:
        """What remains."""
        return self.after / self.before


@dataclass(frozen=True)
class Row:
    """One convolution or linear layer: its path, channels out before and after, the share of its weights that its score
    asks for (None: no score was asked), and the share that it gets.
    """

    path: str
    before: int
    after: int
    density: float | None
    realised: float


@dataclass(frozen=True)
class WidthPlan:
    """Widths for a network.

    Its fields:
        method: how densities were found; "given" if widths were.
        rows: of each layer, in the order of their first call.
        groups: paths of layers that write into one stream and so have one width, where there are several.
        held: why layers that keep their width do, by path.
        parameters: of the network; operations: multiply-accumulates of one frame.
    """

    method: str
    rows: tuple[Row, ...]
    groups: tuple[tuple[str, ...], ...]
    held: Mapping[str, str]
    parameters: Count
    operations: Count

    @property
    def widths(self) -> dict[str, int]:
        """Channels out by path; what `narrowed` takes."""
        return {row.path: row.after for row in self.rows}

    def data(self) -> dict[str, Any]:
        """For JSON. What is read back of it is `widths` alone; all else follows from them."""
        return {"version": VERSION, "method": self.method, "widths": self.widths, "parameters": asdict(self.parameters),
                "operations": asdict(self.operations), "groups": self.groups, "held": self.held,
                "layers": [asdict(row) for row in self.rows]}

    def text(self) -> str:
        """The JSON."""
        return json.dumps(self.data(), indent=1) + "\n"


def plan(found: Sizes, widths: Sequence[int], method: str, densities: Mapping[str, float] | None = None) -> WidthPlan:
    """The plan of these widths of groups."""
    now, groups = found.now, found.streams.groups
    rows = tuple(Row(path, layer.c_out, layer.wide(widths)[1], densities[path] if densities else None,
                     layer.weights(widths) / layer.weight) for path, layer in found.products.items())
    return WidthPlan(method, rows, tuple(found.streams.ties()),
                     {path: g.held for g in groups if g.held for path in g.writers},
                     Count(found.parameters(now), found.parameters(widths)),
                     Count(found.operations(now), found.operations(widths)))


def read(path: Path) -> dict[str, int]:
    """Widths by layer from the JSON of a plan, perhaps edited, or from one that holds nothing else.

    Raises LutraError: no such file, or not of this form.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise LutraError(f"cannot read it: {e.strerror}", str(path)) from e
    except ValueError as e:
        raise LutraError(f"it is not JSON: {e}", str(path)) from e
    widths = data.get("widths", data) if isinstance(data, dict) else None
    if not isinstance(widths, dict) or not all(type(w) is int for w in widths.values()):
        raise LutraError("it has no widths", str(path), 'it holds {"widths": {"conv1": 8}}, whole numbers by layer')
    return widths
