// y = W x, one word of SIMD inputs and PE rows a cycle. In slot nf * SF + sf of an output pixel, PE p adds
// weights[nf * PE + p][sf * SIMD +: SIMD] times the input word sf, which comes from outside while nf is 0 and from the
// replay buffer after that. All in codes: see op.py for the row constants (BIAS) that they need.
//
// The pipeline moves when `en` is high, a function of registers alone. With SF >= 2 results are at least two cycles
// apart, so one output register that holds the pipeline only when the next result meets an untaken one needs no more.
// With SF = 1 a register slice follows.
//
// `lutra_matmul` has its weights in a memory of its own; in `lutra_matmul_streamed` they come as a second stream.
module lutra_matmul #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,  // codes are two's complement
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,  // weights are one bit, 0 and 1 for -1 and +1
    parameter int FORM = 0,  // 0 bit planes, 1 selecting adders, 2 multipliers, 3 two products in each, 4 shifts
    parameter int TERMS = 1,  // powers of two in a weight, where that is its form, and what exponents are below
    parameter int REACH = 1,
    parameter int SCALE = 1,  // steps of y in a step of x
    parameter int OBITS = 1,
    parameter int BIASED = 0,
    parameter int DEPTH = 3,  // registers from a slot to its dot product
    parameter int BLOCK = 0,  // weights in block RAM, in slices of so many bits
    parameter WEIGHTS = "",  // NF * SF words of PE * SIMD codes
    parameter BIAS = ""  // NF words of PE codes
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [SIMD*XBITS-1:0] in_data,
    input  logic                  in_valid,
    output logic                  in_ready,
    output logic [PE*OBITS-1:0]   out_data,
    output logic                  out_valid,
    input  logic                  out_ready
);
    localparam int TILES = NF * SF;
    localparam int TW = TILES > 1 ? $clog2(TILES) : 1;
    localparam int AT = BIPOLAR != 0 || FORM == 1 ? 3 : 2;

    // A block memory is slow to give its word, so that it is read a cycle early and its word has a register.
    logic en;
    logic [TW-1:0] tile, tile_d;
    logic [PE*SIMD*WBITS-1:0] w;
    lutra_delay #(.N(AT - (BLOCK != 0 ? 2 : 1)), .W(TW)) follow (.clk, .en, .in_data(tile), .out_data(tile_d));
    lutra_rom #(.WIDTH(PE * SIMD * WBITS), .DEPTH(TILES), .BLOCK(BLOCK), .HELD(BLOCK), .FILE(WEIGHTS)) weights (
        .clk, .en, .index(tile_d), .out_data(w));

    logic unused_due;
    lutra_matmul_core #(
        .PE(PE), .SIMD(SIMD), .NF(NF), .SF(SF), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
        .BIPOLAR(BIPOLAR), .FORM(FORM), .TERMS(TERMS), .REACH(REACH), .SCALE(SCALE), .OBITS(OBITS), .BIASED(BIASED),
        .DEPTH(DEPTH), .AT(AT), .BIAS(BIAS)
    ) core (
        .clk, .rst, .in_data, .in_valid, .in_ready, .out_data, .out_valid, .out_ready,
        .en, .tile, .due(unused_due), .w, .w_there(1'b1));
endmodule

// All but the weights: AT registers after its slot, those of `tile` come in `w`. `due` says that a slot waits for them
// there; it moves on when `en` is high, which it is not before `w_there`.
module lutra_matmul_core #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,  // codes are two's complement
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,  // weights are one bit, 0 and 1 for -1 and +1
    parameter int FORM = 0,  // 0 bit planes, 1 selecting adders, 2 multipliers, 3 two products in each, 4 shifts
    parameter int TERMS = 1,  // powers of two in a weight, where that is its form, and what exponents are below
    parameter int REACH = 1,
    parameter int SCALE = 1,  // steps of y in a step of x
    parameter int OBITS = 1,
    parameter int BIASED = 0,
    parameter int DEPTH = 3,  // registers from a slot to its dot product
    parameter int AT = 2,
    parameter BIAS = "",  // NF words of PE codes
    parameter int TW = NF * SF > 1 ? $clog2(NF * SF) : 1
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [SIMD*XBITS-1:0] in_data,
    input  logic                  in_valid,
    output logic                  in_ready,
    output logic [PE*OBITS-1:0]   out_data,
    output logic                  out_valid,
    input  logic                  out_ready,
    output logic                  en,
    output logic [TW-1:0]         tile,
    output logic                  due,
    input  logic [PE*SIMD*WBITS-1:0] w,
    input  logic                  w_there
);
    localparam int TILES = NF * SF;
    localparam int SW = SF > 1 ? $clog2(SF) : 1;
    localparam int D = DEPTH;

    // One slot a cycle.
    logic slot, fresh, first, last;
    logic [SW-1:0] sf;
    assign in_ready = en && fresh;
    assign slot     = !fresh || in_valid;
    assign first    = sf == '0;
    assign last     = sf == SW'(SF - 1);
    always_ff @(posedge clk)
        if (rst) begin
            tile  <= '0;
            sf    <= '0;
            fresh <= 1'b1;
        end else if (en && slot) begin
            sf   <= last ? '0 : sf + 1'b1;
            tile <= (tile == TW'(TILES - 1)) ? '0 : tile + 1'b1;
            if (last) fresh <= NF == 1 || tile == TW'(TILES - 1);
        end

    // What goes with the data: bit i is i + 1 registers after the slot.
    logic [D-1:0] valid_d, first_d, last_d;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= D'({valid_d, slot});
        if (rst) last_d <= '0;
        else if (en) last_d <= D'({last_d, slot && last});
        if (en) first_d <= D'({first_d, first});
    end

    logic [SIMD*XBITS-1:0] x;
    lutra_replay #(.WIDTH(SIMD * XBITS), .NF(NF), .SF(SF), .SW(SW)) replay (
        .clk, .en, .write(fresh), .index(sf), .in_data(in_data), .out_data(x));

    // Without its weights nothing moves, and nothing leaves.
    logic fed;
    assign due = valid_d[AT-1];
    assign fed = w_there || !due;

    logic [PE*OBITS-1:0] bias;
    generate
        if (BIASED != 0) begin : g_bias
            localparam int NW = NF > 1 ? $clog2(NF) : 1;
            logic [NW-1:0] nf;  // of the slot whose sum comes next
            always_ff @(posedge clk)
                if (rst) nf <= '0;
                else if (en && last_d[D-2]) nf <= (nf == NW'(NF - 1)) ? '0 : nf + 1'b1;
            lutra_rom #(.WIDTH(PE * OBITS), .DEPTH(NF), .BLOCK(0), .FILE(BIAS)) rows (
                .clk, .en, .index(nf), .out_data(bias));
        end else begin : g_plain
            assign bias = '0;
        end
    endgenerate

    logic [PE*OBITS-1:0] dots;
    lutra_dots #(
        .PE(PE), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED), .BIPOLAR(BIPOLAR),
        .FORM(FORM), .TERMS(TERMS), .REACH(REACH), .SCALE(SCALE), .OBITS(OBITS)
    ) products (.clk, .en, .x, .w, .out_data(dots));

    // A row each.
    logic [PE*OBITS-1:0] result;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_pe
            logic [OBITS-1:0] start, total;
            if (SF == 1) begin : g_whole
                assign start = bias[p*OBITS+:OBITS];
            end else if (BIASED != 0) begin : g_biased
                logic [OBITS-1:0] acc;
                assign start = first_d[D-1] ? bias[p*OBITS+:OBITS] : acc;
                always_ff @(posedge clk) if (en && valid_d[D-1]) acc <= total;
            end else begin : g_part
                always_ff @(posedge clk)  // begins at 0 by its reset, which takes no logic before the adder
                    if (rst || (en && last_d[D-1])) start <= '0;
                    else if (en && valid_d[D-1]) start <= total;
            end
            assign total = dots[p*OBITS+:OBITS] + start;
            assign result[p*OBITS+:OBITS] = total;
        end
    endgenerate

    generate
        if (SF == 1) begin : g_slice
            logic room;
            lutra_skid #(.WIDTH(PE * OBITS)) slice (
                .clk, .rst, .in_data(result), .in_valid(last_d[D-1] && fed), .in_ready(room),
                .out_data, .out_valid, .out_ready);
            assign en = room && fed;
        end else begin : g_register
            assign en = !(last_d[D-1] && out_valid) && fed;
            always_ff @(posedge clk) begin
                if (en && last_d[D-1]) out_data <= result;
                out_valid <= !rst && (out_valid ? !out_ready : last_d[D-1] && fed);
            end
        end
    endgenerate
endmodule

// The words of a pixel, kept for the output words after the first: two registers after `index`, word `index`, which
// while `write` is the one that comes in. The memory is written and then read, so it needs no bypass.
module lutra_replay #(
    parameter int WIDTH = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int SW = 1
) (
    input  logic             clk,
    input  logic             en,
    input  logic             write,
    input  logic [SW-1:0]    index,
    input  logic [WIDTH-1:0] in_data,
    output logic [WIDTH-1:0] out_data
);
    generate
        if (NF == 1 || SF == 1) begin : g_last
            logic [WIDTH-1:0] word;
            logic unused_index;
            assign unused_index = &{1'b0, index};
            always_ff @(posedge clk)
                if (en) begin
                    if (write) word <= in_data;
                    out_data <= word;
                end
        end else begin : g_buffer
            (* no_rw_check *) logic [WIDTH-1:0] words[SF];
            logic [SW-1:0] index_d;
            always_ff @(posedge clk)
                if (en) begin
                    if (write) words[index] <= in_data;
                    index_d  <= index;
                    out_data <= words[index_d];
                end
        end
    endgenerate
endmodule
