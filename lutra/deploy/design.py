"""What the block designs of all boards share: commands of the IP integrator, the project around them, the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lutra.deploy.boards import Board
from lutra.deploy.interface import HOST, HOST_ADDRESS, WEIGHTS, Interface, Layout, weights_bits
from lutra.deploy.package import VLNV
from lutra.deploy.tcl import command, properties
from lutra.hw.netlist import Netlist

DESIGN = "system"  # the block design
CORE = "lutra"  # our IP's name in it
OUTPUT = "driver/lutra"  # bitstream and its description, relative to the build folder, without suffix
INPUTS_OF_A_SWITCH = 16  # of a SmartConnect


@dataclass(frozen=True)
class Parts:
    """What a block design is made of: the netlist, its layouts in bytes and buses, the board and the clock."""

    netlist: Netlist
    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]
    buses: tuple[Interface, ...]
    board: Board
    clock_mhz: float

    @property
    def controls(self) -> tuple[tuple[str, int], ...]:
        """Our AXI4-Lite ports and the bits of their addresses."""
        weights = ((WEIGHTS, weights_bits(self.netlist)),) if self.netlist.windows else ()
        return ((HOST, HOST_ADDRESS), *weights)

    @property
    def regions(self) -> tuple[Interface, ...]:
        """Our ports that read memory."""
        return tuple(b for b in self.buses if b.kind == "aximm" and b.mode == "master")


def cell(name: str, vlnv: str, **config: object) -> str:
    """An IP in the design. vlnv without a version takes the catalogue's newest."""
    made = command("create_bd_cell", "-type", "ip", "-vlnv", vlnv, name)
    return made + ("\n" + properties(f"[get_bd_cells {name}]", config) if config else "")


def bus(source: str, sink: str) -> str:
    """A connection of two bus interfaces."""
    return f"connect_bd_intf_net [get_bd_intf_pins {source}] [get_bd_intf_pins {sink}]"


def net(source: str, *sinks: str) -> str:
    """A wire from a pin to others."""
    pins = " ".join(f"[get_bd_pins {sink}]" for sink in sinks)
    return f"connect_bd_net [get_bd_pins {source}] {pins}"


def switch(name: str, sources: Sequence[str], sinks: Sequence[str], clocks: Sequence[str], reset: str) -> str:
    """A SmartConnect between masters and slaves, the first of the clocks its own."""
    assert 0 < len(sources) <= INPUTS_OF_A_SWITCH and 0 < len(sinks) <= INPUTS_OF_A_SWITCH, (sources, sinks)
    lines = [cell(name, "xilinx.com:ip:smartconnect", NUM_SI=len(sources), NUM_MI=len(sinks), NUM_CLKS=len(clocks))]
    lines += [bus(source, f"{name}/S{k:02d}_AXI") for k, source in enumerate(sources)]
    lines += [bus(f"{name}/M{k:02d}_AXI", sink) for k, sink in enumerate(sinks)]
    lines += [net(clock, f"{name}/aclk{k or ''}") for k, clock in enumerate(clocks)]
    return "\n".join([*lines, net(reset, f"{name}/aresetn")])


def assigned(space: str, addresses: Mapping[str, tuple[int, int]]) -> str:
    """Where each slave's segment (offset, bytes) lies for a master; then the tools place what is left."""
    lines = [f"assign_bd_address -offset 0x{offset:08x} -range {size} -target_address_space "
             f"[get_bd_addr_spaces {space}] [get_bd_addr_segs {segment}] -force"
             for segment, (offset, size) in addresses.items()]
    return "\n".join([*lines, "assign_bd_address"])


def script(board: Board, connections: Sequence[str], hint: str, needs_board: bool, constraints: str = "") -> str:
    """The whole script: package the IP, draw the design, build, and put bitstream and description beside the driver.

    needs_board: the vendor's board files are indispensable. constraints: the name of a file of them beside the script.
    """
    body = "\n".join(connections)
    missing = "error" if needs_board else "puts"
    adds = f"add_files -fileset constrs_1 -norecurse [file join $here {constraints}]\n" if constraints else ""
    return f"""\
# A system around the design for {board.title}, from the block design to the bitstream:
#   vivado -mode batch -source system.tcl
# leaves {OUTPUT}.bit{" and .hwh" if board.kind != "pcie" else ""} in the build folder.
set here [file dirname [file normalize [info script]]]
source [file join $here package.tcl]
{command("create_project", "-force", "-part", board.part, "lutra")} [file join $here work system]
set files [lsort -dictionary [get_board_parts -quiet {board.board_part}]]
if {{[llength $files]}} {{
    set_property board_part [lindex $files end] [current_project]
}} else {{
    {missing} "no board files of {board.title} are installed: {hint}"
}}
set_property ip_repo_paths [file join $here ip] [current_project]
update_ip_catalog

create_bd_design {DESIGN}
{cell(CORE, VLNV)}
{body}
validate_bd_design
save_bd_design

generate_target all [get_files {DESIGN}.bd]
set top [make_wrapper -files [get_files {DESIGN}.bd] -top]
add_files -norecurse $top
{adds}set_property top {DESIGN}_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {{[get_property PROGRESS [get_runs impl_1]] ne "100%"}} {{
    error "the build failed: see the log of the run [get_property STATUS [get_runs impl_1]]"
}}
set slack [get_property STATS.WNS [get_runs impl_1]]
puts "worst slack: $slack ns"
if {{$slack < 0}} {{
    error "the clock is too fast by [expr {{-$slack}}] ns: plan for a lower one (lutra build --clock)"
}}
set output [file normalize [file join $here .. {OUTPUT}]]
file mkdir [file dirname $output]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] {DESIGN}_wrapper.bit] $output.bit
{_description(board)}"""


def _description(board: Board) -> str:
    """PYNQ reads clocks and addresses from the hardware handoff."""
    if board.kind == "pcie":
        return ""
    return f"""\
set root [get_property DIRECTORY [current_project]]
set found [glob -nocomplain [file join $root *.gen sources_1 bd {DESIGN} hw_handoff {DESIGN}.hwh] \\
    [file join $root *.srcs sources_1 bd {DESIGN} hw_handoff {DESIGN}.hwh]]
if {{![llength $found]}} {{
    error "the build left no {DESIGN}.hwh"
}}
file copy -force [lindex $found 0] $output.hwh
"""
