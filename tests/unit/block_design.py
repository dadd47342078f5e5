"""A block design as data, from the calls of the script that draws it, and what is wrong with it.

The tables say which interfaces, clocks and resets the vendor's IPs have (PG021, PG082, PG085, PG164, PG195, PG201,
PG247).
"""

from __future__ import annotations

from dataclasses import dataclass, field

MASTER, SLAVE = "master", "slave"
IPS = {
    "axi_dma": {"M_AXIS_MM2S": ("axis", MASTER), "S_AXIS_S2MM": ("axis", SLAVE), "S_AXI_LITE": ("aximm", SLAVE),
                "M_AXI_MM2S": ("aximm", MASTER), "M_AXI_S2MM": ("aximm", MASTER)},
    "processing_system7": {"M_AXI_GP0": ("aximm", MASTER), **{f"S_AXI_HP{k}": ("aximm", SLAVE) for k in range(4)}},
    "zynq_ultra_ps_e": {"M_AXI_HPM0_FPD": ("aximm", MASTER),
                        **{f"S_AXI_HP{k}_FPD": ("aximm", SLAVE) for k in range(4)}},
    "smartconnect": {**{f"S{k:02d}_AXI": ("aximm", SLAVE) for k in range(16)},
                     **{f"M{k:02d}_AXI": ("aximm", MASTER) for k in range(16)}},
    "xdma": {"M_AXI_LITE": ("aximm", MASTER), "pcie_mgt": ("pcie_7x_mgt_rtl", MASTER),
             **{f"M_AXIS_H2C_{k}": ("axis", MASTER) for k in range(4)},
             **{f"S_AXIS_C2H_{k}": ("axis", SLAVE) for k in range(4)}},
    "axis_clock_converter": {"S_AXIS": ("axis", SLAVE), "M_AXIS": ("axis", MASTER)},
    "util_ds_buf": {"CLK_IN_D": ("diff_clock_rtl", SLAVE)}, "proc_sys_reset": {}, "clk_wiz": {}, "xlconstant": {},
}
INPUTS = {
    "axi_dma": ["s_axi_lite_aclk", "axi_resetn"], "processing_system7": ["M_AXI_GP0_ACLK"],
    "zynq_ultra_ps_e": ["maxihpm0_fpd_aclk"], "smartconnect": ["aclk", "aresetn"],
    "xdma": ["sys_clk", "sys_clk_gt", "sys_rst_n"], "proc_sys_reset": ["slowest_sync_clk", "ext_reset_in"],
    "axis_clock_converter": ["s_axis_aclk", "s_axis_aresetn", "m_axis_aclk", "m_axis_aresetn"],
    "clk_wiz": ["clk_in1", "resetn"], "util_ds_buf": [], "xlconstant": [],
}
OUTPUTS = {
    "processing_system7": ["FCLK_CLK0", "FCLK_RESET0_N"], "zynq_ultra_ps_e": ["pl_clk0", "pl_resetn0"],
    "xdma": ["axi_aclk", "axi_aresetn"], "proc_sys_reset": ["peripheral_aresetn", "interconnect_aresetn"],
    "clk_wiz": ["clk_out1", "locked"], "util_ds_buf": ["IBUF_OUT", "IBUF_DS_ODIV2"], "xlconstant": ["dout"],
}
MORE = {"proc_sys_reset": ["dcm_locked"]}  # that may stay open


@dataclass
class Design:
    """Cells by name (IP, configuration), interface connections, wires, addresses, ports of the whole."""

    cells: dict = field(default_factory=dict)
    buses: list = field(default_factory=list)
    wires: list = field(default_factory=list)
    addresses: dict = field(default_factory=dict)
    ports: set = field(default_factory=set)
    core: dict = field(default_factory=dict)  # our IP's interfaces

    def ip(self, end):
        return self.cells[end.split("/")[0]][0]


def pin(words):
    """The name that a query for a pin was made with; what a mock answers."""
    return words[1]


def answers(words):
    """Queries give the names that they are for."""
    if words[0] in ("get_bd_pins", "get_bd_intf_pins", "get_bd_ports", "get_bd_intf_ports", "get_bd_cells",
                    "get_bd_addr_spaces", "get_bd_addr_segs", "get_files", "get_runs"):
        return words[-1]
    return {"current_project": "project", "current_fileset": "sources", "make_wrapper": "wrapper.v",
            "ipx::current_core": "core", "glob": "found.hwh"}.get(words[0])


