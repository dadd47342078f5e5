// y[c] = sum over TAPS of w[c][t] * x[t][c]. A tap is WORDS words of PE channels; a word a cycle.
//
// With WORDS = 1 and several taps results are at least two cycles apart, so the output register may hold the pipeline
// only when the next result meets an untaken one. Otherwise it holds it whenever it is untaken, and a register slice
// at the input keeps that from in_ready.
module lutra_depthwise #(
    parameter int PE = 1,
    parameter int WORDS = 1,
    parameter int TAPS = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 0,  // 0: all weights are 1
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,  // weights are one bit, 0 and 1 for -1 and +1
    parameter int EXACT = 0,  // products are exact: BIAS makes up for nothing of them
    parameter int OBITS = 1,
    parameter int BIASED = 0,
    parameter int BLOCK = 0,  // weights in block RAM, in slices of so many bits
    parameter WEIGHTS = "",  // TAPS * WORDS words of PE weights
    parameter BIAS = ""  // WORDS words of PE codes, with which the sums begin
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [PE*XBITS-1:0] in_data,
    input  logic                in_valid,
    output logic                in_ready,
    output logic [PE*OBITS-1:0] out_data,
    output logic                out_valid,
    input  logic                out_ready
);
    localparam int SPARSE = WORDS == 1 && TAPS > 1 ? 1 : 0;
    localparam int LW = BIPOLAR != 0 ? 2 : WBITS;  // of a weight, as it is multiplied
    localparam int ROWS = WBITS == 0 ? 0 : (LW + (WSIGNED == 0 && BIPOLAR == 0 ? 1 : 0) + 1) / 2;
    localparam int HOLD = BLOCK != 0 ? 2 : 1;
    localparam int D = HOLD + ROWS;

    logic en, slot;
    logic [PE*XBITS-1:0] word, x;
    generate
        if (SPARSE != 0) begin : g_sparse
            assign word     = in_data;
            assign slot     = in_valid;
            assign in_ready = en;
        end else begin : g_dense
            lutra_skid #(.WIDTH(PE * XBITS)) slice (
                .clk, .rst, .in_data, .in_valid, .in_ready, .out_data(word), .out_valid(slot), .out_ready(en));
        end
    endgenerate

    // What goes with the data: bit i is i registers after the slot.
    logic [D:0] valid_d;
    logic [D-1:0] valid_r;
    assign valid_d = {valid_r, slot};
    always_ff @(posedge clk)
        if (rst) valid_r <= '0;
        else if (en) valid_r <= valid_d[D-1:0];
    lutra_delay #(.N(HOLD), .W(PE * XBITS)) hold_x (.clk, .en, .in_data(word), .out_data(x));

    localparam int PW = WBITS == 0 ? XBITS + 1 : XBITS + (XSIGNED == 0 ? 1 : 0) + 2 * ROWS;
    logic [PE*PW-1:0] product;  // two's complement
    generate
        if (WBITS == 0) begin : g_ones
            for (genvar p = 0; p < PE; p++) begin : g_channel
                assign product[p*PW+:PW] = {(XSIGNED != 0) && x[p*XBITS+XBITS-1], x[p*XBITS+:XBITS]};
            end
        end else begin : g_multiply
            localparam int TILES = TAPS * WORDS;
            localparam int TW = TILES > 1 ? $clog2(TILES) : 1;
            logic [TW-1:0] tile;
            logic [PE*WBITS-1:0] w;
            always_ff @(posedge clk)
                if (rst) tile <= '0;
                else if (en && slot) tile <= (tile == TW'(TILES - 1)) ? '0 : tile + 1'b1;
            lutra_rom #(.WIDTH(PE * WBITS), .DEPTH(TILES), .BLOCK(BLOCK), .HELD(HOLD - 1), .FILE(WEIGHTS)) weights (
                .clk, .en, .index(tile), .out_data(w));
            for (genvar p = 0; p < PE; p++) begin : g_channel
                logic [LW-1:0] weight;
                if (BIPOLAR != 0) begin : g_sign
                    assign weight = {!w[p], 1'b1};
                end else begin : g_value
                    assign weight = w[p*WBITS+:WBITS];
                end
                lutra_times #(
                    .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(LW), .WSIGNED(WSIGNED != 0 || BIPOLAR != 0 ? 1 : 0),
                    .EXACT(EXACT)
                ) times (.clk, .en, .x(x[p*XBITS+:XBITS]), .w(weight), .out_data(product[p*PW+:PW]));
            end
        end
    endgenerate

    logic [PE*OBITS-1:0] start;
    generate
        if (BIASED != 0) begin : g_bias
            localparam int NW = WORDS > 1 ? $clog2(WORDS) : 1;
            logic [NW-1:0] next;  // of the sum to come
            always_ff @(posedge clk)
                if (rst) next <= '0;
                else if (en && valid_d[D-1]) next <= (next == NW'(WORDS - 1)) ? '0 : next + 1'b1;
            lutra_rom #(.WIDTH(PE * OBITS), .DEPTH(WORDS), .BLOCK(0), .FILE(BIAS)) channels (
                .clk, .en, .index(next), .out_data(start));
        end else begin : g_plain
            assign start = '0;
        end
    endgenerate

    // The sums.
    logic step, last, first;
    logic [PE*OBITS-1:0] held, sums;
    assign step = en && valid_d[D];
    lutra_reduction #(.WIDTH(PE * OBITS), .WORDS(WORDS), .TERMS(TAPS)) taps (.kept(sums), .*);
    generate
        for (genvar p = 0; p < PE; p++) begin : g_sum
            logic [OBITS+PW-1:0] wide;
            logic [OBITS-1:0] prior;
            logic unused_bits;
            assign unused_bits = &{1'b0, wide};
            assign wide  = {{OBITS{product[p*PW+PW-1]}}, product[p*PW+:PW]};
            assign prior = first ? start[p*OBITS+:OBITS] : held[p*OBITS+:OBITS];
            assign sums[p*OBITS+:OBITS] = OBITS'(wide) + prior;
        end
    endgenerate

    logic done;
    assign done = valid_d[D] && last;
    generate
        if (SPARSE != 0) begin : g_apart
            assign en = !(done && out_valid);
            always_ff @(posedge clk) begin
                if (en && done) out_data <= sums;
                out_valid <= !rst && (out_valid ? !out_ready : done);
            end
        end else begin : g_close
            assign en = !out_valid || out_ready;
            always_ff @(posedge clk)
                if (rst) out_valid <= 1'b0;
                else if (en) out_valid <= done;
            always_ff @(posedge clk) if (en) out_data <= sums;
        end
    endgenerate
endmodule
