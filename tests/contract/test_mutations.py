"""The contract suite must find faults. Each line here is one, put into the text of a library file; the checks that
every unit passes unharmed must fail with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cases import Bench, Case, choose, differences

from lutra.errors import LutraError
from lutra.hw.verilog import library
from lutra.ops import units
from lutra.tools.run import parallel

AT_ONCE = 2
FIRST = 4  # one in so many cases is enough for most faults: the others are built for those that it leaves
# Cases, where 12 are not what is needed.
CASES = {"Depthwise": 14, "MatMul": 36, "Pad": 20, "Reorder": 40, "Requant": 56, "Rescale": 24, "Upsample": 28,
         "Lstm": 8, "Gru": 5, "Mark": 6, "Last": 6, "Collapse": 6, "Turn": 8, "Unturn": 8}

# unit -> (file, what stands there, what shall stand there)
FAULTS: dict[str, list[tuple[str, str, str]]] = {
    "Add": [
        ("add.sv", ": a + b;", ": a - b;"),
        ("add.sv", "b - a : (LESS1", "a - b : (LESS1"),
        ("join.sv", ".out_ready(out_ready && wait1)", ".out_ready(out_ready)"),  # goes on without its partner
        ("join.sv", "assign out_valid = wait0 && wait1;", "assign out_valid = wait0;"),
        ("add.sv", "assign en        = !out_valid || out_ready;", "assign en        = 1'b1;"),  # a stall dropped
        ("add.sv", "nf == NW'(NF - 1)", "nf == NW'(NF - 2)"),
        ("add.sv", ".N(R + 1), .W(NW)", ".N(R), .W(NW)"),
        ("add.sv", ".LATE(R - R1)", ".LATE(0)"),
        ("add.sv", ".N(LATE), .W(NW)", ".N(0), .W(NW)"),
        ("add.sv", "OBITS'(wide << SHIFT)", "OBITS'(wide)"),
        ("add.sv", "(XSIGNED != 0) && x[", "1'b0 && x["),
        ("times.sv", "two   = digit == 3'b100 || digit == 3'b011", "two   = digit == 3'b100"),
        ("times.sv", "&& !(digit[1] && digit[0])", "&& !digit[1]"),
        ("times.sv", "(WSIGNED != 0) && w[WBITS-1]", "1'b0"),
        ("times.sv", "{{2{last[HW-1]}}, last[HW-1:2]}", "{2'b00, last[HW-1:2]}"),
        ("times.sv", "{part[XW], part, less}", "{part[XW], part, 1'b0}"),
    ],
    "ArgMax": [
        ("argmax.sv", "first || top > best;", "first || top >= best;"),  # the last of equals
        ("argmax.sv", "+:BITS] > value", "+:BITS] < value"),
        ("argmax.sv", "SIGNED != 0 ?", "SIGNED == 2 ?"),
        ("argmax.sv", "base + INDEX_BITS'(LANES)", "base + INDEX_BITS'(LANES + 1)"),
        ("argmax.sv", "wire better = first || top > best;", "wire better = top > best;"),  # the frame before remembered
        ("argmax.sv", "first <= last;", "first <= 1'b0;"),
        ("argmax.sv", "wire step = room && valid[LEVELS];", "wire step = valid[LEVELS];"),  # a stall dropped
        ("argmax.sv", "else if (room) valid[l]", "else valid[l]"),
        ("argmax.sv", "second ? value[(A+1)*BITS+:BITS] : value[A*BITS+:BITS]", "value[A*BITS+:BITS]"),
    ],
    "Collapse": [
        ("collapse.sv", "in0_data != previous", "1'b1"),  # repeats
        ("collapse.sv", "in0_data != BITS'(BLANK) &&", ""),
        ("collapse.sv", "previous <= in0_data", "previous <= kept ? in0_data : previous"),  # repeats around a blank
        ("collapse.sv", "closing <= t == length - 1'b1", "closing <= t == length"),
        ("collapse.sv", "previous <= BITS'(BLANK)", "previous <= in0_data"),  # the sequence before remembered
        ("collapse.sv", "assign step      = in0_valid && in0_ready", "assign step      = in0_valid"),
        ("collapse.sv", ".out_ready(closing && room)", ".out_ready(closing)"),
    ],
    "Concat": [
        ("concat.sv", "assign in1_ready = room && second;", "assign in1_ready = room;"),
        ("concat.sv", "if (take0 && last0) second", "if (take0) second"),
        ("concat.sv", "if (take1 && last1) second", "if (take1) second"),
        ("concat.sv", "take0     = in0_valid && in0_ready", "take0     = in0_valid && !second"),  # a stall dropped
        ("concat.sv", "X0SIGNED != 0 && in0_data", "1'b0 && in0_data"),
        ("concat.sv", "X1SIGNED != 0 && in1_data", "1'b0 && in1_data"),
        ("concat.sv", ".start(OBITS'(AT0))", ".start('0)"),
        ("concat.sv", ".SCALE(SCALE1)", ".SCALE(1)"),
        ("concat.sv", "second ? in1_valid : in0_valid", "in0_valid || in1_valid"),
        ("scaled.sv", "(x << k);\n            end else begin", "x;\n            end else begin"),
    ],
    "Depthwise": [
        ("depthwise.sv", "assign done = valid_d[D] && last;", "assign done = valid_d[D];"),
        ("depthwise.sv", "assign step = en && valid_d[D];", "assign step = valid_d[D];"),  # a stall dropped
        ("depthwise.sv", "assign en = !(done && out_valid);", "assign en = 1'b1;"),
        ("depthwise.sv", "assign en = !out_valid || out_ready;", "assign en = 1'b1;"),
        ("reduction.sv", "if (step && word_last) first <= last;", "if (step && word_last) first <= 1'b0;"),
        ("depthwise.sv", "prior = first ? start[", "prior = 1'b0 ? start["),
        ("depthwise.sv", "tile == TW'(TILES - 1)", "tile == TW'(TILES - 2)"),
        ("depthwise.sv", "next == NW'(WORDS - 1)", "next == NW'(WORDS - 2)"),
        ("reduction.sv", "next == AW'(WORDS - 1)", "next == AW'(0)"),
        ("reduction.sv", "mem[here] <= kept", "mem[next] <= kept"),
        ("depthwise.sv", "weight = {!w[p], 1'b1}", "weight = {w[p], 1'b1}"),
        ("depthwise.sv", "weight = w[p*WBITS+:WBITS]", "weight = w[(PE-1-p)*WBITS+:WBITS]"),  # lanes swapped
        ("depthwise.sv", "{OBITS{product[p*PW+PW-1]}}", "{OBITS{1'b0}}"),
        ("depthwise.sv", "HOLD = BLOCK != 0 ? 2 : 1", "HOLD = 1"),
        ("reduction.sv", ".step(step && word_last)", ".step(step)"),
        ("depthwise.sv", "if (en && valid_d[D-1]) next", "if (en) next"),
        ("times.sv", "one   = digit[1] ^ digit[0]", "one   = digit[1]"),
        ("times.sv", "{last[1:0], low", "{2'b00, low"),
    ],
    "Fifo": [
        ("fifo.sv", "AW'(PLACES - 1)", "AW'(PLACES - 2)"),
        ("fifo.sv", "full   <= stored == CW'(DEPTH - 1)", "full   <= stored == CW'(DEPTH)"),
        ("fifo.sv", "some   <= queued != CW'(1)", "some   <= 1'b0"),
        ("fifo.sv", "fetch = some && move", "fetch = some"),
        ("fifo.sv", "assign in_ready = !out_valid;", "assign in_ready = 1'b1;"),
        ("fifo.sv", "assign push     = in_valid && in_ready", "assign push     = in_valid"),
        ("skid.sv", "out_data <= full ? spare : in_data", "out_data <= in_data"),
        ("skid.sv", "if (!full) spare", "spare"),
    ],
    "Fork": [
        ("fork.sv", "(out_valid & ~out_ready) == '0", "out_ready != '0"),  # gone when the first sink has it
        ("fork.sv", "if (!full) spare <= in_data", "spare <= in_data"),
        ("fork.sv", "full ? spare : in_data", "in_data"),
        ("fork.sv", "out_valid <= out_valid & ~out_ready", "out_valid <= out_valid"),  # taken twice
        ("fork.sv", "if (in_valid) full <= 1'b1", "if (in_valid) full <= 1'b0"),
        ("fork.sv", "{SINKS{full || in_valid}}", "{SINKS{in_valid}}"),
    ],
    "Gated": [
        ("gated.sv", "assign slot     = !idle && (", "assign slot     = ("),
        ("gated.sv", "if (last) fresh <= second && whole", "if (last) fresh <= whole"),
        ("gated.sv", "second <= second ^ whole", "second <= whole"),
        ("gated.sv", "gone == IW'(WAIT - 1) ? '0", "gone == IW'(WAIT - 2) ? '0"),
        ("gated.sv", "waits <= pass && !second", "waits <= 1'b0"),  # gates that are not known yet
        ("gated.sv", "assign take = {PE{en}} & (gate | {PE{!second_d[AT-1]}})", "assign take = {PE{en}} & gate"),
        ("gated.sv", "{PE{!second_d[AT-1]}}", "{PE{!second_d[AT-2]}}"),
        ("gated.sv", "second_d[D-2] && !gate_late[p]", "1'b0"),  # rows whose gate is shut add something
        ("gated.sv", "twice + TOTAL'(OFFSET)", "twice"),
        ("gated.sv", "{{TOTAL{part[DW-1]}}, part}", "{{TOTAL{1'b0}}, part}"),
        ("gated.sv", ">= $signed(against", "> $signed(against"),
        ("gated.sv", "total[HALF+:OBITS]", "total[0+:OBITS]"),
        ("gated.sv", "row == NW'(NF - 1)", "row == NW'(NF - 2)"),
        ("gated.sv", ".to(row_ddd)", ".to(row_dd)"),
        ("gated.sv", "assign there[q] = x[q*3]", "assign there[q] = 1'b1"),
        ("gated.sv", "second ? x[q*3+1] : !x[q*3+2]", "second ? x[q*3+1] : x[q*3+2]"),
        ("gated.sv", "second ? x[q*2] : x[q*2+1]", "second ? x[q*2+1] : x[q*2]"),
        ("gated.sv", "assign en = !(done && out_valid)", "assign en = 1'b1"),
        ("gated.sv", ".in_valid(done), .in_ready(en)", ".in_valid(last_d[D-1]), .in_ready(en)"),
    ],
    "MatMul": [
        ("matmul.sv", "tile == TW'(TILES - 1)) ? '0", "tile == TW'(TILES - 2)) ? '0"),
        ("matmul.sv", "else if (en) valid_d", "else valid_d"),  # a stall dropped
        ("matmul.sv", "assign en = !(last_d[D-1] && out_valid)", "assign en = 1'b1"),
        ("weights.sv", "index == AW'(DEPTH - 1) ?", "index == AW'(DEPTH - 2) ?"),
        ("weights.sv", "assign en = !out_valid || out_ready", "assign en = 1'b1"),
        ("matmul.sv", "first_d[D-1] ?", "last_d[D-1] ?"),
        ("matmul.sv", "if (rst || (en && last_d[D-1])) start", "if (rst) start"),  # the pixel before remembered
        ("matmul.sv", "if (rst || (en && last_d[D-1])) start", "if (rst || last_d[D-1]) start"),
        ("planes.sv", "assign bits[q] = w[q*WBITS+a]", "assign bits[q] = w[(SIMD-1-q)*WBITS+a]"),  # lanes swapped
        ("planes.sv", "w[p*SIMD*WBITS+:SIMD*WBITS]", "w[(PE-1-p)*SIMD*WBITS+:SIMD*WBITS]"),
        ("matmul.sv", "if (write) words[index]", "words[index]"),
        ("matmul.sv", "nf == NW'(NF - 1)", "nf == NW'(NF - 2)"),
        ("planes.sv", ".NEGATIVE(XSIGNED)", ".NEGATIVE(0)"),
        ("planes.sv", ".NEGATIVE(WSIGNED)", ".NEGATIVE(0)"),
        ("pairs.sv", "(SCALE == 1)", "(SCALE != 0)"),
        ("pairs.sv", "assign sum = held - chosen", "assign sum = held + chosen"),
        ("pairs.sv", "(pick[0] ? ~a : ~b)", "(pick[0] ? ~b : ~a)"),
        ("pairs.sv", "{~chosen, ~pick[1]}", "{~chosen, 1'b1}"),
        ("pairs.sv", "fresh <= {a + b, b, a}", "fresh <= {a - b, b, a}"),
        ("pairs.sv", "(SIGNED != 0) && settled[AW-SHIFT-1]", "(SIGNED == 2)"),
        ("pairs.sv", "lutra_hold #(.N(T), .W(2)) later", "lutra_hold #(.N(0), .W(2)) later"),
        ("multiply.sv", "total[K-1] ^ S", "total[K-1]"),
        ("multiply.sv", "total <= S ? m + ", "total <= !S ? m + "),  # borrows from the upper product
        ("multiply.sv", "assign lanes[((p+1)*SIMD+q)*K+:K] = high", "assign lanes[((p+1)*SIMD+q)*K+:K] = ~high"),
        ("multiply.sv", "a        <= {(WSIGNED != 0)", "a        <= {(WSIGNED == 2)"),
        ("shifts.sv", "{W{near[NEAR-1]}}", "{W{1'b0}}"),
        ("shifts.sv", "(XSIGNED != 0) && x[", "(XSIGNED == 2) && x["),
        ("shifts.sv", "^ {W{minus}}", ""),
        ("shifts.sv", "(part & {W{some}})", "part"),
        ("shifts.sv", "near} << rest)", "near})"),
        ("shifts.sv", "Q = k / TERMS", "Q = k % SIMD"),
        ("popcount.sv", "right_side = {(SIGNED != 0) &&", "right_side = {(SIGNED == 2) &&"),
        ("popcount.sv", "assign a = xa ~^ wa", "assign a = xa ^ wa"),
        ("popcount.sv", "(low_late >> 1), carry_late}", "(low_late >> 1), 1'b0}"),
        ("popcount.sv", "twos <= (a & b) | (c & (a | b))", "twos <= (a & b) | (c & a)"),
    ],
    "MaxReduce": [
        ("maxreduce.sv", "(first || a > b)", "(first || a < b)"),
        ("maxreduce.sv", "SIGNED != 0 ?", "SIGNED == 2 ?"),
        ("maxreduce.sv", "(first || a > b)", "(a > b)"),
        ("reduction.sv", "next == AW'(WORDS - 1)", "next == AW'(WORDS - 2)"),
        ("maxreduce.sv", "wire step = in_valid && in_ready", "wire step = in_valid"),
        ("reduction.sv", ".step(step && word_last)", ".step(step)"),
        ("count.sv", "last  <= count == CW'(N - 2)", "last  <= count == CW'(N - 3)"),
    ],
    "Gru": [
        ("gru.sv", "read & {PE * HBITS{!fresh}}", "read"),  # h of the sequence before
        ("gru.sv", "RBITS'(ONE) - RBITS'(z_z)", "RBITS'(ONE) + RBITS'(z_z)"),
        ("gru.sv", "RU'(z_r) * RU'(u)", "RU'(z_now) * RU'(u)"),
        ("gru.sv", "if (there[4]) read_at", "if (there[3]) read_at"),
        ("gru.sv", "wait_z (.clk, .en,", "wait_z (.clk, .en(1'b1),"),  # a stall dropped
        ("gru.sv", "ABITS'(ru) << RU_SHIFT", "ABITS'(ru)"),
        ("recurrent.sv", "if (SPLIT == 0 || s < GATES - 1)", "if (SPLIT == 0 || s < GATES)"),
        ("recurrent.sv", "over && ends});", "over});"),  # a last word in each round
    ],
    "Lstm": [
        ("recurrent.sv", "if (step && last_sf) first_nf <= last_nf", "if (step && last_sf) first_nf <= 1'b1"),
        ("recurrent.sv", "32'(sf) + SR >= SF", "32'(sf) < SR"),  # h too early
        ("recurrent.sv", "&& (in0_valid || !first_nf || !x_on)", ""),
        ("recurrent.sv", "assign ends      = t == length - 1'b1", "assign ends      = t == length"),
        ("recurrent.sv", "if (en && valid_d[D-1]) sums", "if (valid_d[D-1]) sums"),
        ("recurrent.sv", "initial_d[1]}}", "1'b0}}"),  # h of the sequence before
        ("recurrent.sv", "place == BW'(WORDS - 1)", "place == BW'(WORDS - 2)"),
        ("recurrent.sv", "base  <= AW'(CONTEXTS * ROWS)", "base  <= '0"),  # h of this round, not of the last
        ("recurrent.sv", "if (sum_end) row <= '0", "if (step_end) row <= '0"),
        ("recurrent.sv", "write(en && store && bank == BW'(b))", "write(en && store)"),
        ("recurrent.sv", "assign past = fetched[group_dd*SIMD*HBITS+:SIMD*HBITS]",
         "assign past = fetched[group_d*SIMD*HBITS+:SIMD*HBITS]"),
        ("recurrent.sv", "SF == 1 || first_d[D-1]", "SF == 1 || last_d[D-1]"),
        ("recurrent.sv", "aligned & {ROWS * ABITS{on_d}}", "aligned"),
        ("lstm.sv", "read & {PE * CBITS{!fresh}}", "read"),  # c of the sequence before
        ("lstm.sv", "IG'(z_i) * IG'(z_g)", "IG'(z_f) * IG'(z_g)"),
        ("lstm.sv", "if (there[4]) write_at", "if (there[3]) write_at"),
        ("lstm.sv", "peep_f <= (PW'(p_f)", "peep_f <= (PW'(p_i)"),
        ("lstm.sv", "PW'(weight_o) * PW'(c)", "PW'(weight_o) * PW'(c_past)"),  # o sees the new c
        ("lstm.sv", "<<< FC_SHIFT", "<<< IG_SHIFT"),
        ("lstm.sv", "CELL = PEEPHOLES != 0 ? 11 : 8", "CELL = PEEPHOLES != 0 ? 11 : 9"),
        ("cast.sv", "floor + QBITS'({1'b0, up})", "floor"),
    ],
    "Last": [
        ("last.sv", "32'(t) == 32'(length)", "32'(t) == 32'(length) - 1"),
        ("last.sv", "in0_valid && busy && last_column", "in0_valid && busy"),
        ("last.sv", "in0_valid && busy && last_column", "in0_valid && last_column"),
        ("last.sv", "assign step        = in0_valid && in0_ready", "assign step        = in0_valid"),
        ("last.sv", "if (step && last_word) t", "if (step) t"),
        ("last.sv", "t <= last_column ? TW'(1) : t", "t <= t"),
        ("last.sv", "step && last_word && last_column", "step && last_column"),
    ],
    "Mark": [
        ("mark.sv", "t == length - 1'b1", "t == length"),
        ("mark.sv", "assign last      = last_word &&", "assign last      ="),
        ("mark.sv", "assign step      = in0_valid && in0_ready", "assign step      = in0_valid"),
        ("mark.sv", "if (step && last_word) t", "if (step) t"),
        ("mark.sv", ".in_valid(in0_valid && busy)", ".in_valid(in0_valid)"),
    ],
    "Mul": [
        ("join.sv", ".out_ready(out_ready && wait0)", ".out_ready(out_ready)"),  # goes on without its partner
        ("join.sv", "assign out_valid = wait0 && wait1;", "assign out_valid = wait1;"),
        ("mul.sv", "assign en        = !out_valid || out_ready;", "assign en        = 1'b1;"),  # a stall dropped
        ("mul.sv", "X0SIGNED != 0 && x0", "1'b0 && x0"),
        ("mul.sv", "X1SIGNED != 0 && x1", "1'b0 && x1"),
        ("mul.sv", ".N(R - 1), .W(OBITS)", ".N(0), .W(OBITS)"),
        ("mul.sv", ".WSIGNED(X1SIGNED)", ".WSIGNED(0)"),
        ("mul.sv", ".start(OBITS'(AT))", ".start('0)"),
        ("mul.sv", ".XSIGNED(X0SIGNED)", ".XSIGNED(X1SIGNED)"),
        ("times.sv", "{prior, 1'b1}", "{prior, 1'b0}"),
        ("times.sv", "{value, 1'b0}", "{1'b0, value}"),
        ("scaled.sv", "SCALE < 0 ? -SCALE : SCALE", "SCALE"),
        ("scaled.sv", "W] - (x << k)", "W] + (x << k)"),
    ],
    "Pad": [
        ("pad.sv", "assign interior = in_columns && in_rows", "assign interior = in_columns || in_rows"),
        ("span.sv", "count == CW'(BEFORE - 1)", "count == CW'(BEFORE)"),
        ("span.sv", "count == CW'(BEFORE + REACH - 1)", "count == CW'(BEFORE + REACH)"),
        ("span.sv", ".rst(rst || (step && enter))", ".rst(rst)"),
        ("span.sv", "(spanned && !leave && again)", "(!leave && again)"),
        ("span.sv", ".N(GAP + 1)", ".N(GAP + 2)"),
        ("pad.sv", "{LANES{BORDER[OUT_BITS-1:0]}}", "'0"),
        ("pad.sv", "wire sign = IN_SIGNED != 0 && code[IN_BITS-1]", "wire sign = 1'b0"),
        ("pad.sv", "ADD + MUL;", "ADD - MUL;"),
    ],
    "Reorder": [
        ("reorder.sv", "assign in_ready = !full[1]", "assign in_ready = 1'b1"),  # overruns
        ("reorder.sv", "assign read     = full != 2'd0", "assign read     = 1'b1"),
        ("reorder.sv", "- 2'(step && out_last)", "- 2'(step && wrap)"),
        ("address.sv", "far[AW] ? raddr + ahead", "1'b0 ? raddr + ahead"),
        ("address.sv", "!last2 ? (AW + 1)'(STEP2)", "!last2 ? (AW + 1)'(STEP3)"),
        ("address.sv", "(AW + 1)'(STEP_BLOCK)", "(AW + 1)'(STEP1)"),
        ("address.sv", "raddr <= AW'(FIRST)", "raddr <= '0"),
        ("address.sv", "half[0] ^ last", "half[0]"),
        ("address.sv", "(half[D] ? AW'(WORDS) : '0)", "(half[D-1] ? AW'(WORDS) : '0)"),
        ("address.sv", "wire turn = step || !begun[D]", "wire turn = step || !begun[D-1]"),
        ("reorder.sv", "i/BLOCK*BLOCK*BITS", "0"),
        ("ram.sv", "assign move = !fetched_valid || move_out", "assign move = 1'b1"),
        ("ram.sv", "assign move = move_out", "assign move = 1'b1"),
    ],
    "Requant": [
        ("requant.sv", "if (en) x <= in_data", "x <= in_data"),
        ("requant.sv", "else if (en) valid_d", "else valid_d"),
        ("cast.sv", "? negative && (half || rest)", "? negative && half"),
        ("cast.sv", "ROUNDING == 3 ? half && (rest || negative)", "ROUNDING == 3 ? half && (rest || !negative)"),
        ("cast.sv", "ROUNDING == 4 ? half && rest", "ROUNDING == 4 ? half"),
        ("cast.sv", ": half && (rest || floor[0])", ": half && rest"),
        ("cast.sv", "(outside ? below : least)", "(outside && below)"),
        ("cast.sv", "(outside ? below : least)", "least"),
        ("cast.sv", "SIGNED != 0 && below}", "1'b0}"),
        ("cast.sv", "above != quotient[WIDTH-1]", "above"),
        ("cast.sv", "above    = floor[WIDTH]", "above    = floor[WIDTH-1]"),
        ("cast.sv", "below ? LOW : ~LOW", "below ? ~LOW : LOW"),
        ("cast.sv", "{WIDTH{!outside}}", "{WIDTH{1'b1}}"),
        ("cast.sv", "<< LEFT", "<< (LEFT / 2)"),
    ],
    "Rescale": [
        ("rescale.sv", "nf == NW'(NF - 1)", "nf == NW'(NF - 2)"),
        ("rescale.sv", "(floor[0] || |total[SHIFT-2:0])", "(|total[SHIFT-2:0])"),  # half always down
        ("rescale.sv", "total[0] && floor[0]", "total[0]"),
        ("rescale.sv", "total >>> SHIFT", "total >> SHIFT"),
        ("rescale.sv", "quotient < QBITS'(LO) ? QBITS'(LO)", "quotient < QBITS'(LO) ? QBITS'(HI)"),
        ("rescale.sv", "if (en) x <= in_data", "x <= in_data"),
        ("rescale.sv", "else if (en && in_valid) nf", "else if (en) nf"),
        ("rescale.sv", ".NEGATIVE(MSIGNED)", ".NEGATIVE(0)"),
    ],
    "Slice": [
        ("slice.sv", "in_valid && in_words && in_columns && in_rows", "in_valid && in_words && in_columns"),
        ("slice.sv", "in_valid && in_words && in_columns && in_rows", "in_valid && in_columns && in_rows"),
        ("slice.sv", "wire step = in_valid && in_ready", "wire step = in_valid"),
        ("slice.sv", ".step(row_end)", ".step(pixel_end)"),
        ("span.sv", "count == CW'(N - 1)", "count == CW'(N - 2)"),
        ("span.sv", "if (rst) interior <= BEFORE == 0;\n                    else if (step && enter)",
         "if (rst) interior <= 1'b0;\n                    else if (step && enter)"),
    ],
    "Table": [
        ("table.sv", "nf == NW'(NF - 1)", "nf == NW'(NF - 2)"),
        ("table.sv", "if (in_valid) nf", "nf"),
        ("table.sv", "end else if (en) begin", "end else begin"),
        ("table.sv", "[(p%LANES)*OBITS+:OBITS]", "[0+:OBITS]"),
        ("table.sv", "if (en) node", "node"),
    ],
    "Threshold": [
        ("threshold.sv", ">= threshold[p*TBITS+:TBITS]", "> threshold[p*TBITS+:TBITS]"),  # equality must count
        ("threshold.sv", "^ {K{flip[p]}}", "^ {K{1'b0}}"),
        ("threshold.sv", "next == NW'(NF - 1)", "next == NW'(NF - 2)"),
        ("threshold.sv", "XBITS'(1) << (XBITS - 1)", "XBITS'(1)"),
        ("threshold.sv", "if (en) threshold[", "threshold["),
        ("threshold.sv", "+ OBITS'(OFFSET)", ""),
        ("threshold.sv", "else if (en) valid_d", "else valid_d"),
    ],
    "Turn": [
        ("turn.sv", "assign in0_ready = busy && !full[wbank]", "assign in0_ready = busy"),  # overruns
        ("turn.sv", "(rbank ? length1 : length0)", "(rbank ? length0 : length1)"),
        ("turn.sv", "rbank ? roffset + AW'(HALF)", "1'b0 ? roffset + AW'(HALF)"),
        ("turn.sv", "begun ? rears[0+:AW] : starts[which*AW+:AW]", "rears[0+:AW]"),
        ("turn.sv", "AW'(1 - WORDS - STRIDE)", "AW'(1 - STRIDE)"),
        ("turn.sv", "else if (en) valid <= D'({valid, read})", "else valid <= D'({valid, read})"),
        ("turn.sv", "round_end && t == longest - 1'b1", "round_end && t == longest"),
        ("turn.sv", "take && in_data > most", "take"),  # the last length, not the greatest
        ("turn.sv", "over[0] || t == length - 1'b1", "t == length - 1'b1"),  # back after a round
        ("turn.sv", "gone[D-1] ?", "1'b0 ?"),
        ("turn.sv", "AW'(SPAN - WORDS + 1)", "AW'(1)"),
    ],
    "Unturn": [
        ("turn.sv", ".UNTURN(1)", ".UNTURN(0)"),
        ("turn.sv", "STRIDE = UNTURN != 0 ? DIRECTIONS * WORDS : WORDS", "STRIDE = DIRECTIONS * WORDS - UNTURN"),
        ("turn.sv", "AW'(STRIDE - WORDS + 1 - (SEQUENCES - 1) * SPAN)", "AW'(1)"),
        ("turn.sv", "if (write && last_in && wbank) length1", "if (write && last_in) length1"),
        ("turn.sv", "+ AW'(s * SPAN) - AW'(WORDS)", "+ AW'(s * SPAN)"),
        ("turn.sv", "if (last_word) back <= DIRECTIONS == 2", "if (round_end) back <= DIRECTIONS == 2"),
        ("turn.sv", "write(write && keep)", "write(write)"),  # columns that a sequence has not
        ("turn.sv", "offset <= next", "offset <= offset + 1'b1"),
        ("turn.sv", "which  <= which + 1'b1", "which  <= '0"),  # each as long as the first
    ],
    "Upsample": [
        ("upsample.sv", "wire fresh = first_copy && first_line", "wire fresh = first_line"),
        ("upsample.sv", "wire fresh = first_copy && first_line", "wire fresh = first_copy"),
        ("upsample.sv", "AW'(1 - WORDS)", "AW'(-WORDS)"),
        ("upsample.sv", "if (row_end) first_line <= line_last", "if (row_end) first_line <= 1'b0"),
        ("upsample.sv", "passes ? passed : fetched", "passed"),
        ("upsample.sv", "if (room) passes <= fresh", "passes <= fresh"),  # a stall dropped
        ("upsample.sv", "if (step && fresh) word <= in_data", "if (step) word <= in_data"),
        ("upsample.sv", ".fetch(room)", ".fetch(1'b1)"),
        ("upsample.sv", "else if (room) late <= valid", "else late <= valid"),
    ],
    "Width": [
        ("width.sv", "out_data <= {in_data, parts}", "out_data <= {parts, in_data}"),
        ("width.sv", "assign in_ready = !(last && out_valid)", "assign in_ready = 1'b1"),
        ("width.sv", "else if (step) fresh <= last", "else fresh <= last"),
        ("width.sv", "fresh ? in_data[WIDTH-1:0] : parts", "fresh ? in_data[RATIO*WIDTH-1-:WIDTH] : parts"),
        ("width.sv", "left < LW'(OUT_LANES)", "left <= LW'(OUT_LANES)"),
        ("width.sv", "left >= LW'(OUT_LANES - IN_LANES)", "left > LW'(OUT_LANES - IN_LANES)"),
        ("width.sv", "all >> (OUT_LANES * BITS)", "all"),
    ],
    "Window": [
        ("window.sv", "room <= room + given - RW'(row_done)", "room <= room + given"),  # overruns
        ("window.sv", "waddr <= wrap ? '0", "waddr <= row_end ? '0"),
        ("window.sv", "have >= RW'(NEED + DEBT)", "have >= RW'(NEED + DEBT - 1)"),
        ("window.sv", "!kh_last ? (AW + 1)'(STEP_KH)", "!kh_last ? (AW + 1)'(STEP_KW)"),
        ("window.sv", "!column_last ? (AW + 1)'(STEP_COLUMN)", "!column_last ? (AW + 1)'(STEP_ROW)"),
        ("window.sv", "(AW + 1)'(STEP_FRAME)", "(AW + 1)'(STEP_ROW)"),
        ("window.sv", "far[AW] ? raddr + ahead", "1'b0 ? raddr + ahead"),  # never wraps
        ("ram.sv", "assign move = move_out", "assign move = 1'b1"),
        ("window.sv", "read_end <= end_row", "read_end <= 1'b0"),  # rows are never given back
        ("ram.sv", ".fetch(move)", ".fetch(1'b1)"),
    ],
}


def complaint(cases: list[Case], cache: Path, changed: dict[str, str]) -> str:
    """What the contract says of these cases with library files changed; nothing where it is satisfied."""
    try:
        bench = Bench.build(cases, cache, changed)
        for stalls in ((0.0, 0.0), (0.4, 0.4), (0.0, 0.7)):
            results = bench.run(start=11, stalls=stalls)
            if wrong := differences(results):
                return f"other integers: {wrong[0]}"
        if late := [c for c, _, r in bench.run(start=11, whole=True) if not timely(c, r)]:
            return f"other times: {late[0]}"
    except LutraError as e:
        return str(e)
    return ""


def told(cases: list[Case], cache: Path, changed: dict[str, str]) -> str:
    """The same, first of the cases that tell most."""
    few = -(-len(cases) // FIRST)
    return complaint(cases[:few], cache, changed) or complaint(cases[few:], cache, changed)


def timely(case: Case, run) -> bool:
    taken, there = case.stage.times(tuple(np.zeros(len(sent), np.int64) for sent in run.sent))
    return all(map(np.array_equal, run.sent, taken)) and all(case.on_time(end, there) for end in run.received)


def test_every_unit_has_faults():
    assert set(FAULTS) == {u.__name__ for u in units()}
    assert all(len(faults) >= 5 for faults in FAULTS.values())


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_found(name, cache):
    (unit,) = [u for u in units() if u.__name__ == name]
    cases = choose(unit, CASES.get(name, 12))
    texts = library(i.block.module for c in cases for i in c.netlist.instances)
    assert complaint(cases, cache, {}) == ""
    jobs = []
    for file, old, new in FAULTS[name]:
        assert old in texts[file], f"{file} has no {old!r} any more: choose another fault"
        jobs.append(partial(told, cases, cache, {file: texts[file].replace(old, new)}))
    found = dict(zip(FAULTS[name], parallel(jobs, AT_ONCE), strict=True))
    assert not [f for f, said in found.items() if "verilator failed" in said], "these do not even compile"
    assert not [f for f, said in found.items() if not said], "nobody sees these"
