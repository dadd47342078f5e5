// y = 2 P_M + [P_M >= level] P_L for PE rows at a time, P_M and P_L the products of weights -1 and +1 with the planes M and L
// of an activation 2 M + L. A pixel takes NF * SF slots for the first plane, WAIT idle ones, and NF * SF slots for the
// second, in the order of `lutra_matmul`. A row whose gate is shut adds nothing in the second pass, and the registers of
// its popcount stand still.
//
// A code of x is two bits {M, L}, 1 for +1; where MASKED it is the value in two's complement, three bits, whose lowest
// is low for what counts nothing, and the others are {not M, L}.
//
// The pipeline moves when `en` is high, as that of `lutra_matmul_core`.
module lutra_gated #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int MASKED = 0,
    parameter int PBITS = 2,  // of P_M and of a level, two's complement
    parameter int OFFSET = 0,  // added to y, then it is halved where HALF
    parameter int HALF = 0,
    parameter int OBITS = 1,
    parameter int WAIT = 0,
    parameter int DEPTH = 4,  // registers from a slot to its sum
    parameter int BLOCK = 0,
    parameter WEIGHTS = "",  // NF * SF words of PE * SIMD codes
    parameter LEVELS = ""  // NF words of PE levels
) (
    input  logic                               clk,
    input  logic                               rst,
    input  logic [SIMD*(MASKED != 0 ? 3:2)-1:0] in_data,
    input  logic                               in_valid,
    output logic                               in_ready,
    output logic [PE*OBITS-1:0]                out_data,
    output logic                               out_valid,
    input  logic                               out_ready
);
    logic [PE-1:0] unused_opened;
    lutra_gated_core #(
        .PE(PE), .SIMD(SIMD), .NF(NF), .SF(SF), .MASKED(MASKED), .PBITS(PBITS), .OFFSET(OFFSET), .HALF(HALF),
        .OBITS(OBITS), .WAIT(WAIT), .DEPTH(DEPTH), .BLOCK(BLOCK), .WEIGHTS(WEIGHTS), .LEVELS(LEVELS)
    ) core (.clk, .rst, .in_data, .in_valid, .in_ready, .out_data, .opened(unused_opened), .out_valid, .out_ready);
endmodule

