"""C simulation: a netlist's HLS form, compiled and run on words, frame by frame."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lutra.hw.axi import places
from lutra.hw.cpp import array, given_memory, separate, sources
from lutra.hw.forms import SHARED, SIMULATED, library
from lutra.hw.netlist import Memory, Netlist
from lutra.hw.verilog import word_bytes
from lutra.ir import Array
from lutra.tools.cache import Cache, writing
from lutra.tools.find import Tool, ap_types, compiler
from lutra.tools.run import parallel

HARNESS = Path(__file__).with_name("csim.hpp")
HEADERS = (  # what the ap_types headers need, whose constructors read what they clear
    "-Wno-unknown-warning-option", "-Wno-uninitialized", "-Wno-maybe-uninitialized",
    "-D__AP_INT_SPECIAL_H__", "-D__AP_FIXED_SPECIAL_H__")  # they declare std::complex anew, which libc++ does not allow
FLAGS = ("-std=c++14", "-Wall", "-Wextra", "-Wno-unknown-pragmas", *HEADERS)
PREFIX = "prefix.hpp"  # what all sources begin with, compiled once where the compiler can
LIMIT_S = 3600  # of one compiler call


@dataclass(frozen=True)
class CModel:
    """One or more designs in one program. `fast`: compiled for a long run, else in less time. `plain`: words are read
    as a vendor's compiler reads them, not by their limbs, which is faster. `strict`: a warning from our files is an
    error.
    """

    netlists: tuple[Netlist, ...]
    cache: Cache
    fast: bool = True
    strict: bool = False
    plain: bool = False

    @classmethod
    def build(cls, netlist: Netlist, cache: Cache) -> CModel:
        """Compile, or find it in the cache. LutraError for an operator without HLS form, or without a compiler."""
        return cls.build_many((netlist,), cache)

    @classmethod
    def build_many(
        cls, netlists: Sequence[Netlist], cache: Cache, fast: bool = True, strict: bool = False, plain: bool = False
    ) -> CModel:
        """Several designs in one program."""
        model = cls(separate(netlists) if len(netlists) > 1 else tuple(netlists), cache, fast, strict, plain)
        model._program()
        return model

    def run(self, words: Array | tuple[Array, ...]) -> tuple[Array, ...]:
        """Whole frames of input words (n, bytes) through the single design: the words (m, bytes) of each output."""
        (result,) = self.run_many((words,))
        return result

    def run_many(self, words: Sequence[Array | tuple[Array, ...]]) -> tuple[tuple[Array, ...], ...]:
        """Each design with its own words. LutraError where a unit reads an empty stream, or leaves words in one."""
        given = [w if isinstance(w, tuple) else (w,) for w in words]
        counts = [_frames(n, w) for n, w in zip(self.netlists, given, strict=True)]
        parts = [part for count, w in zip(counts, given, strict=True)
                 for part in (np.uint64(count).tobytes(), *(x.tobytes() for x in w))]
        with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="lutra-") as folder:
            place = Path(folder)
            (place / "job").write_bytes(b"".join(parts))
            self._program()(place / "job", place / "result", timeout_s=LIMIT_S)
            data = (place / "result").read_bytes()
        return _received(self.netlists, counts, data)

    def _program(self) -> Tool:
        flags = [*FLAGS, "-O2" if self.fast else "-O0", *([] if self.plain else ["-DLUTRA_CSIM"]),
                 *(["-Werror"] if self.strict else [])]
        return _compiled(self.netlists, self.cache, flags)


def _frames(netlist: Netlist, words: tuple[Array, ...]) -> int:
    counts = set()
    for end, given in zip(netlist.inputs, words, strict=True):
        width = word_bytes(netlist.width(end.stream))
        assert given.dtype == np.uint8 and given.shape[1:] == (width,), (given.dtype, given.shape, width)
        assert len(given) % end.words == 0, (len(given), end)
        counts.add(len(given) // end.words)
    (count,) = counts
    return count


def _received(netlists: Sequence[Netlist], counts: Sequence[int], data: bytes) -> tuple[tuple[Array, ...], ...]:
    """The words of each output of each design."""
    at = 0
    found = []
    for netlist, count in zip(netlists, counts, strict=True):
        ends = []
        for end in netlist.outputs:
            width = word_bytes(netlist.width(end.stream))
            ends.append(np.frombuffer(data, np.uint8, count * end.words * width, at).reshape(-1, width))
            at += ends[-1].nbytes
        found.append(tuple(ends))
    assert at == len(data), (at, len(data))
    return tuple(found)


def _compiled(netlists: Sequence[Netlist], cache: Cache, flags: list[str]) -> Tool:
    """The program of these designs, weights and all."""
    files = {name: text for n in netlists for name, text in sources(n).items()} | {"main.cpp": _main(netlists)}
    own = [p.read_text() for p in (HARNESS, *sorted(SIMULATED.glob("*.h")), SHARED / "lutra_hls.hpp")]
    identity = [compiler().name, compiler().version, str(ap_types()), *flags, *own]

    def make(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        _compile(folder, [f"{n.name}.cpp" for n in netlists], flags, _prefix(cache, flags, identity))

    binary = cache.folder(["csim", *files, *files.values(), *identity], make) / "program"
    return Tool("C simulation", (str(binary),), "", binary)


def _prefix(cache: Cache, flags: list[str], identity: list[str]) -> Path:
    """The folder of what all sources begin with; g++ has it compiled."""
    def make(folder: Path) -> None:
        (folder / PREFIX).write_text('#include "lutra_hls.hpp"\n')
        if compiler().name == "g++":
            compiler()(*flags, *_include(), "-x", "c++-header", PREFIX, cwd=folder, timeout_s=LIMIT_S)

    return cache.folder(["csim prefix", *identity], make) / PREFIX


def _compile(folder: Path, tops: list[str], flags: list[str], prefix: Path) -> None:
    """As many units as there are cores, as designs of a unit share their templates; then link."""
    cores = os.cpu_count() or 1
    units = [unit for k in range(cores) if (unit := tops[k::cores])] + [["main.cpp"]]
    for k, unit in enumerate(units):
        (folder / f"unit{k}.cpp").write_text("".join(f'#include "{name}"\n' for name in unit))

    def one(k: int) -> str:
        return compiler()(*flags, "-include", prefix, *_include(), f"-I{folder}", "-c", f"unit{k}.cpp", "-o",
                          f"unit{k}.o", cwd=folder, timeout_s=LIMIT_S)

    for _ in parallel([partial(one, k) for k in range(len(units))], cores):
        pass
    compiler()("-o", "program", *(f"unit{k}.o" for k in range(len(units))), cwd=folder, timeout_s=LIMIT_S)


def alone(sources: Sequence[Path], program: Path) -> Path:
    """Compile C++ that uses units of the library by themselves, with its headers; the program."""
    folders = sorted({path.parent for path in library().values()} | {path.parent for path in sources})
    flags = [*FLAGS, "-O1", "-Werror", *(f"-I{f}" for f in folders), *_include()]
    compiler()(*flags, *sources, "-o", program, timeout_s=LIMIT_S)
    return program


def _include() -> list[str]:
    return [f"-I{SHARED}", f"-I{HARNESS.parent}", "-isystem", str(SIMULATED), "-isystem", str(ap_types())]


def _main(netlists: Sequence[Netlist]) -> str:
    """Drives each design in turn."""
    headers = "".join(f'#include "{n.name}.hpp"\n' for n in netlists)
    names = ", ".join(f"d{k}" for k in range(len(netlists)))
    drives = "".join(_drive(k, n) for k, n in enumerate(netlists))
    return f"""\
