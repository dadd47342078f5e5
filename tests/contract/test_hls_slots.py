"""Slots of HLS loops: with II = 1, a function's loop takes as many cycles a frame as the RTL's interval.

Every PIPELINE directive is made a counter, and each case's function is called frame by frame while several frames wait.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import Case, choose

from lutra.hw.cpp import definition, separate, sources
from lutra.ops import units
from lutra.sim.csim import alone
from lutra.tools.run import run

SOME, FRAMES = 3, 4
DIRECTIVE = re.compile(r"^#pragma HLS PIPELINE .*$", re.MULTILINE)
COUPLED = ("lutra_window", "lutra_reorder")  # two loops in one: the RTL's hand-over between them takes cycles more


def drive(case, netlist):
    """C++ that feeds a unit's streams and prints the slots of each call."""
    own = case.instance.block
    streams = [line for line in definition(netlist).splitlines() if line.startswith("  hls::stream")]
    (call,) = [line for line in definition(netlist).splitlines() if line.startswith(f"  {own.module}<")]
    fed = [f"  for (int k = 0; k < {FRAMES * e.words}; ++k) {e.stream}.write(ap_uint<{netlist.width(e.stream)}>(0));"
           for e in netlist.inputs]
    counted = f"    slots = 0;\n  {call}\n    std::printf(\"%ld \", slots);"
    calls = f"  for (int f = 0; f < {FRAMES}; ++f) {{\n{counted}\n  }}"
    taken = [f"  while (!{e.stream}.empty()) {e.stream}.read();" for e in netlist.outputs]
    body = "\n".join([*streams, *fed, calls, '  std::printf("\\n");', *taken])
    return f"static void {netlist.name}() {{\n{body}\n}}\n"


@pytest.fixture(scope="module")
def chosen() -> list[Case]:
    """Cases of one instance: where constants come as a stream, that stream's loop is another one. Not those that read
    sequences' lengths, which the RTL's cycles depend on and an HLS loop's bounds do not.
    """
    every = [case for unit in units() for case in choose(unit, SOME)]
    return [c for c in every if len(c.netlist.instances) == 1 and c.instance.block.module != "lutra_fifo"
            and not c.sequences]


@pytest.fixture(scope="module")
def counted(chosen, tmp_path_factory) -> list[list[int]]:
    """Slots of each call of each case."""
    folder, netlists = tmp_path_factory.mktemp("slots"), separate([c.netlist for c in chosen])
    files = {name: text for n in netlists for name, text in sources(n).items() if name.endswith(".hpp")}
    files["lutra_hls.hpp"] += "\nextern long slots;\n"
    for name, text in files.items():
        (folder / name).write_text(DIRECTIVE.sub("++slots;", text))
    includes = "".join(f'#include "{name}"\n' for name in ("lutra_hls.hpp", *files))
    drives = "".join(drive(c, n) for c, n in zip(chosen, netlists, strict=True))
    calls = "".join(f"  {n.name}();\n" for n in netlists)
    main = folder / "main.cpp"
    main.write_text(f"#include <cstdio>\n{includes}long slots = 0;\n{drives}int main() {{\n{calls}}}\n")
    lines = run([str(alone([main], folder / "program"))]).splitlines()
    return [[int(n) for n in line.split()] for line in lines]


def test_slots_are_the_interval(chosen, counted):
    assert len(counted) == len(chosen)
    seen = set()
    for case, slots in zip(chosen, counted, strict=True):
        module, steady = case.instance.block.module, slots[-2]  # the last frame has no next one to begin
        if module in COUPLED:
            assert 0 <= case.stage.cycles - steady <= 4 * case.node.out.shape[0] + 4, (str(case), slots)
        else:
            assert set(slots) == {case.stage.cycles}, (str(case), slots)
        seen.add(module)
    assert set(COUPLED) < seen
    assert len(seen) >= 18


def test_every_header_is_counted():
    root = Path(__file__).parents[2] / "lutra"
    for path in root.glob("ops/*/*.hpp"):
        text = path.read_text()
        assert text.count("PIPELINE") == len(DIRECTIVE.findall(text)), path
