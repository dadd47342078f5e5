"""Synthesis by Yosys for every family, and place and route by nextpnr for ECP5."""

from lutra.synth.place import PlaceReport, place
from lutra.synth.report import Resources, SynthReport
from lutra.synth.units import synthesise, synthesise_block, synthesise_files

__all__ = ["PlaceReport", "Resources", "SynthReport", "place", "synthesise", "synthesise_block",
           "synthesise_files"]
