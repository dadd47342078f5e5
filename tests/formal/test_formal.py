"""Proofs of the stream primitives and stream operators, and that the properties can fail.

Skid, FIFO, fork and width converters: no element lost, repeated, altered or out of order, no deadlock, the rules of a
stream, all for ever, by induction. Operators with frames: the rules and no deadlock by induction; their values against
a reference for every input and every stall in the first cycles, which are a few frames (`reference.sv`). Joins: the
rules, no deadlock, and a word of each input for each that is given, by induction; their values as those of operators
with frames (`joins.sv`). What reads memory: see `memory.sv`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra.errors import LutraError
from lutra.ir import Constant, Range, Tensor
from lutra.ops.argmax.op import ArgMax
from lutra.ops.base import Fold
from lutra.ops.maxreduce.op import MaxReduce
from lutra.ops.pad.op import Pad
from lutra.ops.reorder.op import Reorder
from lutra.ops.slice.op import Slice
from lutra.ops.upsample.op import Upsample
from lutra.ops.window.op import Window
from lutra.tools.formal import prove

LUTRA = Path(lutra.__file__).parent
FORMAL = [LUTRA / "hw/formal/order.sv",
          *(Path(__file__).with_name(f"{n}.sv") for n in ("reference", "joins", "memory"))]
PRIMITIVES = [LUTRA / f"hw/rtl/{n}.sv" for n in ("count", "span", "skid", "ram", "fifo", "join", "reduction")]
OPERATORS = [LUTRA / f"ops/{n}/{n}.sv" for n in ("width", "pad", "window", "maxreduce", "argmax", "slice", "upsample",
                                                       "reorder", "fetch")] + [LUTRA / "ops/reorder/address.sv"]
JOINS = [LUTRA / f"ops/{n}.sv" for n in ("fork/fork", "add/add", "mul/mul", "mul/scaled", "mul/times", "concat/concat",
                                         "matmul/weigh")]
SOURCES = PRIMITIVES + OPERATORS + JOINS + FORMAL
FOREVER = 7  # cycles of an induction: more than the patience of `formal_rules`
FRAMES = 12  # cycles of a bounded proof
PAIRS = 9  # of one of joins: several words of each input

IN_ORDER = [
    ("lutra_skid", {"WIDTH": 2}),
    ("lutra_fifo", {"WIDTH": 2, "DEPTH": 1}), ("lutra_fifo", {"WIDTH": 1, "DEPTH": 2}),
    ("lutra_fifo", {"WIDTH": 2, "DEPTH": 3}), ("lutra_fifo", {"WIDTH": 2, "DEPTH": 5}),
    ("lutra_fifo", {"WIDTH": 1, "DEPTH": 4, "BLOCK": 1}), ("lutra_fifo", {"WIDTH": 1, "DEPTH": 6, "BLOCK": 1}),
    ("lutra_width", {"BITS": 2, "IN_LANES": 1, "OUT_LANES": 2}),
    ("lutra_width", {"BITS": 1, "IN_LANES": 2, "OUT_LANES": 10}),
    ("lutra_width", {"BITS": 1, "IN_LANES": 4, "OUT_LANES": 1}),
    ("lutra_width", {"BITS": 2, "IN_LANES": 6, "OUT_LANES": 3}),
    ("lutra_width", {"BITS": 2, "IN_LANES": 3, "OUT_LANES": 2}),
    ("lutra_width", {"BITS": 1, "IN_LANES": 3, "OUT_LANES": 5})]


def window(shape, taps, stride=(1, 1), dilation=(1, 1), ram="lut"):
    params = Window(taps, stride, dilation).block(Fold(ram=ram), Tensor(shape, Range(0, 1))).params
    where = {"HEIGHT": shape[0], "SH": stride[0], "SW": stride[1], "DH": dilation[0], "DW": dilation[1]}
    return "window", params, where


def framed(name, op, shape, elem, simd=1, ram="auto"):
    return name, op.block(Fold(1, simd, ram), Tensor(shape, elem)).params, {}


def transposed(rows, columns, ram="auto"):
    order = np.arange(rows * columns).reshape(rows, columns).T.reshape(-1)
    x = Tensor((2, rows * columns), Range(0, 1))
    return "reorder", Reorder(Constant(order), x.shape).block(Fold(ram=ram), x).params, {"R": rows, "C": columns}


FRAMED = [
    window((2, 2, 1), (2, 1)), window((1, 3, 1), (1, 2)), window((3, 2, 1), (1, 1), stride=(2, 1)),
    window((3, 1, 2), (2, 1), dilation=(2, 1)), window((2, 2, 1), (1, 2), ram="block"),
    framed("pad", Pad((1, 0), (0, 1)), (1, 2, 1), Range(-1, 1, 2)),
    framed("pad", Pad((0, 1), (1, 0), 3), (2, 1, 2), Range(-2, 1), simd=2),
    framed("pad", Pad((0, 1), (0, 0), 0, (1, 2)), (2, 2, 1), Range(0, 1)),
    framed("maxreduce", MaxReduce(3), (6,), Range(-2, 1)), framed("maxreduce", MaxReduce(2), (4,), Range(0, 3), simd=2),
    framed("argmax", ArgMax(), (6,), Range(-2, 1), simd=3), framed("argmax", ArgMax(), (3,), Range(0, 1)),
    framed("slice", Slice((0, 1, 0), (1, 2, 2)), (2, 2, 4), Range(0, 3), simd=2),
    framed("slice", Slice((1, 0, 1), (2, 1, 2)), (2, 1, 2), Range(-2, 1)),
    framed("upsample", Upsample((2, 2)), (1, 2, 1), Range(0, 3)),
    framed("upsample", Upsample((2, 1)), (2, 1, 2), Range(0, 1), ram="block"),
    framed("upsample", Upsample((1, 3)), (1, 2, 2), Range(0, 1)),
    framed("upsample", Upsample((3, 1)), (2, 1, 1), Range(0, 1)),
    transposed(2, 2), transposed(2, 2, "block"), transposed(1, 3)]

FORKS = [{"WIDTH": 2, "SINKS": 2}, {"WIDTH": 1, "SINKS": 3}]
MEETINGS = [("proof_add", {"XBITS": 1}), ("proof_add", {"XBITS": 2, "LESS": 1}), ("proof_mul", {"XBITS": 2}),
            ("proof_concat", {"WORDS0": 1, "WORDS1": 2}), ("proof_concat", {"WORDS0": 3, "WORDS1": 1})]

MEMORY = [{"WIDTH": 3, "WORDS": 5}, {"WIDTH": 9, "WORDS": 3, "DEPTH": 4}, {"WIDTH": 8, "WORDS": 4, "BURST": 4},
          {"WIDTH": 8, "WORDS": 1}]
CUTS = [{"PER": 2, "WORDS": 3}, {"PER": 3, "WORDS": 4}, {"PER": 3, "WORDS": 2}, {"PER": 2, "WORDS": 1}]

LABELS = [f"{name}-{i}" for i, (name, *_) in enumerate(FRAMED)]


@pytest.mark.parametrize(("module", "params"), IN_ORDER, ids=str)
def test_order_and_progress_for_ever(module, params):
    prove(module, params, SOURCES, cycles=FOREVER)


@pytest.mark.parametrize(("name", "params", "where"), FRAMED, ids=LABELS)
def test_rules_and_progress_for_ever(name, params, where):
    prove(f"lutra_{name}", params, SOURCES, cycles=FOREVER)


@pytest.mark.parametrize(("name", "params", "where"), FRAMED, ids=LABELS)
def test_values_of_the_first_frames(name, params, where):
    prove(f"reference_{name}", {**params, **where}, SOURCES, cycles=FRAMES, induction=False)


@pytest.mark.parametrize("params", FORKS, ids=str)
def test_every_branch_of_a_fork_gets_every_word(params):
    prove("proof_fork", params, SOURCES, cycles=FOREVER)


@pytest.mark.parametrize(("module", "params"), MEETINGS, ids=str)
def test_joins_take_one_word_of_each_for_ever(module, params):
    prove(module, params, SOURCES, cycles=FOREVER)
    prove(module, {**params, "VALUES": 1}, SOURCES, cycles=PAIRS, induction=False)


@pytest.mark.parametrize("params", MEMORY, ids=str)
def test_memory_is_asked_for_what_has_room_for_ever(params):
    prove("proof_fetch", params, SOURCES, cycles=FOREVER)


@pytest.mark.parametrize("params", CUTS, ids=str)
def test_a_beat_gives_its_words(params):
    prove("proof_cut", params, SOURCES, cycles=FRAMES, induction=False)


FAULTS = [
    ("asked for without room", "fetch", "!spare[RW-1] &&", "", ("proof_fetch", MEMORY[0])),
    ("an address that does not wait", "fetch", "(!m_axi_arvalid || m_axi_arready)", "1'b1", ("proof_fetch", MEMORY[0])),
    ("a burst beyond the region", "fetch", "last ? 8'(LEFT - 1) : 8'(BURST - 1)", "8'(BURST - 1)",
     ("proof_fetch", MEMORY[0])),
    ("what is left of a beat", "fetch", "last = full || ended", "last = full", ("proof_cut", CUTS[0])),
    ("a sink that is served twice", "fork", "out_valid <= out_valid & ~out_ready;", "out_valid <= out_valid;",
     ("proof_fork", FORKS[0])),
    ("a fork that goes on with its fastest sink", "fork", "(out_valid & ~out_ready) == '0",
     "(out_valid & out_ready) != '0", ("proof_fork", FORKS[1])),
    ("a word goes on without its partner", "join", ".out_ready(out_ready && wait1)", ".out_ready(out_ready)",
     ("proof_add", MEETINGS[0][1])),
    ("the wrong sign", "add", "(LESS1 != 0) ? a - b", "(LESS1 != 0) ? b - a",
     ("proof_add", {**MEETINGS[1][1], "VALUES": 1})),
    ("a product that does not wait", "mul", "en        = !out_valid || out_ready", "en        = 1'b1",
     ("proof_mul", MEETINGS[2][1])),
    ("a sum of the product's rows", "times", "{prior, 1'b1} +", "{prior, 1'b1} -",
     ("proof_mul", {**MEETINGS[2][1], "VALUES": 1})),
    ("both inputs at once", "concat", "in1_ready = room && second", "in1_ready = room", MEETINGS[3]),
    ("the second stream a word too long", "concat", "(take1 && last1)", "(take1 && !last1)",
     ("proof_concat", {**MEETINGS[3][1], "VALUES": 1})),
    ("a full slice goes on taking", "skid", "assign in_ready = !full;", "assign in_ready = 1'b1;", IN_ORDER[0]),
    ("the spare word is overwritten", "skid", "if (!full) spare", "spare", IN_ORDER[0]),
    ("the output does not wait", "ram", "assign move = move_out", "assign move = 1'b1", IN_ORDER[3]),
    ("a FIFO takes one word too many", "fifo", "stored == CW'(DEPTH - 1)", "stored == CW'(DEPTH)", IN_ORDER[3]),
    ("a FIFO that never forgets being full", "fifo", "full   <= 1'b0;\n            end", "end", IN_ORDER[4]),
    ("a converter that does not wait", "width", "!(last && out_valid)", "1'b1", IN_ORDER[7]),
    ("parts in the wrong order", "width", "{in_data, parts} >> WIDTH", "{parts, in_data}", IN_ORDER[8]),
    ("a word too early", "width", "left >= LW'(OUT_LANES - IN_LANES)", "left >= LW'(1)", IN_ORDER[12]),
    ("a row of outputs too early", "window", "(!start || have >= RW'(NEED + DEBT))", "1'b1",
     ("reference_window", {**FRAMED[0][1], **FRAMED[0][2]})),
    ("a row given back too early", "window", "give = move && read && read_end", "give = move && read",
     ("lutra_window", FRAMED[0][1])),
    ("a border one too narrow", "span", "count == CW'(BEFORE - 1)", "count == CW'(BEFORE)",
     ("reference_pad", FRAMED[6][1])),
    ("signs not seen", "maxreduce", "SIGNED != 0 ?", "SIGNED == 2 ?", ("reference_maxreduce", FRAMED[8][1])),
    ("a word outside the box", "slice", "in_valid && in_words && in_columns", "in_valid && in_words",
     ("reference_slice", FRAMED[12][1])),
    ("a copy of another word", "upsample", "if (step && fresh) word", "if (step) word",
     ("reference_upsample", FRAMED[17][1])),
    ("a half overwritten", "reorder", "!full[1]", "1'b1",
     ("reference_reorder", {**FRAMED[20][1], **FRAMED[20][2]})),
    ("the last of equals", "argmax", "top > best", "top >= best", ("reference_argmax", FRAMED[11][1]))]


@pytest.mark.parametrize(("name", "right", "wrong", "of"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_found(tmp_path, name, right, wrong, of):
    """A changed module fails within the same bound that the right one passes; the assertion's place is told."""
    path = next(p for p in SOURCES if p.stem == name)
    text = path.read_text()
    assert right in text
    changed = tmp_path / path.name
    changed.write_text(text.replace(right, wrong))
    module, params = of
    sources = [changed if p == path else p for p in SOURCES]
    with pytest.raises(LutraError, match=r"not proved: .*Assert failed in .*\.sv:\d+"):
        prove(module, params, sources, cycles=FRAMES, induction=False)
