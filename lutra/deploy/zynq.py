"""Zynq and Zynq UltraScale+: the processing system, a DMA engine for each stream, memory ports, the address map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lutra.deploy.design import CORE, Parts, assigned, bus, cell, net, script, switch
from lutra.deploy.interface import HOST, WEIGHTS
from lutra.deploy.tcl import properties
from lutra.errors import LutraError

LENGTH_BITS = 26  # of the length of a transfer, the most that the engine has
LEAST_MEMORY = 32  # bits of the engine's memory side
OTHERS = 3  # memory ports beside the first
RESET, READY = "reset/peripheral_aresetn", "reset/interconnect_aresetn"


@dataclass(frozen=True)
class System:
    """What differs between the two. `ports` of memory, `width` bits each, by number; addresses of control."""

    vlnv: str
    rule: str
    config: Mapping[str, object]
    clock: str
    frequency: str  # the property of it
    reset: str
    control: str
    control_clock: str
    memory: str
    memory_clock: str
    memory_config: Mapping[str, object]
    engines: int  # the first one's address
    host: int
    weights: int
    room: int  # bytes for weights


SYSTEMS = {
    "zynq7": System(
        "xilinx.com:ip:processing_system7",
        'xilinx.com:bd_rule:processing_system7 -config {make_external "FIXED_IO, DDR" apply_board_preset "1"'
        ' Master "Disable" Slave "Disable"}',
        {"PCW_USE_M_AXI_GP0": 1, "PCW_EN_CLK0_PORT": 1, "PCW_EN_RST0_PORT": 1},
        "ps/FCLK_CLK0", "PCW_FPGA0_PERIPHERAL_FREQMHZ", "ps/FCLK_RESET0_N", "ps/M_AXI_GP0", "ps/M_AXI_GP0_ACLK",
        "ps/S_AXI_HP{k}", "ps/S_AXI_HP{k}_ACLK", {"PCW_USE_S_AXI_HP{k}": 1, "PCW_S_AXI_HP{k}_DATA_WIDTH": 64},
        0x40400000, 0x43C00000, 0x50000000, 1 << 28),
    "zynqmp": System(
        "xilinx.com:ip:zynq_ultra_ps_e", 'xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"}',
        {"PSU__USE__M_AXI_GP0": 1, "PSU__USE__M_AXI_GP1": 0, "PSU__USE__M_AXI_GP2": 0, "PSU__FPGA_PL0_ENABLE": 1},
        "ps/pl_clk0", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ", "ps/pl_resetn0", "ps/M_AXI_HPM0_FPD",
        "ps/maxihpm0_fpd_aclk", "ps/S_AXI_HP{k}_FPD", "ps/saxihp{k}_fpd_aclk",
        {"PSU__USE__S_AXI_GP{gp}": 1, "PSU__SAXIGP{gp}__DATA_WIDTH": 128}, 0xA0000000, 0xA0100000, 0xA8000000, 1 << 27),
}
STEP = 0x10000  # bytes of addresses of an engine


def system_script(parts: Parts) -> str:
    """Tcl that builds the whole system. LutraError where memories that are written do not fit into the address map."""
    system = SYSTEMS[parts.board.kind]
    ports = dict(enumerate(masters(parts)))
    config = {**system.config, system.frequency: f"{parts.clock_mhz:g}"}
    for k in ports:
        config |= {name.format(k=k, gp=k + 2): value for name, value in system.memory_config.items()}
    count = max(len(parts.inputs), len(parts.outputs))
    clocked = [system.control_clock, *(system.memory_clock.format(k=k) for k in ports), "reset/slowest_sync_clk",
               f"{CORE}/aclk", *(pin for k in range(count) for pin in _engine_clocks(parts, k))]
    controls = [f"engine{k}/S_AXI_LITE" for k in range(count)] + [f"{CORE}/{name}" for name, _ in parts.controls]
    lines = [
        cell("ps", system.vlnv),
        f"apply_bd_automation -rule {system.rule} [get_bd_cells ps]", properties("[get_bd_cells ps]", config),
        cell("reset", "xilinx.com:ip:proc_sys_reset"), net(system.reset, "reset/ext_reset_in"),
        *(_engine(parts, k) for k in range(count)),
        net(system.clock, *clocked), net(RESET, f"{CORE}/aresetn", *(f"engine{k}/axi_resetn" for k in range(count))),
        switch("control", [system.control], controls, [system.clock], READY),
        *(switch(f"memory{k}", group, [system.memory.format(k=k)], [system.clock], READY)
          for k, group in ports.items()),
        assigned("ps/Data", dict(address_map(parts).values())),
    ]
    hint = "the processor then has no preset, and what its boot loader set must do"
    return script(parts.board, lines, hint, needs_board=False)


def masters(parts: Parts) -> list[list[str]]:
    """Who reads and writes memory, for each of its ports: the engines on the first, regions in turn on the others."""
    engines = [f"engine{k}/M_AXI_MM2S" for k in range(len(parts.inputs))]
    engines += [f"engine{k}/M_AXI_S2MM" for k in range(len(parts.outputs))]
    regions = [f"{CORE}/{r.name}" for r in parts.regions]
    return [engines, *(regions[k::OTHERS] for k in range(min(OTHERS, len(regions))))]


def address_map(parts: Parts) -> dict[str, tuple[str, tuple[int, int]]]:
    """By name ("engine0", and our ports): the segment, and its first address and bytes."""
    system = SYSTEMS[parts.board.kind]
    found = {f"engine{k}": (f"engine{k}/S_AXI_LITE/Reg", (system.engines + k * STEP, STEP))
             for k in range(max(len(parts.inputs), len(parts.outputs)))}
    places = {HOST: system.host, WEIGHTS: system.weights}
    for name, bits in parts.controls:
        if 1 << bits > system.room:
            raise LutraError(f"memories that are written take {1 << bits} bytes of addresses", parts.board.name,
                             f"there is room for {system.room}: keep some of the weights as they are")
        found[name] = (f"{CORE}/{name}/reg0", (places[name], 1 << bits))
    return found


def _engine_clocks(parts: Parts, k: int) -> list[str]:
    ways = ["mm2s"] * (k < len(parts.inputs)) + ["s2mm"] * (k < len(parts.outputs))
    return [f"engine{k}/s_axi_lite_aclk", *(f"engine{k}/m_axi_{way}_aclk" for way in ways)]


def _engine(parts: Parts, k: int) -> str:
    """A DMA engine without scatter and gather: the k-th input from memory, the k-th output to it."""
    name, lines = f"engine{k}", []
    config: dict[str, object] = {"c_include_sg": 0, "c_sg_include_stscntrl_strm": 0, "c_sg_length_width": LENGTH_BITS,
                                 "c_addr_width": parts.board.address_bits, "c_include_mm2s": int(k < len(parts.inputs)),
                                 "c_include_s2mm": int(k < len(parts.outputs))}
    for way, layouts in (("mm2s", parts.inputs), ("s2mm", parts.outputs)):
        if k < len(layouts):
            bits = 8 * layouts[k].bus
            stream = "c_m_axis_mm2s_tdata_width" if way == "mm2s" else "c_s_axis_s2mm_tdata_width"
            config |= {f"c_m_axi_{way}_data_width": max(LEAST_MEMORY, bits), stream: bits, f"c_{way}_burst_size": 16}
            core, own = f"{CORE}/{layouts[k].port}", f"{name}/{'M' if way == 'mm2s' else 'S'}_AXIS_{way.upper()}"
            lines.append(bus(own, core) if way == "mm2s" else bus(core, own))
    return "\n".join([cell(name, "xilinx.com:ip:axi_dma", **config), *lines])
