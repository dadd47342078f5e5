"""The report model: every figure that the page shows, as data. `build/report.json` is this, field for field."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 2  # raised when a field changes its meaning or goes


@dataclass(frozen=True)
class Resources:
    """Counts in the family's own units (see `Device.lut_kind`, `Device.bram_kind`); None where not known."""

    lut: float | None = None
    ff: float | None = None
    bram: float | None = None
    uram: float | None = None
    dsp: float | None = None


@dataclass(frozen=True)
class Model:
    """The file that was compiled."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Device:
    """What there is to use."""

    name: str
    family: str
    have: Resources
    lut_kind: str = "LUT6"
    bram_kind: str = "RAMB18"


@dataclass(frozen=True)
class Layer:
    """One hardware unit, after those that feed it. Shapes have no batch axis, channels last.

    `feeds` names what fills each of its inputs, "" being an input of the design; `in_shape`, `in_bits` and `in_range`
    are of the first. `share` is cycles over the interval. `weight_bits` and `weights` are 0 for a unit without
    constants; `memory_bits` is what its constants take. `stream_bits` is the width of the stream that leaves it,
    `stream_depth` the words that a FIFO holds (0: it is none). `shares` names the layer whose constants lie in the same
    memory, which the first of both counts ("": none's).
    """

    name: str
    operation: str
    source: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    in_bits: int
    out_bits: int
    in_range: str
    out_range: str
    weights: int
    weight_bits: int
    memory_bits: int
    pe: int
    simd: int
    cycles: int
    share: float
    stream_bits: int
    stream_depth: int
    estimated: Resources
    synthesised: Resources | None = None
    feeds: tuple[str, ...] = ("",)
    shares: str = ""


@dataclass(frozen=True)
class Window:
    """Weights of a layer that a host can write: bytes from `address` on, held in "lut", "block" or "ultra" memory,
    which is `blank`, without any, until it is written.
    """

    layer: str
    address: int
    bytes: int
    words: int
    word_bits: int
    place: str
    blank: bool


@dataclass(frozen=True)
class Throughput:
    """Cycles and what they come to at the clock. `measured_*` are from the RTL simulation, None where not run.

    `bandwidth_gbs` is what the units read of off-chip memory, of `available_gbs` that the device's gives in practice.
    `bottleneck` names the unit that sets the interval; `next_interval` is what would bound it were that unit free.
    `interleave` is how many sequences the interval is of. In `waiting` cycles of it a recurrent layer that sets it
    waits for its own last column; with `hiding` sequences in turn it would in none.
    """

    clock_mhz: float
    interval: int
    fps: float
    latency: int
    latency_us: float
    bottleneck: str
    next_bottleneck: str
    next_interval: int
    target: str = ""
    measured_interval: int | None = None
    measured_latency: int | None = None
    bandwidth_gbs: float = 0.0
    available_gbs: float = 0.0
    interleave: int = 1
    waiting: int = 0
    hiding: int = 0


@dataclass(frozen=True)
class Use:
    """Resources of the whole design by one way of knowing: "estimated", "synthesised" or "placed"."""

    how: str
    device: str
    used: Resources
    share: Resources  # of the device, 1.0 = all of it


@dataclass(frozen=True)
class Check:
    """Something that was compared for equality: `cases` of what `unit`, and how many differed."""

    what: str
    method: str
    cases: int
    unit: str
    differing: int = 0
    ties: int | None = None  # inputs at which single precision would have said otherwise

    @property
    def passed(self) -> bool:
        """Whether nothing differed."""
        return self.differing == 0


@dataclass(frozen=True)
class Host:
    """What stays outside the accelerator; `.run` includes it."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """After place and route."""

    device: str
    fmax_mhz: float
    met: bool
    bitstream: str = ""
    bitstream_bytes: int = 0
    critical_path: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything about one build."""

    lutra: str
    model: Model
    device: Device
    throughput: Throughput
    layers: tuple[Layer, ...]
    uses: tuple[Use, ...]
    checks: tuple[Check, ...] = ()
    host: Host = field(default_factory=Host)
    timing: Timing | None = None
    tools: dict[str, str] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    schema: int = SCHEMA

    def data(self) -> dict[str, Any]:
        """The facts as JSON has them: dicts, lists, strings and numbers."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def share_of(used: Resources, have: Resources) -> Resources:
    """Used over available, kind by kind; None where either is unknown or the device has none."""
    mine, all_ = asdict(used), asdict(have)
    return Resources(**{k: mine[k] / all_[k] if mine[k] is not None and all_[k] else None for k in mine})
