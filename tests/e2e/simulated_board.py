"""A board in simulation: the packaged design of a build folder, verilated, behind the driver's own interface."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from lutra.deploy.boards import board
from lutra.deploy.interface import interfaces
from lutra.sim.verilate import FLAGS, Style, _include, runtime
from lutra.tools.find import compiler, verilator

BENCH = Path(__file__).with_name("board_bench.cpp")


def ports(buses):
    """C++ that says where the ports of these buses are."""
    def at(kind, name):
        return f"reinterpret_cast<{kind}*>(&ip.{name})"

    def bytes_of(bus, *names):
        return ", ".join(at("uint8_t", f"{bus.name}_{n}") for n in names)

    def width(bus, name):
        return next(s.bits for s in bus.signals if s.name == name.upper())

    rows = {"inputs": [], "outputs": [], "lites": [], "regions": []}
    for bus in buses:
        match bus.kind, bus.mode:
            case "axis", "slave":
                rows["inputs"].append(f"{bytes_of(bus, 'tdata', 'tvalid', 'tready')}, nullptr, nullptr, "
                                      f"{width(bus, 'tdata') // 8}")
            case "axis", "master":
                rows["outputs"].append(f"{bytes_of(bus, 'tdata', 'tvalid', 'tready', 'tkeep', 'tlast')}, "
                                       f"{width(bus, 'tdata') // 8}")
            case "aximm", "slave":
                rows["lites"].append(
                    f"{bytes_of(bus, 'awaddr', 'awvalid', 'awready', 'araddr', 'arvalid', 'arready')}, "
                    f"{at('uint32_t', f'{bus.name}_wdata')}, "
                    f"{bytes_of(bus, 'wstrb', 'wvalid', 'wready', 'bresp', 'bvalid', 'bready')}, "
                    f"{at('uint32_t', f'{bus.name}_rdata')}, {bytes_of(bus, 'rresp', 'rvalid', 'rready')}, "
                    f"{width(bus, 'awaddr')}")
            case "aximm", "master":
                rows["regions"].append(
                    f"{at('uint64_t', f'{bus.name}_araddr')}, "
                    f"{bytes_of(bus, 'arlen', 'arsize', 'arburst', 'arvalid', 'arready')}, "
                    f"{bytes_of(bus, 'rdata', 'rvalid', 'rlast', 'rready')}, {width(bus, 'rdata') // 8}")
    kinds = {"inputs": "Stream", "outputs": "Stream", "lites": "Lite", "regions": "Reads"}
    return "".join(f"static std::vector<{kinds[k]}> {k} = {{{', '.join(f'{{{r}}}' for r in v)}}};\n"
                   for k, v in rows.items())


def simulation(acc, folder, name):
    """The program that simulates the board's side of a build folder, from the cache or compiled."""
    rtl = sorted([*folder.glob("rtl/*.sv"), *folder.glob("vendor/rtl/*.sv"), *folder.glob("vendor/rtl/*.v")])
    header = ports(interfaces(acc.netlist, board(name)))
    texts = [p.read_text() for p in rtl]

    def make(place):
        for path, text in zip(rtl, texts, strict=True):
            (place / path.name).write_text(text)
        (place / "ports.h").write_text(header)
        verilator()("--cc", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSEDPARAM", "-Wno-PINCONNECTEMPTY", "-Wno-fatal",
                    "--x-assign", "unique", "--x-initial", "unique", "--no-timing", "--top-module", "lutra_ip",
                    "--prefix", "Vip", "--Mdir", "obj", *(p.name for p in rtl if "package" not in p.name), cwd=place)
        parts = "".join(f'#include "{p.name}"\n' for p in sorted((place / "obj").glob("*.cpp")))
        (place / "all.cpp").write_text(f"{parts}#include \"{BENCH}\"\n")
        style = Style(fast=False)
        objects = [o for o in runtime(acc.cache, style) if o.stem != "harness"]
        include = [f"-I{_include()}", f"-I{_include() / 'vltstd'}", f"-I{place}", f"-I{place / 'obj'}"]
        compiler()(*style.flags, *include, "-o", "board", "all.cpp", *objects, "-pthread", cwd=place, timeout_s=600)

    key = ["board", *texts, header, BENCH.read_text(), verilator().version, compiler().version, *FLAGS]
    return acc.cache.folder(key, make) / "board"


class SimulatedBoard:
    """`lutra.deploy.driver.Transport` over the simulation; memories are read from the build folder's rtl/."""

    def __init__(self, acc, folder, name):
        self.process = subprocess.Popen([simulation(acc, folder, name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd=folder / "rtl")
        self.files = tempfile.TemporaryDirectory()
        self.calls = []

    def ask(self, *words):
        self.calls.append(words)
        print(*words, file=self.process.stdin, flush=True)
        found = self.process.stdout.readline().strip()
        assert not found.startswith("!"), (words, found)
        return found

    def write(self, port, offset, value):
        self.ask("write", port, offset, value)

    def read(self, port, offset):
        return int(self.ask("read", port, offset))

    def place(self, image):
        return int(self.ask("place", self.kept("image", image)))

    def transfer(self, sent, sizes):
        files = [self.kept(f"in{k}", raw.tobytes()) for k, raw in enumerate(sent)]
        found = self.ask("transfer", *files, *sizes).split(" ")
        return [np.frombuffer(bytes.fromhex(text), np.uint8) for text in found]

    def kept(self, name, content):
        path = Path(self.files.name) / name
        path.write_bytes(content)
        return str(path)

    def close(self):
        self.process.communicate("quit\n", timeout=60)
        self.files.cleanup()