// The same, with a bit for each row of a word that says that its gate was open.
module lutra_gated_core #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int MASKED = 0,
    parameter int PBITS = 2,
    parameter int OFFSET = 0,
    parameter int HALF = 0,
    parameter int OBITS = 1,
    parameter int WAIT = 0,
    parameter int DEPTH = 4,
    parameter int BLOCK = 0,
    parameter WEIGHTS = "",
    parameter LEVELS = "",
    parameter int XBITS = MASKED != 0 ? 3 : 2
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [SIMD*XBITS-1:0] in_data,
    input  logic                  in_valid,
    output logic                  in_ready,
    output logic [PE*OBITS-1:0]   out_data,
    output logic [PE-1:0]         opened,
    output logic                  out_valid,
    input  logic                  out_ready
);
    localparam int TILES = NF * SF;
    localparam int TW = TILES > 1 ? $clog2(TILES) : 1;
    localparam int SW = SF > 1 ? $clog2(SF) : 1;
    localparam int NW = NF > 1 ? $clog2(NF) : 1;
    localparam int D = DEPTH;
    localparam int AT = MASKED != 0 ? 2 : 3;  // registers from a slot to its weights
    localparam int TOTAL = OBITS + HALF > PBITS ? OBITS + HALF : PBITS;
    localparam int CW = $clog2(SIMD + 1);
    localparam int DW = CW + 2;  // of a slot's sum

    // One slot a cycle.
    logic en, slot, idle, fresh, second, first, last;
    logic [SW-1:0] sf;
    logic [TW-1:0] tile;
    wire whole = tile == TW'(TILES - 1);
    wire pass  = slot && whole;
    assign in_ready = en && fresh;
    assign slot     = !idle && (!fresh || in_valid);
    assign first    = sf == '0;
    assign last     = sf == SW'(SF - 1);
    always_ff @(posedge clk)
        if (rst) begin
            tile   <= '0;
            sf     <= '0;
            fresh  <= 1'b1;
            second <= 1'b0;
        end else if (en && slot) begin
            sf     <= last ? '0 : sf + 1'b1;
            tile   <= whole ? '0 : tile + 1'b1;
            second <= second ^ whole;
            if (last) fresh <= second && whole;
        end
    generate
        if (WAIT == 0) begin : g_at_once
            assign idle = 1'b0;
            logic unused_pass;
            assign unused_pass = pass;
        end else begin : g_wait
            localparam int IW = WAIT > 1 ? $clog2(WAIT) : 1;
            logic [IW-1:0] gone;
            logic waits;
            assign idle = waits;
            always_ff @(posedge clk)
                if (rst) begin
                    waits <= 1'b0;
                    gone  <= '0;
                end else if (en) begin
                    if (waits) begin
                        gone  <= gone == IW'(WAIT - 1) ? '0 : gone + 1'b1;
                        waits <= gone != IW'(WAIT - 1);
                    end else waits <= pass && !second;
                end
        end
    endgenerate

    // What goes with the data: bit i is i + 1 registers after the slot.
    logic [D-1:0] valid_d, first_d, last_d, second_d;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= D'({valid_d, slot});
        if (rst) last_d <= '0;
        else if (en) last_d <= D'({last_d, slot && last});
        if (en) first_d <= D'({first_d, first});
        if (en) second_d <= D'({second_d, second});
    end

    logic [SIMD*XBITS-1:0] x;
    logic [TW-1:0] tile_d;
    logic [PE*SIMD-1:0] w;
    lutra_replay #(.WIDTH(SIMD * XBITS), .NF(2 * NF), .SF(SF), .SW(SW)) replay (
        .clk, .en, .write(fresh), .index(sf), .in_data, .out_data(x));
    lutra_delay #(.N(AT - (BLOCK != 0 ? 2 : 1)), .W(TW)) follow (.clk, .en, .in_data(tile), .out_data(tile_d));
    lutra_rom #(.WIDTH(PE * SIMD), .DEPTH(TILES), .BLOCK(BLOCK), .HELD(BLOCK), .FILE(WEIGHTS)) weights (
        .clk, .en, .index(tile_d), .out_data(w));

    // Rows of the slots that meet their weights next, that give their sum next, and that give it.
    logic [NW-1:0] ahead, row, row_d, row_dd, row_ddd;
    lutra_gated_rows #(.NF(NF)) meet (.clk, .rst, .step(en && last_d[AT-2]), .row(ahead));
    lutra_gated_rows #(.NF(NF)) give (.clk, .rst, .step(en && last_d[D-2]), .row);
    always_ff @(posedge clk) if (en) {row_ddd, row_dd, row_d} <= {row_dd, row_d, row};

    // The products of a slot, of the rows that take it.
    logic [PE-1:0] gate, gate_late, take;
    logic [PE*DW-1:0] dots, parts;
    assign take = {PE{en}} & (gate | {PE{!second_d[AT-1]}});
    lutra_gated_dots #(.PE(PE), .SIMD(SIMD), .MASKED(MASKED)) products (
        .clk, .en, .take, .x, .second(second_d[1]), .w, .out_data(dots));
    lutra_delay #(.N(D - 1 - AT), .W(PE)) follow_gate (.clk, .en, .in_data(gate), .out_data(gate_late));

    // A row each: P_M, from which its gate and the start of the second pass come.
    logic [PE*PBITS-1:0] firsts, kept, levels, compared, against;
    logic [PE*OBITS-1:0] result;
    logic [PE-1:0] open, passed;
    logic [1:0] settled;  // a row's P_M is compared, its gate is written
    lutra_rom #(.WIDTH(PE * PBITS), .DEPTH(NF), .BLOCK(0), .FILE(LEVELS)) thresholds (
        .clk, .en, .index(row), .out_data(levels));
    lutra_gated_memory #(.WIDTH(PE * PBITS), .NF(NF)) sums (
        .clk, .en, .write(last_d[D-1] && !second_d[D-1]), .to(row_d), .in_data(firsts), .from(row), .out_data(kept));
    lutra_gated_memory #(.WIDTH(PE), .NF(NF)) gates (
        .clk, .en, .write(settled[1]), .to(row_ddd), .in_data(open), .from(ahead), .out_data(gate));
    always_ff @(posedge clk) begin
        if (rst) settled <= '0;
        else if (en) settled <= {settled[0], last_d[D-1] && !second_d[D-1]};
        if (en) begin
            compared <= firsts;
            against  <= levels;
            passed   <= gate_late;
        end
    end
    generate
        for (genvar p = 0; p < PE; p++) begin : g_pe
            logic [TOTAL-1:0] start, total, acc;
            wire [PBITS-1:0] earlier = kept[p*PBITS+:PBITS];
            wire [DW-1:0] part = parts[p*DW+:DW];
            wire mute = second_d[D-2] && !gate_late[p];
            wire [TOTAL-1:0] twice = TOTAL'({{TOTAL{earlier[PBITS-1]}}, earlier, 1'b0});
            assign start = !first_d[D-1] ? acc : second_d[D-1] ? twice + TOTAL'(OFFSET) : '0;
            assign total = start + TOTAL'({{TOTAL{part[DW-1]}}, part});
            assign firsts[p*PBITS+:PBITS] = total[PBITS-1:0];
            assign result[p*OBITS+:OBITS] = total[HALF+:OBITS];
            always_ff @(posedge clk)
                if (en) begin
                    parts[p*DW+:DW] <= dots[p*DW+:DW] & {DW{!mute}};
                    if (valid_d[D-1]) acc <= total;
                    open[p] <= $signed(compared[p*PBITS+:PBITS]) >= $signed(against[p*PBITS+:PBITS]);
                end
        end
    endgenerate

    wire done = last_d[D-1] && second_d[D-1];
    generate
        if (SF == 1) begin : g_slice
            lutra_skid #(.WIDTH(PE * OBITS + PE)) slice (
                .clk, .rst, .in_data({passed, result}), .in_valid(done), .in_ready(en),
                .out_data({opened, out_data}), .out_valid, .out_ready);
        end else begin : g_register
            assign en = !(done && out_valid);
            always_ff @(posedge clk) begin
                if (en && done) {opened, out_data} <= {passed, result};
                out_valid <= !rst && (out_valid ? !out_ready : done);
            end
        end
    endgenerate