#include "csim.hpp"
{headers}
{drives}int main(int argc, char **argv) {{ return csim::run(argc, argv, {{{names}}}); }}
"""


def _given(netlist: Netlist) -> tuple[str, list[str]]:
    """What a design reads that is not in it, off the chip and in written memories: arrays, and the arguments."""
    texts, arguments = [], []
    for place, (_, region) in zip(places(netlist), netlist.regions, strict=True):
        name, size = f"{netlist.name}_{place.port}", region.bits // 8
        beats = [region.image[k : k + size] for k in range(0, len(region.image), size)]
        texts.append(array(f"{name}_image", Memory(tuple(int.from_bytes(b, "little") for b in beats), region.bits)))
        texts.append(f"static const csim::Beats<{region.bits}, {len(beats)}> {name}({name}_image);\n")
        arguments.append(f"{name}.beats")
    for i in netlist.instances:
        if i.block.written:
            texts.append(array(given_memory(i), i.block.memories[i.block.written]))
            arguments.append(given_memory(i))
    return "".join(texts), arguments


def _drive(k: int, netlist: Netlist) -> str:
    bits = {e.stream: 8 * word_bytes(netlist.width(e.stream)) for e in (*netlist.inputs, *netlist.outputs)}
    ins, outs = list(enumerate(netlist.inputs)), list(enumerate(netlist.outputs))
    lines = [f"  hls::stream<ap_uint<{bits[e.stream]}> > in{i};" for i, e in ins]
    lines += [f"  hls::stream<ap_axiu<{bits[e.stream]}, 0, 0, 0> > out{i};" for i, e in outs]
    lines += [f"  csim::Sender<{bits[e.stream]}> from{i}(files, frames * {e.words});" for i, e in ins]
    lines += [f"  csim::Receiver<{bits[e.stream]}> to{i};" for i, e in outs]
    sent = [f"    from{i}.send(in{i}, {e.words});" for i, e in ins]
    arrays, given = _given(netlist)
    streams = [*(f"in{i}" for i, _ in ins), *(f"out{i}" for i, _ in outs)]
    called = f"    {netlist.name}({', '.join([*streams, *given])});"
    got = [f"    to{i}.receive(out{i}, {e.words});" for i, e in outs]
    kept = [f"  files.result += to{i}.bytes();" for i, _ in outs]
    loop = ["  for (uint64_t frame = 0; frame < frames; ++frame) {", *sent, called, *got, "  }"]
    body = "\n".join([*lines, *loop, *kept])
    return f"""\
{arrays}static void d{k}(csim::Files &files) {{
  const uint64_t frames = files.number();
{body}
}}

"""
