"""A card on PCIe: the vendor's DMA engine, whose streams and AXI4-Lite master a host reaches as files.

It is a plain Vivado design, loaded over JTAG or from the card's flash, with the vendor's open kernel driver on the
host: no Vitis platform. HBM is not connected.
"""

from __future__ import annotations

from lutra.deploy.design import CORE, Parts, assigned, bus, cell, net, script, switch
from lutra.deploy.interface import HOST, WEIGHTS
from lutra.errors import LutraError

ENGINE_MHZ = 250  # 512 bits at the rate of 16 lanes of 8 GT/s
WEIGHTS_AT = 0x0100000
ROOM = 1 << 30  # bytes of the window of control, at most
CONSTRAINTS = "u280.xdc"
# Unless the pin is driven low the card's controller takes the chip for overheated and cuts its power (UG1314).
PINS = """\
set_property PACKAGE_PIN D32 [get_ports hbm_cattrip]
set_property IOSTANDARD LVCMOS18 [get_ports hbm_cattrip]
set_property PULLTYPE PULLDOWN [get_ports hbm_cattrip]
"""


def system_script(parts: Parts) -> str:
    """Tcl that builds the whole system. The engine has its own clock; streams and control cross over to the plan's."""
    size = window(parts)
    streams = [_stream(k, layout.port, "h2c") for k, layout in enumerate(parts.inputs)]
    streams += [_stream(k, layout.port, "c2h") for k, layout in enumerate(parts.outputs)]
    lines = [
        cell("clock_in", "xilinx.com:ip:util_ds_buf", C_BUF_TYPE="IBUFDSGTE", USE_BOARD_FLOW="true",
             DIFF_CLK_IN_BOARD_INTERFACE="pcie_refclk"),
        cell("pcie", "xilinx.com:ip:xdma", PCIE_BOARD_INTERFACE="pci_express_x16",
             SYS_RST_N_BOARD_INTERFACE="pcie_perstn", pl_link_cap_max_link_width="X16",
             pl_link_cap_max_link_speed="8.0_GT/s", axi_data_width="512_bit", axisten_freq=ENGINE_MHZ,
             xdma_axi_intf_mm="AXI_Stream", xdma_rnum_chnl=len(parts.inputs), xdma_wnum_chnl=len(parts.outputs),
             axilite_master_en="true", axilite_master_scale="Megabytes", axilite_master_size=size >> 20),
        _port("pcie_refclk", "diff_clock", "Slave", "clock_in/CLK_IN_D"),
        _port("pci_express_x16", "pcie_7x_mgt", "Master", "pcie/pcie_mgt"),
        "set_property CONFIG.FREQ_HZ 100000000 [get_bd_intf_ports pcie_refclk]",
        "create_bd_port -dir I -type rst pcie_perstn",
        "set_property CONFIG.POLARITY ACTIVE_LOW [get_bd_ports pcie_perstn]",
        "connect_bd_net [get_bd_ports pcie_perstn] [get_bd_pins pcie/sys_rst_n]",
        net("clock_in/IBUF_DS_ODIV2", "pcie/sys_clk"), net("clock_in/IBUF_OUT", "pcie/sys_clk_gt"),
        cell("clock", "xilinx.com:ip:clk_wiz", PRIM_SOURCE="No_buffer", PRIM_IN_FREQ=ENGINE_MHZ,
             CLKOUT1_REQUESTED_OUT_FREQ=f"{parts.clock_mhz:g}", RESET_TYPE="ACTIVE_LOW", RESET_PORT="resetn"),
        net("pcie/axi_aclk", "clock/clk_in1"), net("pcie/axi_aresetn", "clock/resetn"),
        cell("reset", "xilinx.com:ip:proc_sys_reset"), net("pcie/axi_aresetn", "reset/ext_reset_in"),
        net("clock/locked", "reset/dcm_locked"), net("clock/clk_out1", "reset/slowest_sync_clk", f"{CORE}/aclk"),
        net("reset/peripheral_aresetn", f"{CORE}/aresetn"), *streams,
        switch("control", ["pcie/M_AXI_LITE"], [f"{CORE}/{name}" for name, _ in parts.controls],
               ["pcie/axi_aclk", "clock/clk_out1"], "pcie/axi_aresetn"),
        cell("low", "xilinx.com:ip:xlconstant", CONST_WIDTH=1, CONST_VAL=0), "create_bd_port -dir O hbm_cattrip",
        "connect_bd_net [get_bd_pins low/dout] [get_bd_ports hbm_cattrip]",
        assigned("pcie/M_AXI_LITE", {f"{CORE}/{name}/reg0": place for name, place in address_map(parts).items()}),
    ]
    return script(parts.board, lines, "they hold the pins", needs_board=True, constraints=CONSTRAINTS)


def address_map(parts: Parts) -> dict[str, tuple[int, int]]:
    """First address and bytes of each of our ports in the window of control."""
    places = {HOST: 0, WEIGHTS: WEIGHTS_AT}
    return {name: (max(places[name], (1 << bits) if name == WEIGHTS else 0), 1 << bits)
            for name, bits in parts.controls}


def window(parts: Parts) -> int:
    """Bytes of the window of control, a power of two from 1 MiB on. LutraError where it would be too large."""
    end = max(offset + size for offset, size in address_map(parts).values())
    size = max(1 << 20, 1 << (end - 1).bit_length())
    if size > ROOM:
        raise LutraError(f"memories that are written take {end} bytes of addresses", parts.board.name,
                         f"there is room for {ROOM}: keep some of the weights as they are")
    return size


def _port(name: str, kind: str, mode: str, pin: str) -> str:
    made = f"create_bd_intf_port -mode {mode} -vlnv xilinx.com:interface:{kind}_rtl:1.0 {name}"
    return f"{made}\nconnect_bd_intf_net [get_bd_intf_ports {name}] [get_bd_intf_pins {pin}]"


def _stream(k: int, port: str, way: str) -> str:
    """A stream of the engine and one of ours, with the crossing from clock to clock between them."""
    name = f"{way}{k}"
    theirs = ("pcie/axi_aclk", "pcie/axi_aresetn")
    ours = ("clock/clk_out1", "reset/peripheral_aresetn")
    first, second = (theirs, ours) if way == "h2c" else (ours, theirs)
    ends = (f"pcie/M_AXIS_H2C_{k}", f"{CORE}/{port}") if way == "h2c" else (f"{CORE}/{port}", f"pcie/S_AXIS_C2H_{k}")
    return "\n".join([
        cell(name, "xilinx.com:ip:axis_clock_converter"),
        bus(ends[0], f"{name}/S_AXIS"), bus(f"{name}/M_AXIS", ends[1]),
        net(first[0], f"{name}/s_axis_aclk"), net(first[1], f"{name}/s_axis_aresetn"),
        net(second[0], f"{name}/m_axis_aclk"), net(second[1], f"{name}/m_axis_aresetn")])