endmodule

// 0 to NF - 1 and again.
module lutra_gated_rows #(
    parameter int NF = 1,
    parameter int NW = NF > 1 ? $clog2(NF) : 1
) (
    input  logic          clk,
    input  logic          rst,
    input  logic          step,
    output logic [NW-1:0] row
);
    always_ff @(posedge clk)
        if (rst) row <= '0;
        else if (step) row <= (row == NW'(NF - 1)) ? '0 : row + 1'b1;
endmodule

// NF words, written long earlier they are read; a register after `from`.
module lutra_gated_memory #(
    parameter int WIDTH = 1,
    parameter int NF = 1,
    parameter int NW = NF > 1 ? $clog2(NF) : 1
) (
    input  logic             clk,
    input  logic             en,
    input  logic             write,
    input  logic [NW-1:0]    to,
    input  logic [WIDTH-1:0] in_data,
    input  logic [NW-1:0]    from,
    output logic [WIDTH-1:0] out_data
);
    generate
        if (NF == 1) begin : g_word
            logic [WIDTH-1:0] word;
            logic unused_index;
            assign unused_index = &{1'b0, to, from};
            always_ff @(posedge clk)
                if (en) begin
                    if (write) word <= in_data;
                    out_data <= word;
                end
        end else begin : g_words
            (* no_rw_check *) logic [WIDTH-1:0] words[NF];
            always_ff @(posedge clk)
                if (en) begin
                    if (write) words[to] <= in_data;
                    out_data <= words[from];
                end
        end
    endgenerate
endmodule

// Of PE rows 2 count - lanes, count those of SIMD lanes whose bit of a plane equals that of w: the plane L if `second`, else
// M. Where MASKED both numbers are of the lanes that count. w comes with x, or if not MASKED a register later; `take`
// moves the first registers of each row's count, and comes with w.
// Latency, after w: that of lutra_agree; where MASKED 1 + that of lutra_count_ones.
module lutra_gated_dots #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int MASKED = 0,
    parameter int XBITS = MASKED != 0 ? 3 : 2,
    parameter int CW = $clog2(SIMD + 1),
    parameter int DW = CW + 2
) (
    input  logic                  clk,
    input  logic                  en,
    input  logic [PE-1:0]         take,
    input  logic [SIMD*XBITS-1:0] x,
    input  logic                  second,
    input  logic [PE*SIMD-1:0]    w,
    output logic [PE*DW-1:0]      out_data
);
    localparam int FACE = SIMD + SIMD / 3 + (SIMD - 2 * (SIMD / 3) + 2) / 3;
    logic [SIMD-1:0] plane, there;
    logic [PE*CW-1:0] counts;
    logic [CW-1:0] lanes;
    generate
        for (genvar q = 0; q < SIMD; q++) begin : g_lane
            if (MASKED != 0) begin : g_value
                assign plane[q] = second ? x[q*3+1] : !x[q*3+2];
                assign there[q] = x[q*3];
            end else begin : g_code
                assign plane[q] = second ? x[q*2] : x[q*2+1];
                assign there[q] = 1'b1;
            end
        end
        if (MASKED != 0) begin : g_masked
            localparam int M = SIMD <= 6 ? 1 : (SIMD + 7) / 7;
            localparam int W = SIMD == 1 ? 1 : 3 + $clog2(M);
            logic [SIMD-1:0] there_d;
            logic [W-1:0] some;
            always_ff @(posedge clk) if (en) there_d <= there;
            lutra_count_ones #(.N(SIMD)) present (.clk, .en, .in_data(there_d), .out_data(some));
            assign lanes = CW'(some);
            for (genvar p = 0; p < PE; p++) begin : g_row
                logic [SIMD-1:0] hits;
                logic [W-1:0] count;
                always_ff @(posedge clk) if (take[p]) hits <= there & (plane ~^ w[p*SIMD+:SIMD]);
                lutra_count_ones #(.N(SIMD)) agreeing (.clk, .en, .in_data(hits), .out_data(count));
                assign counts[p*CW+:CW] = CW'(count);
                logic unused_bits;
                assign unused_bits = &{1'b0, count, some};
            end
        end else begin : g_whole
            logic [FACE-1:0] face;
            logic unused_bits;
            assign unused_bits = &{1'b0, there};
            assign lanes = CW'(SIMD);
            lutra_parities #(.N(SIMD)) parities (.clk, .en, .x(plane), .out_data(face));
            for (genvar p = 0; p < PE; p++) begin : g_row
                lutra_agree #(.N(SIMD)) count (
                    .clk, .en, .take(take[p]), .x(face), .w(w[p*SIMD+:SIMD]), .out_data(counts[p*CW+:CW]));
            end
        end
        for (genvar p = 0; p < PE; p++) begin : g_sum
            assign out_data[p*DW+:DW] = {1'b0, counts[p*CW+:CW], 1'b0} - DW'(lanes);
        end
    endgenerate
endmodule
