import pytest

from lutra.errors import LutraError
from lutra.ops.base import FAMILIES
from lutra.plan.devices import device, devices

ASKED = ("ecp5-25k", "ecp5-45k", "ecp5-85k", "xc7z010", "xc7z020", "xczu3eg", "xczu7ev", "xcu250", "xcu280")


@pytest.mark.parametrize("name", ASKED)
def test_every_asked_device_is_there_whole(name):
    d = device(name)
    assert d.family in FAMILIES
    assert d.lut_inputs == (4 if d.family == "ecp5" else 6)
    assert min(d.lut, d.ff, d.bram, d.dsp) > 0
    assert d.bandwidth_gbs > 0
    assert d.source


def test_names_are_unique_and_in_any_case():
    names = [d.name for d in devices()]
    assert len(set(names)) == len(names)
    assert device(" XC7Z020 ") == device("xc7z020")


def test_figures_of_data_sheets():
    zynq, lattice = device("xc7z020"), device("ecp5-85k")
    assert (zynq.lut, zynq.ff, zynq.bram, zynq.dsp) == (53_200, 106_400, 280, 220)
    assert (lattice.lut, lattice.bram, lattice.dsp) == (83_640, 208, 156)


def test_unknown_device_names_the_close_ones():
    with pytest.raises(LutraError, match=r"unknown device 'xc7z02'.*xc7z020"):
        device("xc7z02")
    with pytest.raises(LutraError, match="ecp5-25k"):
        device("what is this")
