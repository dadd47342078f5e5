"""Weights as a stream that stalls: `lutra_matmul_streamed` alone, its weights an input of the design. With the memory
that gives it a word a cycle the contract suite has it among its cases."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from cases import Bench, Case, candidates, differences

from lutra.errors import LutraError
from lutra.hw.netlist import End, Netlist
from lutra.hw.verilog import library, word_bytes
from lutra.ir import Array
from lutra.ops.matmul.forms import FORMS
from lutra.ops.matmul.op import MatMul
from lutra.synth.units import single

STALLS = [(0.0, 0.0), (0.4, 0.0), (0.3, 0.5), (0.7, 0.2)]


class Starved(Case):
    """A unit whose weights come from outside."""

    @cached_property
    def netlist(self) -> Netlist:
        alone = single(self.stage.block)
        (inputs,), outputs = self.stage.words
        ends = (End(alone.inputs[0].stream, inputs), End(alone.inputs[1].stream, self.stage.cycles))
        return replace(alone, inputs=ends, outputs=(End(alone.outputs[0].stream, outputs),))

    def words(self, frames: tuple[Array, ...]) -> tuple[Array, ...]:
        weights = self.op.memory(self.fold, self.xs[0])
        size = word_bytes(weights.width)
        once = np.frombuffer(b"".join(w.to_bytes(size, "little") for w in weights.words), np.uint8).reshape(-1, size)
        return *super().words(frames), np.tile(once, (len(frames[0]) * self.xs[0].pixels, 1))


def several() -> list[Case]:
    """Cases of each form, results in every slot and in few."""
    found: dict[tuple[int, ...], list[Case]] = {}
    for case in candidates(MatMul):
        if case.fold.ram == "written":
            params = case.stage.block.params
            kind = (params["FORM"], params["SF"] == 1, params["NF"] == 1, params["BIPOLAR"])
            found.setdefault(kind, []).append(Starved(case.node, case.fold))
    return [case for some in found.values() for case in some[:2]]


@pytest.fixture(scope="module")
def built(cache):
    return Bench.build(several(), cache)


def test_every_form_is_there(built):
    assert {c.stage.block.params["FORM"] for c in built.cases} == set(range(len(FORMS)))
    assert {c.stage.block.params["SF"] == 1 for c in built.cases} == {True, False}


@pytest.mark.parametrize("stalls", STALLS, ids=str)
def test_it_waits_for_its_weights(built, stalls):
    assert differences(built.run(start=3, stalls=stalls)) == []


def test_it_takes_a_weight_word_a_cycle(built):
    for case, _, run in built.run(start=4):
        assert run.timing(case.count).interval == case.stage.cycles, case


@pytest.mark.parametrize(("file", "right", "wrong"), [
    ("matmul.sv", "assign fed = w_there || !due", "assign fed = 1'b1"),  # goes on without its weights
    ("matmul.sv", "assign due = valid_d[AT-1]", "assign due = valid_d[AT-2]"),
    ("matmul.sv", "last_d[D-1] && fed)", "last_d[D-1])"),  # a result that waits counts twice
    ("matmul.sv", "assign en = room && fed", "assign en = room"),
    ("streamed.sv", "if (in1_ready) w <= in1_data", "if (!there) w <= in1_data"),
    ("streamed.sv", "!there || (en && due)", "!there || due"),
    ("streamed.sv", "if (rst) there <= 1'b0", "if (rst) there <= 1'b1"),
])
def test_faults_are_found(built, cache, file, right, wrong):
    text = library(["lutra_matmul_streamed"])[file]
    assert right in text
    bench = Bench.build(built.cases, cache, {file: text.replace(right, wrong)})
    for stalls in STALLS[1:]:
        try:
            if differences(bench.run(start=3, stalls=stalls)):
                return
        except LutraError:
            return
    pytest.fail("nobody sees it")