def read(calls, core):
    """The design that a script draws; AssertionError where a call makes no sense."""
    design = Design(core={bus.name: (bus.kind, bus.mode) for bus in core})
    for words in calls:
        match words:
            case "create_bd_cell", "-type", "ip", "-vlnv", vlnv, name:
                assert name not in design.cells, name
                vendor, library, ip, *version = vlnv.split(":")
                assert ip == "lutra_ip" or (vendor, library, version) == ("xilinx.com", "ip", []), vlnv
                design.cells[name] = (ip, {})
            case "set_property", "-dict", pairs, target if target in design.cells:
                keys = pairs.split(" ")
                design.cells[target][1].update(zip(keys[::2], keys[1::2], strict=True))
            case ("create_bd_intf_port" | "create_bd_port"), *_, name:
                design.ports.add(name)
            case "connect_bd_intf_net", one, two:
                design.buses.append((one, two))
            case "connect_bd_net", source, *sinks:
                design.wires += [(source, sink) for sink in sinks]
            case "assign_bd_address", "-offset", offset, "-range", size, "-target_address_space", _, segment, "-force":
                design.addresses[segment] = (int(offset, 16), int(size))
    return design


def faults(design):
    """Everything that is wrong with a design, in sentences."""
    return [*_bus_faults(design), *_wire_faults(design), *_address_faults(design)]


def _interface(design, end):
    cell, name = end.split("/")
    ip, config = design.cells[cell]
    if ip == "smartconnect" and int(name[1:3]) >= int(config[f"CONFIG.NUM_{name[0]}I"]):
        return None
    return (design.core if ip == "lutra_ip" else IPS[ip]).get(name)


def _bus_faults(design):
    seen = []
    for ends in design.buses:
        inner = [e for e in ends if e not in design.ports]
        found = [_interface(design, e) for e in inner]
        if None in found:
            yield f"there is no such interface: {ends}"
            continue
        if len(inner) == 2:
            if found[0][0] != found[1][0]:
                yield f"unlike buses are joined: {ends} {found}"
            if {found[0][1], found[1][1]} != {MASTER, SLAVE}:
                yield f"not a master and a slave: {ends}"
        seen += ends
    for end in sorted(set(seen)):
        if seen.count(end) > 1:
            yield f"{end} is connected {seen.count(end)} times"
    core = next(n for n, (ip, _) in design.cells.items() if ip == "lutra_ip")
    for name in design.core:
        if f"{core}/{name}" not in seen:
            yield f"{name} of the design hangs in the air"
    for cell, (ip, config) in design.cells.items():
        if ip == "smartconnect":
            want = {f"{cell}/S{k:02d}_AXI" for k in range(int(config["CONFIG.NUM_SI"]))}
            want |= {f"{cell}/M{k:02d}_AXI" for k in range(int(config["CONFIG.NUM_MI"]))}
            if not want <= set(seen):
                yield f"{want - set(seen)} hang in the air"


def _wire_faults(design):
    driven = [sink for _, sink in design.wires]
    for source, sink in design.wires:
        if source not in design.ports and source.split("/")[1] not in OUTPUTS.get(design.ip(source), []):
            yield f"{source} drives nothing"
        if sink not in design.ports and sink.split("/")[1] not in _inputs(design, sink.split("/")[0]):
            yield f"{sink} is no input"
    for name in sorted(set(driven)):
        if driven.count(name) > 1:
            yield f"{name} is driven {driven.count(name)} times"
    for cell, (ip, _) in design.cells.items():
        for name in _inputs(design, cell):
            if f"{cell}/{name}" not in driven and name not in MORE.get(ip, []):
                yield f"{cell}/{name} is not driven"


def _inputs(design, cell):
    """Clocks and resets that a cell has in its configuration."""
    ip, config = design.cells[cell]
    used = {e.split("/")[1] for ends in design.buses for e in ends if e.split("/")[0] == cell}
    match ip:
        case "lutra_ip":
            return ["aclk", "aresetn"]
        case "axi_dma":
            ways = [w for w in ("mm2s", "s2mm") if config[f"CONFIG.c_include_{w}"] == "1"]
            return [*INPUTS[ip], *(f"m_axi_{w}_aclk" for w in ways)]
        case "processing_system7":
            return [*INPUTS[ip], *(f"{name}_ACLK" for name in used if name.startswith("S_AXI_HP"))]
        case "zynq_ultra_ps_e":
            return [*INPUTS[ip], *(f"saxihp{name[8]}_fpd_aclk" for name in used if name.startswith("S_AXI_HP"))]
        case "smartconnect":
            return [*INPUTS[ip], *(f"aclk{k}" for k in range(1, int(config["CONFIG.NUM_CLKS"])))]
    return [*INPUTS[ip], *MORE.get(ip, [])]


def _address_faults(design):
    places = sorted((offset, size, name) for name, (offset, size) in design.addresses.items())
    for (offset, size, name), after in zip(places, [*places[1:], (1 << 64, 0, "")], strict=True):
        if size & (size - 1) or size < 4096 or offset % size:
            yield f"{name} is at {offset:#x}, {size:#x} bytes"
        if offset + size > after[0]:
            yield f"{name} and {after[2]} overlap"
