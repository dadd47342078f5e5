"""Runs a design on its board: frames of integers in, integers out.

    from driver import Accelerator
    net = Accelerator.open()                 # loads the bitstream; the folder of this file
    y = net.run(x)                           # (N, *input shape) integers -> (N, *output shape) integers
    net.real(y)                              # what they are worth to the model

A build folder has this file as driver/driver.py, with words.py, format.json and arrays.npz beside it. It needs Python
3.10, NumPy, and on the board either PYNQ (3.0 or later) or the vendor's kernel driver for DMA over PCIe (xdma).
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lutra.hw.words import from_words, to_words

Array = npt.NDArray[Any]
GO, FRAMES, ID, BASES = 0, 4, 8, 16  # bytes: registers of the port for the host
HOST, WEIGHTS = "s_axi_host", "s_axi"  # the ports that are written
LONGEST = (1 << 26) - 64  # bytes of a transfer, at most
FEW = 1 << 20  # bytes of a transfer that are enough to be efficient


class Transport(Protocol):
    """How a host reaches a board."""

    def write(self, port: str, offset: int, value: int) -> None:
        """Write 32 bits at a byte offset of one of the ports HOST and WEIGHTS."""

    def read(self, port: str, offset: int) -> int:
        """Read 32 bits."""

    def place(self, image: bytes) -> int:
        """Keep bytes in the board's memory; their address, a multiple of 4096."""

    def transfer(self, sent: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """Send bytes to each input, and receive so many of each output."""


@dataclass(frozen=True)
class Stream:
    """A stream's frame: `words` of `lanes` integers of `bits`, each word `padded` bytes; the values are lo, lo + step,
    ..., hi. order: for an input the place in the stream of each element of the model's tensor; for an output the place
    in the stream that each element of the model's tensor is at. shape: of the model's tensor.

    A stream of sequences has up to `columns` columns, as many as the integer of input `of` says; behind them stands
    `blank`. ragged: only those columns travel; else all do, and those behind the end may be anything.
    """

    bits: int
    lanes: int
    words: int
    padded: int
    lo: int
    hi: int
    step: int
    shape: tuple[int, ...]
    order: Array
    columns: int = 0
    of: int = 0
    ragged: bool = False
    blank: int = 0

    @property
    def size(self) -> int:
        """Bytes of a frame, or of the longest."""
        return self.words * self.padded

    def to_words(self, values: Array) -> Array:
        """Frames of integers (N, *shape) as words of bytes, (N, words, padded). ValueError for what is none."""
        values = np.asarray(values)
        if values.shape[1:] != self.shape or values.dtype.kind not in "iub":
            raise ValueError(f"frames of {values.dtype} {values.shape[1:]} where integers {self.shape} are fed")
        values = values.astype(np.int64)
        wrong = (values < self.lo) | (values > self.hi) | ((values - self.lo) % self.step != 0)
        if wrong.any():
            raise ValueError(f"the integer {values[wrong][0]} is outside {self.lo}..{self.hi} in steps of {self.step}")
        flat = np.empty((len(values), self.order.size), np.int64)
        flat[:, self.order] = values.reshape(flat.shape)
        codes = (flat - self.lo) // self.step if self.step > 1 else flat & ((1 << self.bits) - 1)
        words = to_words(codes.reshape(-1, self.lanes), self.bits)
        padded = np.pad(words, ((0, 0), (0, self.padded - words.shape[1])))
        return padded.reshape(len(values), self.words, self.padded)

    def from_bytes(self, raw: Array, known: Array) -> Array:
        """The frames of integers in the stream's own order, (N, elements), int64, that bytes hold. known: (N, words),
        which words of a frame are certain.
        """
        words = np.ascontiguousarray(raw).view(np.uint8).reshape(-1, self.padded)
        used = (self.lanes * self.bits + 7) // 8
        values = self._values(from_words(np.ascontiguousarray(words[:, :used]), self.lanes, self.bits))
        if self.columns:
            found = np.full((*known.shape, self.lanes), self.blank, np.int64)
            found[known] = values if self.ragged else values.reshape(found.shape)[known]
            values = found
        return values.reshape(len(known), self.words * self.lanes)

    def _values(self, codes: Array) -> Array:
        if self.step > 1:
            return codes * self.step + self.lo
        half = 1 << (self.bits - 1) if self.lo < 0 else 0
        return (codes ^ half) - half

    def known(self, given: Sequence[Array]) -> Array:
        """Which words of each frame stand before its end, (N, words). given: integers for each input of the design."""
        if not self.columns:
            return np.ones((len(given[0]), self.words), bool)
        ends = np.asarray(given[self.of]).reshape(-1, 1) * (self.words // self.columns)
        before: Array = np.arange(self.words) < ends
        return before


@dataclass(frozen=True)
class Accelerator:
    """A design on a board. For several inputs frames are a tuple; for several outputs the results are."""

    facts: dict[str, Any]
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    worth: tuple[tuple[Array, Array], ...]  # scale and offset of each output
    transport: Transport

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None, transport: Transport | None = None) -> Accelerator:
        """Load the bitstream (over PCIe it must be there) and start the design anew. folder: the driver's, by default
        that of this file.
        """
        place = Path(__file__).resolve().parent if folder is None else Path(folder)
        facts = json.loads((place / "format.json").read_text(encoding="utf-8"))
        with np.load(place / "arrays.npz", allow_pickle=False) as arrays:
            streams = {way: tuple(Stream(**{**row, "shape": tuple(row["shape"])}, order=arrays[f"{way}{k}"])
                                  for k, row in enumerate(facts[f"{way}s"])) for way in ("input", "output")}
            worth = tuple((arrays[f"scale{k}"], arrays[f"offset{k}"]) for k in range(len(facts["outputs"])))
        transport = transport or (Pcie(facts) if facts["kind"] == "pcie" else Pynq(place, facts))
        made = cls(facts, streams["input"], streams["output"], worth, transport)
        made._start(place)
        return made

    def _start(self, folder: Path) -> None:
        """Frames under way are lost. Memory and what wakes up with nothing are filled from the folder's weights.bin and
        writes.bin.
        """
        found = self.transport.read(HOST, ID)
        if found != self.facts["id"]:
            raise RuntimeError(f"the board runs design {found:08x}, this driver is for {self.facts['id']:08x}")
        self.transport.write(HOST, GO, 0)
        if self.facts["regions"]:
            base = self.transport.place((folder / "weights.bin").read_bytes())
            for k, offset in enumerate(self.facts["regions"]):
                self.transport.write(HOST, BASES + 8 * k, (base + offset) & 0xFFFFFFFF)
                self.transport.write(HOST, BASES + 8 * k + 4, (base + offset) >> 32)
        self.transport.write(HOST, GO, 1)
        if (folder / "writes.bin").is_file():
            self.write(np.fromfile(folder / "writes.bin", "<u4").reshape(-1, 2))

    def write(self, pairs: Array) -> None:
        """Other weights: rows of address and value, as `writes` of the compiled accelerator gives them."""
        for address, value in pairs.tolist():
            self.transport.write(WEIGHTS, address, value)

    def run(self, x: Any) -> Any:
        """Frames of integers through the board; the integers of each output in the model's layout, int64."""
        given = x if isinstance(x, tuple) else (x,)
        frames = [s.to_words(v) for s, v in zip(self.inputs, given, strict=True)]
        if len({len(f) for f in frames}) != 1 or not len(frames[0]):
            raise ValueError(f"{', '.join(str(len(f)) for f in frames)} frames: give as many for each input, and some")
        count = len(frames[0])
        if lacking := -count % self.facts["group"]:  # whole groups of sequences, the last ones of one column
            more = [np.full((lacking, *s.shape), s.lo) for s in self.inputs]
            given = tuple(np.concatenate([v, m]) for v, m in zip(given, more, strict=True))
            frames = [np.concatenate([f, s.to_words(m)]) for f, s, m in zip(frames, self.inputs, more, strict=True)]
        parts = [slice(at, at + self.batch) for at in range(0, len(frames[0]), self.batch)]
        found = [self._batch([f[part] for f in frames], [v[part] for v in given]) for part in parts]
        ys = tuple(np.concatenate(y)[:count, s.order].reshape(-1, *s.shape)
                   for y, s in zip(zip(*found, strict=True), self.outputs, strict=True))
        return ys[0] if len(ys) == 1 else ys

    @property
    def batch(self) -> int:
        """Frames of one transfer."""
        largest = max(stream.size for stream in (*self.inputs, *self.outputs))
        group: int = self.facts["group"]
        return max(1, min(LONGEST, FEW) // (group * largest)) * group

    def real(self, y: Any) -> Any:
        """What results are worth to the model. RuntimeError where the host has more to do: `lutra.load` can."""
        if self.facts["left"]:
            raise RuntimeError(f"the model ends with {', '.join(self.facts['left'])}: that is not in this driver; "
                               "use lutra.load(folder).from_board(y)")
        given = y if isinstance(y, tuple) else (y,)
        values = tuple(v * scale + offset for v, (scale, offset) in zip(given, self.worth, strict=True))
        return values[0] if len(values) == 1 else values

    def _batch(self, frames: Sequence[Array], given: Sequence[Array]) -> list[Array]:
        """Words of each input through the board in one transfer; the integers of each output in its own order."""
        self.transport.write(HOST, FRAMES, len(frames[0]) // self.facts["counted"])
        sent = [(f[s.known(given)] if s.ragged else f).reshape(-1) for s, f in zip(self.inputs, frames, strict=True)]
        known = [s.known(given) for s in self.outputs]
        sizes = [int(k.sum() if s.ragged else k.size) * s.padded for s, k in zip(self.outputs, known, strict=True)]
        found = self.transport.transfer(sent, sizes)
        return [s.from_bytes(raw, k) for s, raw, k in zip(self.outputs, found, known, strict=True)]


class Pynq:
    """PYNQ: the overlay, its DMA engines, memory that both sides see."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        import pynq

        self._pynq = pynq
        overlay = pynq.Overlay(str(folder / "lutra.bit"))
        self._ports = {name: pynq.MMIO(*place) for name, place in facts["addresses"].items()}
        count = max(len(facts["inputs"]), len(facts["outputs"]))
        self._engines = [getattr(overlay, f"engine{k}") for k in range(count)]
        self._kept: list[Any] = []

    def write(self, port: str, offset: int, value: int) -> None:
        """Over the processor's bus."""
        self._ports[port].write(offset, value)

    def read(self, port: str, offset: int) -> int:
        """Over the processor's bus."""
        return int(self._ports[port].read(offset))

    def place(self, image: bytes) -> int:
        """In memory that the kernel keeps contiguous."""
        self._kept = [self._filled(np.frombuffer(image, np.uint8))]
        return int(self._kept[0].physical_address)

    def transfer(self, sent: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """By the engines; receivers start first."""
        outgoing = [self._filled(raw) for raw in sent]
        incoming = [self._pynq.allocate((size,), np.uint8) for size in sizes]
        ways = [(engine.recvchannel, b) for engine, b in zip(self._engines, incoming, strict=False)]
        ways += [(engine.sendchannel, b) for engine, b in zip(self._engines, outgoing, strict=False)]
        for channel, buffer in ways:
            channel.transfer(buffer)
        for channel, _ in reversed(ways):
            channel.wait()
        found = [np.array(buffer) for buffer in incoming]
        for buffer in (*outgoing, *incoming):
            buffer.freebuffer()
        return found

    def _filled(self, raw: Array) -> Any:
        buffer = self._pynq.allocate(raw.shape, np.uint8)
        buffer[:] = raw
        buffer.flush()
        return buffer


class Pcie:
    """The vendor's kernel driver: a file for each stream, and one that is mapped for control."""

    def __init__(self, facts: dict[str, Any], device: str = "/dev/xdma0") -> None:
        self._places = {name: place for name, (place, _) in facts["addresses"].items()}
        self._device = device
        file = os.open(f"{device}_user", os.O_RDWR)
        try:
            size = max(place + size for place, size in facts["addresses"].values())
            self._words = memoryview(mmap.mmap(file, size)).cast("I")
        finally:
            os.close(file)

    def write(self, port: str, offset: int, value: int) -> None:
        """Through the mapped window."""
        self._words[(self._places[port] + offset) // 4] = value

    def read(self, port: str, offset: int) -> int:
        """Through the mapped window."""
        return int(self._words[(self._places[port] + offset) // 4])

    def place(self, image: bytes) -> int:
        """The card's memory is not connected."""
        raise RuntimeError(f"{len(image)} bytes of weights are to lie in the card's memory, which is not connected")

    def transfer(self, sent: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """All streams at once, each in a thread."""
        with ThreadPoolExecutor(len(sent) + len(sizes)) as pool:
            given = [pool.submit(self._send, k, raw) for k, raw in enumerate(sent)]
            taken = [pool.submit(self._receive, k, size) for k, size in enumerate(sizes)]
            for job in given:
                job.result()
            return [job.result() for job in taken]

    def _send(self, k: int, raw: Array) -> None:
        file = os.open(f"{self._device}_h2c_{k}", os.O_WRONLY)
        try:
            view = memoryview(raw.tobytes())
            while len(view):
                view = view[os.write(file, view) :]
        finally:
            os.close(file)

    def _receive(self, k: int, size: int) -> Array:
        file = os.open(f"{self._device}_c2h_{k}", os.O_RDONLY)
        try:
            parts, left = [], size
            while left:
                parts.append(os.read(file, left))
                left -= len(parts[-1])
                if not parts[-1]:
                    raise RuntimeError(f"stream {k} ended {left} bytes early")
            return np.frombuffer(b"".join(parts), np.uint8)
        finally:
            os.close(file)
