"""The script that packages the design as an IP that Vivado's IP integrator takes."""

from __future__ import annotations

from collections.abc import Sequence

from lutra.deploy.boards import Board
from lutra.deploy.interface import IP, Interface
from lutra.deploy.tcl import command, word

VENDOR, LIBRARY, VERSION = "lutra", "user", "1.0"
VLNV = f"{VENDOR}:{LIBRARY}:{IP}:{VERSION}"


def package_script(
    board: Board, files: Sequence[str], buses: Sequence[Interface], about: str, made: str = ""
) -> str:
    """Tcl for Vivado 2020.2 or later. files: Verilog and memory files, relative to the folder of the script. Whatever
    was not taken for the bus that it is stops the script. about: any text, shown beside the IP in the catalogue. made:
    a folder with more of them, which HLS leaves.
    """
    adds = "\n".join(f"add_files -norecurse [file join $here {word(name)}]" for name in files)
    memories = [name for name in files if name.endswith(".hex")]
    kinds = "\n".join(f"set_property file_type {{Memory Initialization Files}} [get_files {word(_base(name))}]"
                      for name in memories)
    if made:
        adds += _made(made)
    expected = "\n".join(_expected(bus) for bus in buses)
    return f"""\
# Packages the design as {VLNV}, in the folder `ip` beside this script:
#   vivado -mode batch -source package.tcl
set here [file dirname [file normalize [info script]]]
{command("create_project", "-force", "-part", board.part, "lutra_ip")} [file join $here work ip]
{adds}
{kinds}
set_property top {IP} [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $here ip] -vendor {VENDOR} -library {LIBRARY} -taxonomy /UserIP \\
    -import_files -force -set_current true
set core [ipx::current_core]
{command("set_property", "version", VERSION)} $core
{command("set_property", "display_name", "Lutra: " + about)} $core
{command("set_property", "description", "Dataflow accelerator of " + about)} $core

proc expect {{core name mode}} {{
    set bus [ipx::get_bus_interfaces $name -of_objects $core]
    if {{$bus eq "" || [get_property interface_mode $bus] ne $mode}} {{
        error "the port $name was not packaged as a $mode"
    }}
}}
expect $core aclk slave
expect $core aresetn slave
{expected}
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
"""


def _made(folder: str) -> str:
    """What HLS leaves: Verilog, and memories as .dat."""
    return f"""
set made [glob -nocomplain [file join $here {folder} *.v] [file join $here {folder} *.dat]]
if {{![llength $made]}} {{
    error "there is no Verilog in {folder}: run hls.tcl first"
}}
add_files -norecurse $made
set_property file_type {{Memory Initialization Files}} [get_files -quiet *.dat]"""


def _expected(bus: Interface) -> str:
    return f"expect $core {bus.name} {bus.mode}"


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]
